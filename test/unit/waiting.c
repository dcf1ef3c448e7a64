#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "waiting.h"

/* Between two questions. */
#define PAUSE_USEC 500

/* Where APR itself is built for ThreadSanitizer: allocator_alloc looks at the largest free block
 * before it takes its lock, and does not trust what it has seen. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:^allocator_alloc$\n";
}

void waiting_alarm(int seconds)
{
    alarm((unsigned)seconds);
}

void waiting_count_reset(waiting_count *count)
{
    pthread_mutex_lock(&count->lock);
    count->value = 0;
    pthread_mutex_unlock(&count->lock);
}

int waiting_count_value(waiting_count *count)
{
    return waiting_count_add(count, 0);
}

int waiting_count_add(waiting_count *count, int by)
{
    int value;

    pthread_mutex_lock(&count->lock);
    value = count->value += by;
    pthread_cond_broadcast(&count->cond);
    pthread_mutex_unlock(&count->lock);
    return value;
}

int waiting_count_reaches(waiting_count *count, int least)
{
    struct timespec until;
    int is_reached;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)apr_time_sec(WAITING_PATIENCE_USEC);
    pthread_mutex_lock(&count->lock);
    while (count->value < least &&
           pthread_cond_timedwait(&count->cond, &count->lock, &until) != ETIMEDOUT) {
        continue;
    }
    is_reached = count->value >= least;
    pthread_mutex_unlock(&count->lock);
    return is_reached;
}

int waiting_until(int (*is_so)(void *data), void *data)
{
    const struct timespec pause = {0, PAUSE_USEC * 1000L};
    apr_interval_time_t waited = 0;

    while (!is_so(data)) {
        if (waited > WAITING_PATIENCE_USEC) {
            return 0;
        }
        nanosleep(&pause, NULL);
        waited += PAUSE_USEC;
    }
    return 1;
}
