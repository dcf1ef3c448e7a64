/* Licensed under the Apache License, Version 2.0 (see LICENSE). */
/*
 * A library to be loaded before others (LD_PRELOAD): lets calls of the system fail, and sets the
 * clock, for the programs that have it. What shall happen is in the file H2_FAULTS, which a test
 * writes while they run: a struct faults, see test/lib/faults.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct faults {
    int64_t thread_first;  /* pthread_create() fails for the first so many of each process */
    int64_t thread_all;    /* and while this is not 0 */
    int64_t disk_full;     /* nothing can be written to files */
    int64_t no_mmap;       /* no file can be mapped */
    int64_t clock_usec;    /* the clock that can be set is so far ahead */
    int64_t fork_usec;     /* a parent goes on so long after its child */
    int64_t thread_failed; /* how often it has been so */
    int64_t disk_failed;
    int64_t mmap_failed;
};

/* The longest that a wait does not look at the clock. */
#define LOOK_NSEC 20000000

static struct faults none;
static struct faults *faults = &none;
static pid_t counted_pid;
static int64_t thread_count;

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) found;                                                            \
        if (!found) {                                                                              \
            found = (__typeof__(&name))real(#name);                                                \
        }                                                                                          \
        found;                                                                                     \
    })

/* The oldest one that dlsym() may find for condition variables knows another layout of them. */
static void *real(const char *name)
{
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");

    return found ? found : dlsym(RTLD_NEXT, name);
}

static int64_t get(const int64_t *field)
{
    return __atomic_load_n(field, __ATOMIC_SEQ_CST);
}

static int has_failed(int64_t *field)
{
    __atomic_add_fetch(field, 1, __ATOMIC_SEQ_CST);
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("H2_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd >= 0) {
        map = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) {
            faults = map;
        }
        close(fd);
    }
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *data)
{
    if (counted_pid != getpid()) {
        counted_pid = getpid();
        thread_count = 0;
    }
    if (get(&faults->thread_all)
        || __atomic_add_fetch(&thread_count, 1, __ATOMIC_SEQ_CST) <= get(&faults->thread_first)) {
        has_failed(&faults->thread_failed);
        return EAGAIN;
    }
    return REAL(pthread_create)(thread, attr, run, data);
}

pid_t fork(void)
{
    pid_t pid = REAL(fork)();
    struct timespec delay = {get(&faults->fork_usec) / 1000000,
                             get(&faults->fork_usec) % 1000000 * 1000};

    if (pid > 0) {
        nanosleep(&delay, NULL);
    }
    return pid;
}

static int is_full(int fd)
{
    struct stat info;

    return get(&faults->disk_full) && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
           && has_failed(&faults->disk_failed);
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(write)(fd, data, length);
}

ssize_t writev(int fd, const struct iovec *data, int count)
{
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(writev)(fd, data, count);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && get(&faults->no_mmap) && has_failed(&faults->mmap_failed)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return REAL(mmap)(at, length, protection, flags, fd, offset);
}

static void set_ahead(struct timespec *time, int64_t usec)
{
    int64_t nsec = (int64_t)time->tv_nsec + usec % 1000000 * 1000;

    time->tv_sec += usec / 1000000 + nsec / 1000000000;
    nsec %= 1000000000;
    if (nsec < 0) {
        nsec += 1000000000;
        time->tv_sec -= 1;
    }
    time->tv_nsec = nsec;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rv = REAL(clock_gettime)(clock, now);

    if (rv == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        set_ahead(now, get(&faults->clock_usec));
    }
    return rv;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec time;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (to) {
        *to = now.tv_sec;
    }
    return now.tv_sec;
}

static int is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Until the clock that can be set shows this time, also if it is set meanwhile. Wakes without reason
 * to look at it: the caller has to see then whether it was woken, as a signal may have come between. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                           const struct timespec *until)
{
    struct timespec now, look;
    int rv;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!is_before(&now, until)) {
        return ETIMEDOUT;
    }
    set_ahead(&now, LOOK_NSEC / 1000);
    look = is_before(until, &now) ? *until : now;
    set_ahead(&look, -get(&faults->clock_usec));
    rv = REAL(pthread_cond_timedwait)(cond, lock, &look);
    return (rv == ETIMEDOUT && is_before(&now, until)) ? 0 : rv;
}
