#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include <apr_thread_proc.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "base/h2_base.h"
#include "httpd_stubs.h"

/* The logs of a debug build refer to it. */
module AP_MODULE_DECLARE_DATA http2_module = {.name = "mod_http2.c"};

#define AT_START                                                                                   \
    {                                                                                              \
        .child_num = -1                                                                            \
    }

httpd_stubs_state httpd_stubs = AT_START;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void httpd_stubs_lock(void)
{
    pthread_mutex_lock(&lock);
}

void httpd_stubs_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void httpd_stubs_reset(void)
{
    httpd_stubs_lock();
    httpd_stubs = (httpd_stubs_state)AT_START;
    httpd_stubs_unlock();
}

/* Small, so that many threads cost little. */
apr_size_t ap_thread_stacksize = 1024 * 1024;

#ifdef ap_thread_create
#undef ap_thread_create
#endif
apr_status_t ap_thread_create(apr_thread_t **thread, apr_threadattr_t *attr,
                              apr_thread_start_t func, void *data, apr_pool_t *pool)
{
    int fails;

    httpd_stubs_lock();
    fails = httpd_stubs.thread_failures > 0;
    httpd_stubs.thread_failures -= fails;
    httpd_stubs_unlock();
    return fails ? APR_EAGAIN : apr_thread_create(thread, attr, func, data, pool);
}

int ap_find_child_by_pid(apr_proc_t *pid)
{
    int child_num;

    (void)pid;
    httpd_stubs_lock();
    child_num = httpd_stubs.child_num;
    httpd_stubs_unlock();
    return child_num;
}

struct ap_sb_handle_t {
    int child_num;
    int thread_num;
};

void ap_create_sb_handle(ap_sb_handle_t **new_sbh, apr_pool_t *p, int child_num, int thread_num)
{
    *new_sbh = apr_palloc(p, sizeof(**new_sbh));
    (*new_sbh)->child_num = child_num;
    (*new_sbh)->thread_num = thread_num;
    httpd_stubs_lock();
    if (thread_num >= 0 && thread_num < HTTPD_STUBS_SLOTS) {
        ++httpd_stubs.handles[thread_num];
    }
    httpd_stubs_unlock();
}

int ap_update_child_status(ap_sb_handle_t *sbh, int status, request_rec *r)
{
    (void)r;
    httpd_stubs_lock();
    httpd_stubs.dead_count += (sbh && status == SERVER_DEAD);
    httpd_stubs_unlock();
    return status;
}

worker_score *ap_get_scoreboard_worker(ap_sb_handle_t *sbh)
{
    (void)sbh;
    return NULL; /* requests are counted by httpd only */
}

void ap_increment_counts(ap_sb_handle_t *sbh, request_rec *r)
{
    (void)sbh;
    (void)r;
}

apr_status_t ap_mpm_query(int code, int *value)
{
    (void)code;
    *value = 0;
    return APR_SUCCESS;
}

/* An assertion that a test expects is told to cmocka, any other ends the program:
 * cmocka's own way out is only good for the thread that runs the test. */
void ap_log_assert(const char *exp, const char *file, int line)
{
    if (global_expecting_assert) {
        mock_assert(0, exp, file, line);
    }
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, exp);
    abort();
}

void ap_str_tolower(char *s)
{
    for (; *s; ++s) {
        *s = (char)((*s >= 'A' && *s <= 'Z') ? *s - 'A' + 'a' : *s);
    }
}

int ap_cstr_casecmpn(const char *s1, const char *s2, apr_size_t n)
{
    return strncasecmp(s1, s2, n);
}
