/*
 * How a test waits for other threads: for a count to be reached, or for anything
 * that can be asked. Both fail after WAITING_PATIENCE_USEC, so that a test ends.
 */
#ifndef WAITING_H
#define WAITING_H

#include <pthread.h>

#include <apr_time.h>

/* Far beyond what any wait takes on a busy machine, under a sanitizer too. */
#define WAITING_PATIENCE_USEC (20 * APR_USEC_PER_SEC)

/* Ends the program, as failed, after so many seconds: a test must not hang. */
void waiting_alarm(int seconds);

/* A count that any thread adds to and any thread waits for. */
typedef struct waiting_count {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int value;
} waiting_count;

#define WAITING_COUNT_INIT                                                                         \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

void waiting_count_reset(waiting_count *count);
int waiting_count_value(waiting_count *count);

/* Returns the new value. */
int waiting_count_add(waiting_count *count, int by);

/* Waits until the value is least or more. 0: it has taken too long. */
int waiting_count_reaches(waiting_count *count, int least);

/* Asks again and again, with pauses, for what has no condition variable. 0: it has
 * taken too long. */
int waiting_until(int (*is_so)(void *data), void *data);

#endif /* WAITING_H */
