/*
 * Stand-ins for the few functions of httpd that the engine calls, for unit tests
 * only: a test names httpd_stubs.c among its sources. What they were called with
 * can be looked at; set and read the fields while no other thread runs, or under
 * httpd_stubs_lock().
 */
#ifndef HTTPD_STUBS_H
#define HTTPD_STUBS_H

#include <httpd.h>
#include <scoreboard.h>

/* Slots of the scoreboard that the stand-ins know. */
#define HTTPD_STUBS_SLOTS 64

typedef struct httpd_stubs_state {
    int thread_failures;            /* so many calls of ap_thread_create() fail */
    int child_num;                  /* what ap_find_child_by_pid() finds; -1: nothing (yet) */
    int handles[HTTPD_STUBS_SLOTS]; /* handles that were made for each slot */
    int dead_count;                 /* calls that said SERVER_DEAD */
} httpd_stubs_state;

extern httpd_stubs_state httpd_stubs;

/* Everything as at the start of the program. */
void httpd_stubs_reset(void);
void httpd_stubs_lock(void);
void httpd_stubs_unlock(void);

#endif /* HTTPD_STUBS_H */
