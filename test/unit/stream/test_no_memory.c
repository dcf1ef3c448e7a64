/* The parts that take memory of their own, from base/ up to the queues of session/, while it fails
 * at any call: they say so, stay as they were, and can be used and freed. What is not here
 * (framing, frame scan, trailers, priorities) takes none; links and responses live in pools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "message/h2_cache_digest.h"
#include "session/h2_push_diary.h"
#include "session/h2_scheduler.h"
#include "stream/h2_stream.h"

#include "../failing.h"

static h2_blocks blocks;

/* ---- base/h2_blocks.c ---- */

static int grow_a_block(void *data)
{
    char *memory = h2_blocks_alloc(data, 100), *more;
    int is_done = memory != NULL;

    if (memory) {
        memset(memory, 'a', 100);
        more = h2_blocks_realloc(data, memory, 5000);
        is_done = more != NULL;
        memory = more ? more : memory;
        assert_int_equal(memory[99], 'a');
        h2_blocks_free(data, memory);
    }
    h2_blocks_clear(&blocks);
    return is_done;
}

static void a_block_that_cannot_grow_stays_as_it_is(void **state)
{
    (void)state;
    failing_each(grow_a_block, NULL, 0);
    failing_each(grow_a_block, &blocks, 0);
}

/* ---- message/h2_head.c ---- */

static apr_status_t add_number(h2_head *head, int i)
{
    char name[20], value[200];

    memset(value, 'v', sizeof(value));
    return h2_head_add(head, name, (apr_size_t)snprintf(name, sizeof(name), "x-%d", i), value,
                       sizeof(value), 1000000);
}

/* So many that the arena and the list of fields grow more than once. */
static int fill_a_head(void *data)
{
    h2_head *head = h2_head_create(data);
    int i, added = 0, is_done = head != NULL;

    for (i = 0; head && i < 100; ++i) {
        apr_size_t bytes = h2_head_bytes(head);
        apr_status_t rv = add_number(head, i);

        if (rv == APR_SUCCESS) {
            ++added;
        }
        else {
            assert_int_equal(rv, APR_ENOMEM);
            assert_int_equal(h2_head_bytes(head), bytes);
            is_done = 0;
        }
        assert_int_equal(h2_head_count(head), added);
    }
    for (i = 0; head && i < added; ++i) {
        assert_int_equal(strlen(h2_head_field(head, i).value), 200);
    }
    h2_head_destroy(head, data);
    h2_blocks_clear(&blocks);
    return is_done;
}

static void a_field_for_which_there_is_no_memory_is_not_half_there(void **state)
{
    (void)state;
    failing_each(fill_a_head, NULL, 0);
    failing_each(fill_a_head, &blocks, 0);
}

/* ---- exchange/h2_chunk.c ---- */

/* What was appended stays, in order, and is counted; the rest is not. */
static int fill_a_queue(void *data)
{
    static char from[50000], to[sizeof(from)];
    apr_status_t rv;
    h2_chunks chunks;
    apr_size_t i, length;

    (void)data;
    for (i = 0; i < sizeof(from); ++i) {
        from[i] = (char)(i % 251);
    }
    h2_chunks_init(&chunks);
    rv = h2_chunks_add_copy(&chunks, from, 10);
    if (rv == APR_SUCCESS) {
        rv = h2_chunks_add_copy(&chunks, from + 10, sizeof(from) - 10);
    }
    length = (apr_size_t)chunks.total_bytes;
    assert_true(rv == APR_SUCCESS ? length == sizeof(from) : rv == APR_ENOMEM);
    assert_true(chunks.memory_bytes >= length);
    assert_int_equal(h2_chunks_read(&chunks, to, length), APR_SUCCESS);
    assert_memory_equal(to, from, length);
    assert_true(h2_chunks_is_empty(&chunks));
    assert_int_equal(chunks.memory_bytes, 0);
    h2_chunks_clear(&chunks);
    return rv == APR_SUCCESS;
}

static void a_queue_that_cannot_take_all_has_the_beginning_and_says_so(void **state)
{
    (void)state;
    failing_each(fill_a_queue, NULL, 0);
}

/* ---- stream/h2_stream.c ---- */

static int make_a_stream(void *data)
{
    h2_stream *stream = h2_stream_create(NULL, 1, data);
    int is_done = stream != NULL;

    if (stream) {
        stream->head = h2_head_create(data);
        stream->trailers = h2_head_create(data);
        is_done = stream->head && stream->trailers
                  && h2_chunks_add_copy(&stream->exchange.in, "in", 2) == APR_SUCCESS
                  && h2_chunks_add_copy(&stream->exchange.out, "out", 3) == APR_SUCCESS;
        h2_stream_destroy(stream, data);
    }
    h2_blocks_clear(&blocks);
    return is_done;
}

static void a_stream_that_is_not_whole_can_be_destroyed(void **state)
{
    (void)state;
    failing_each(make_a_stream, NULL, 0);
    failing_each(make_a_stream, &blocks, 0);
}

/* ---- session/h2_push_diary.c ---- */

static void note_known(void *baton, apr_uint64_t value, int bits)
{
    h2_push_diary_add(baton, value, bits);
}

/* What it cannot keep it does not know; what it knows it keeps. */
static int fill_a_diary(void *data)
{
    h2_push_diary diary;
    apr_uint64_t i;
    int known = 0, is_reset;

    (void)data;
    h2_push_diary_init(&diary, 64);
    for (i = 1; i <= 100; ++i) {
        h2_push_diary_add(&diary, i << 32, 64);
        known += h2_push_diary_knows(&diary, i << 32);
        assert_true(diary.count <= diary.allocated && diary.allocated <= diary.size);
    }
    assert_true(!diary.count || h2_push_diary_knows(&diary, diary.entries[0].value));
    h2_cache_digest_read("EeUM-QA", 10, &is_reset, note_known, &diary);
    h2_push_diary_clear(&diary);
    assert_int_equal(diary.count, 0);
    return known == 100;
}

static void a_diary_forgets_what_it_has_no_memory_for(void **state)
{
    (void)state;
    failing_each(fill_a_diary, NULL, 0);
}

/* ---- session/h2_scheduler.c ---- */

/* Whatever has no place of its own is sent all the same, each once. */
static int prioritize(void *data)
{
    static h2_stream streams[8];
    h2_scheduler scheduler;
    h2_stream *next;
    int i, turns = 0, is_done = 1;

    (void)data;
    memset(streams, 0, sizeof(streams));
    h2_scheduler_init(&scheduler);
    for (i = 0; i < 8; ++i) {
        h2_priority priority = {.urgency = i, .is_incremental = i % 2};

        streams[i].id = 2 * i + 1;
        h2_scheduler_join(&scheduler, &streams[i], NULL, 16);
        h2_scheduler_add(&scheduler, &streams[i]);
        h2_scheduler_set_priority(&scheduler, &streams[i], &priority);
        is_done = is_done && scheduler.urgencies[i];
    }
    while ((next = h2_scheduler_next(&scheduler)) != NULL && ++turns <= 8) {
        h2_scheduler_had_turn(next, 1000);
        h2_scheduler_remove(&scheduler, next);
    }
    assert_int_equal(turns, 8);
    for (i = 0; i < 8; ++i) {
        h2_scheduler_leave(&scheduler, &streams[i]);
    }
    h2_scheduler_destroy(&scheduler);
    return is_done;
}

static void a_stream_without_a_place_of_its_urgency_is_sent_all_the_same(void **state)
{
    (void)state;
    failing_each(prioritize, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_cannot_grow_stays_as_it_is),
        cmocka_unit_test(a_field_for_which_there_is_no_memory_is_not_half_there),
        cmocka_unit_test(a_queue_that_cannot_take_all_has_the_beginning_and_says_so),
        cmocka_unit_test(a_stream_that_is_not_whole_can_be_destroyed),
        cmocka_unit_test(a_diary_forgets_what_it_has_no_memory_for),
        cmocka_unit_test(a_stream_without_a_place_of_its_urgency_is_sent_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
