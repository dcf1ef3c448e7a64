/*
 * Calls that fail when a test says so: memory, and what APR makes for threads, polling and pipes.
 * For a test that is linked with $(h2_failing_ldflags), see units.am, which turns the calls of our
 * own sources to the ones here; those inside libraries stay as they are.
 */
#ifndef FAILING_H
#define FAILING_H

/* How calls fail: the n-th one alone, or that and all that follow. */
typedef enum {
    FAILING_ONCE,
    FAILING_FROM_THEN_ON
} failing_how;

/* From now on the n-th call fails, counted from 1; 0: none does. */
void failing_begin(int n, failing_how how);

/* No call fails any more. Returns whether one has. */
int failing_end(void);

/* Blocks of memory that were taken and not given back. */
int failing_blocks(void);

/* Whether this call is to fail: for a test's own stand-ins. */
int failing_is_now(void);

/* A way to do something in which calls may fail. Returns 0 where it has failed, after it has put
 * everything back as it was; what it asserts holds in any case. */
typedef int failing_try(void *data);

/* Does it with the first call failing, then the second, and so on, until none fails any more; each
 * in both ways. Asserts that it succeeds then, that it says so each time when it does not, unless
 * may_cope, and that no memory is lost. */
void failing_each(failing_try *run, void *data, int may_cope);

#endif /* FAILING_H */
