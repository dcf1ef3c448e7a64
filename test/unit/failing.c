#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include <apr_file_io.h>
#include <apr_poll.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

#include "failing.h"

/* Far beyond the calls of any one operation. */
#define CALLS_MAX 2000

static int countdown; /* 0: no call fails */
static failing_how how_now;
static int has_failed;
static int blocks;

void failing_begin(int n, failing_how how)
{
    countdown = n;
    how_now = how;
    has_failed = 0;
}

int failing_end(void)
{
    countdown = 0;
    return has_failed;
}

int failing_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_SEQ_CST);
}

int failing_is_now(void)
{
    if (!countdown || (has_failed && how_now == FAILING_ONCE)) {
        return 0;
    }
    if (countdown > 1) {
        --countdown;
        return 0;
    }
    has_failed = 1;
    return 1;
}

static void try_once(failing_try *run, void *data, int n, failing_how how, int may_cope)
{
    int before = failing_blocks();
    int is_done;

    failing_begin(n, how);
    is_done = run(data);
    if (failing_end()) {
        assert_true(may_cope || !is_done);
    }
    else {
        assert_true(is_done);
    }
    assert_int_equal(failing_blocks(), before);
}

void failing_each(failing_try *run, void *data, int may_cope)
{
    int n;

    for (n = 1; n < CALLS_MAX; ++n) {
        try_once(run, data, n, FAILING_ONCE, may_cope);
        try_once(run, data, n, FAILING_FROM_THEN_ON, may_cope);
        if (!has_failed) {
            break;
        }
    }
    assert_true(n > 1 && n < CALLS_MAX);
    print_message("%d calls that may fail\n", n - 1);
}

/* The linker has them for the calls of APR and of sanitizers as well, which find their own functions
 * all the same. */
#define VISIBLE __attribute__((visibility("default")))

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
VISIBLE void *__wrap_malloc(size_t size);
VISIBLE void *__wrap_calloc(size_t count, size_t size);
VISIBLE void *__wrap_realloc(void *memory, size_t size);
VISIBLE void __wrap_free(void *memory);

static void *count_block(void *memory)
{
    if (memory) {
        __atomic_add_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    }
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return failing_is_now() ? NULL : count_block(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return failing_is_now() ? NULL : count_block(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (failing_is_now()) {
        return NULL;
    }
    return memory ? __real_realloc(memory, size) : count_block(__real_realloc(NULL, size));
}

void __wrap_free(void *memory)
{
    if (memory) {
        __atomic_sub_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    }
    __real_free(memory);
}

/* ---- APR ---- */

/* WRAP(NAME, ITS PARAMETERS, THE SAME AS ARGUMENTS) */
#define WRAP(name, parameters, arguments)                                                          \
    apr_status_t __real_##name parameters;                                                         \
    VISIBLE apr_status_t __wrap_##name parameters;                                                 \
    apr_status_t __wrap_##name parameters                                                          \
    {                                                                                              \
        return failing_is_now() ? APR_ENOMEM : __real_##name arguments;                            \
    }

WRAP(apr_thread_mutex_create, (apr_thread_mutex_t **mutex, unsigned flags, apr_pool_t *pool),
     (mutex, flags, pool))
WRAP(apr_thread_cond_create, (apr_thread_cond_t **cond, apr_pool_t *pool), (cond, pool))
WRAP(apr_threadattr_create, (apr_threadattr_t **attr, apr_pool_t *pool), (attr, pool))
WRAP(apr_pollset_create,
     (apr_pollset_t **set, apr_uint32_t size, apr_pool_t *pool, apr_uint32_t flags),
     (set, size, pool, flags))
WRAP(apr_pollset_add, (apr_pollset_t *set, const apr_pollfd_t *descriptor), (set, descriptor))
WRAP(apr_file_write, (apr_file_t *file, const void *data, apr_size_t *length),
     (file, data, length))
