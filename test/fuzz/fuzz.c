#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "pools.h"

/* From <sanitizer/allocator_interface.h>; the builds that count coverage have no sanitizer. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void fuzz_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

int fuzz_is_traced(void)
{
    static int is_traced = -1;

    if (is_traced < 0) {
        is_traced = getenv("FUZZ_TRACE") != NULL;
    }
    return is_traced;
}

unsigned fuzz_byte(fuzz_input *input)
{
    if (!input->left) {
        return 0;
    }
    --input->left;
    return *input->at++;
}

unsigned fuzz_number(fuzz_input *input, unsigned bytes)
{
    unsigned number = 0;

    while (bytes--) {
        number = number << 8 | fuzz_byte(input);
    }
    return number;
}

const uint8_t *fuzz_bytes(fuzz_input *input, size_t length, size_t *plength)
{
    const uint8_t *bytes = input->at;

    if (length > input->left) {
        length = input->left;
    }
    input->at += length;
    input->left -= length;
    *plength = length;
    return bytes;
}

char *fuzz_copy(const uint8_t *data, size_t length)
{
    char *copy = malloc(length ? length : 1);

    if (length) {
        memcpy(copy, data, length);
    }
    return copy;
}

char *fuzz_text(const uint8_t *data, size_t length)
{
    const uint8_t *nul = length ? memchr(data, '\0', length) : NULL;
    char *copy;

    if (nul) {
        length = (size_t)(nul - data);
    }
    copy = malloc(length + 1);
    if (length) {
        memcpy(copy, data, length);
    }
    copy[length] = '\0';
    return copy;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() == APR_SUCCESS ? 0 : 1;
}

static size_t allocated_bytes(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* The pool has an allocator of its own: with it all memory goes back. */
static void run_in_pool(const uint8_t *data, size_t size)
{
    apr_allocator_t *allocator;
    apr_pool_t *pool;

    pools_fail(0, 0);
    apr_allocator_create(&allocator);
    apr_pool_create_unmanaged_ex(&pool, NULL, allocator);
    apr_allocator_owner_set(allocator, pool);
    fuzz_run(pool, data, size);
    apr_pool_destroy(pool);
}

/* What a library takes once and keeps makes the first run differ, but not the third: then memory
 * is lost, which nobody may even point to (so that the check for leaks would see it). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int tries;

    for (tries = 0; tries < 3; ++tries) {
        size_t before = allocated_bytes();

        run_in_pool(data, size);
        if (allocated_bytes() <= before) {
            return 0;
        }
    }
    FUZZ_CHECK(!"memory is kept after the run");
    return 0;
}
