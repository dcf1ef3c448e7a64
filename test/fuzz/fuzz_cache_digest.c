/* The value of a Cache-Digest field, and what the diary of pushes makes of it. Input: the size of
 * the diary, and the value. */
#include <stdlib.h>

#include "fuzz.h"
#include "message/h2_cache_digest.h"
#include "session/h2_push_diary.h"

typedef struct seen_values {
    h2_push_diary diary;
    const int *preset;
    int count;
    int was_reset;
} seen_values;

static void note(void *baton, apr_uint64_t value, int bits)
{
    seen_values *seen = baton;

    FUZZ_CHECK(bits >= 1 && bits <= 62);
    FUZZ_CHECK(!(value & (~(apr_uint64_t)0 >> bits)));
    FUZZ_CHECK(*seen->preset == 0 || *seen->preset == 1);
    FUZZ_CHECK(!seen->count || *seen->preset == seen->was_reset);
    seen->was_reset = *seen->preset;
    ++seen->count;
    h2_push_diary_add(&seen->diary, value, bits);
    FUZZ_CHECK(h2_push_diary_knows(&seen->diary, value));
    FUZZ_CHECK(h2_push_diary_knows(&seen->diary, value | 1));
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    int limit = (int)fuzz_byte(&input), preset = 2;
    char *text = fuzz_text(input.at, input.left);
    seen_values seen = {.preset = &preset};

    (void)pool;
    h2_push_diary_init(&seen.diary, limit);
    h2_cache_digest_read(text, limit, &preset, note, &seen);
    FUZZ_CHECK(seen.count <= limit && seen.diary.count <= limit);
    FUZZ_CHECK(preset == 0 || preset == 1);
    h2_push_diary_clear(&seen.diary);
    FUZZ_CHECK(!h2_push_diary_knows(&seen.diary, 0));
    free(text);
}
