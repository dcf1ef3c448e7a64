/*
 * What every fuzz target uses: the input as a source of small decisions, checks, and a pool for
 * each run whose memory must all have been given back after it.
 *
 * A target defines fuzz_run(), and is linked with fuzz.c, which has libFuzzer's entry points. One
 * thread.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/h2_base.h"

/* An invariant of the code under test: what is wrong is said, and the input is kept. */
#define FUZZ_CHECK(exp) ((exp) ? (void)0 : fuzz_failed(#exp, __FILE__, __LINE__))
void fuzz_failed(const char *what, const char *file, int line) __attribute__((noreturn));

/* Is FUZZ_TRACE in the environment? Then it is said what happens. */
int fuzz_is_traced(void);

/* The target: one input. pool lives as long as the run. */
void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size);

/* The input, read from its front. What is not there any more is 0. */
typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;

unsigned fuzz_byte(fuzz_input *input);
unsigned fuzz_number(fuzz_input *input, unsigned bytes); /* big endian */

/* Up to length bytes, borrowed; *plength: how many. */
const uint8_t *fuzz_bytes(fuzz_input *input, size_t length, size_t *plength);

/* A copy of length bytes that ends where its memory ends (with a NUL behind it for text), so that
 * reading beyond it is seen. malloc'ed. */
char *fuzz_copy(const uint8_t *data, size_t length);
char *fuzz_text(const uint8_t *data, size_t length); /* up to the first NUL */

#endif /* FUZZ_H */
