/* exchange/h2_chunk.c: bodies on their way between a request and the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "exchange/h2_chunk.h"

/* Files that are longer than an off_t of 32 bits can say. */
#if APR_SIZEOF_VOIDP < 8
#define pwrite pwrite64
#define tmpfile tmpfile64
#endif

/* The least and the most that a copied chunk holds. */
#define LEAST_BYTES 4096
#define MOST_BYTES  16384

static h2_chunks chunks;
static FILE *file;
static char pattern[100000];

static int setup(void **state)
{
    size_t i;

    (void)state;
    h2_chunks_init(&chunks);
    for (i = 0; i < sizeof(pattern); ++i) {
        pattern[i] = (char)(i * 7 + i / 251);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_chunks_clear(&chunks);
    if (file) {
        fclose(file);
        file = NULL;
    }
    return 0;
}

static void add(const char *data, size_t length)
{
    char *copy = malloc(length + !length);

    memcpy(copy, data, length);
    assert_int_equal(h2_chunks_add_copy(&chunks, copy, length), APR_SUCCESS);
    free(copy);
}

/* A temporary file with the bytes of the pattern, its descriptor. */
static int make_file(size_t length)
{
    file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(pattern, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    return fileno(file);
}

static void append_range(h2_chunk *chunk, int descriptor, apr_off_t offset, apr_off_t length)
{
    memset(chunk, 0, sizeof(*chunk));
    chunk->descriptor = descriptor;
    chunk->offset = offset;
    chunk->length = length;
    h2_chunks_append(&chunks, chunk);
}

/* Bytes of somebody else, as of a request's pool. */
static void append_borrowed(h2_chunk *chunk, const char *data, size_t length)
{
    memset(chunk, 0, sizeof(*chunk));
    chunk->data = data;
    chunk->length = (apr_off_t)length;
    h2_chunks_append(&chunks, chunk);
}

static int count_chunks(void)
{
    h2_chunk *chunk;
    int count = 0;

    APR_RING_FOREACH(chunk, &chunks.ring, h2_chunk, link)
    {
        ++count;
    }
    return count;
}

/* Reads into memory of exactly that size. */
static void assert_reads(const char *expected, size_t length)
{
    char *to = malloc(length + !length);

    assert_int_equal(h2_chunks_read(&chunks, to, length), APR_SUCCESS);
    assert_memory_equal(to, expected, length);
    free(to);
}

static void assert_is_empty(const h2_chunks *queue)
{
    assert_true(h2_chunks_is_empty(queue));
    assert_int_equal(queue->total_bytes, 0);
    assert_int_equal(queue->memory_bytes, 0);
}

static void a_new_queue_is_empty(void **state)
{
    (void)state;
    assert_is_empty(&chunks);
    assert_null(h2_chunks_pop(&chunks));
    h2_chunks_clear(&chunks);
    assert_is_empty(&chunks);
}

static void a_copy_of_nothing_adds_no_chunk(void **state)
{
    (void)state;
    assert_int_equal(h2_chunks_add_copy(&chunks, NULL, 0), APR_SUCCESS);
    assert_is_empty(&chunks);
}

static void small_copies_share_a_chunk_until_it_is_full(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < LEAST_BYTES; ++i) {
        add(pattern + i, 1);
    }
    assert_int_equal(count_chunks(), 1);
    add(pattern + LEAST_BYTES, 1);
    assert_int_equal(count_chunks(), 2);
    assert_int_equal(chunks.total_bytes, LEAST_BYTES + 1);
    assert_reads(pattern, LEAST_BYTES + 1);
    assert_is_empty(&chunks);
}

static void a_large_copy_is_cut_into_chunks_of_a_frame(void **state)
{
    (void)state;
    add(pattern, 3 * MOST_BYTES + 5);
    assert_int_equal(count_chunks(), 4);
    assert_int_equal(chunks.total_bytes, 3 * MOST_BYTES + 5);
    assert_reads(pattern, 3 * MOST_BYTES + 5);
    assert_is_empty(&chunks);
}

static void pieces_of_any_size_give_the_same_bytes(void **state)
{
    size_t piece;

    (void)state;
    for (piece = 1; piece < 50000; piece += 1 + piece / 3) {
        size_t done;

        add(pattern, 100);
        add(pattern + 100, 20000);
        add(pattern + 20100, 29900);
        for (done = 0; done < 50000; done += piece) {
            size_t count = (piece < 50000 - done) ? piece : 50000 - done;

            assert_reads(pattern + done, count);
            assert_int_equal(chunks.total_bytes, 50000 - done - count);
        }
        assert_is_empty(&chunks);
    }
}

static void reading_nothing_takes_nothing(void **state)
{
    (void)state;
    assert_reads("", 0);
    add("abc", 3);
    assert_reads("", 0);
    assert_int_equal(chunks.total_bytes, 3);
}

static void a_chunk_that_was_read_in_part_takes_more_bytes_behind_its_rest(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3 * LEAST_BYTES; ++i) {
        add(pattern + 3 * i, 3);
        assert_reads(pattern + 2 * i, 2);
    }
    assert_reads(pattern + 6 * LEAST_BYTES, 3 * LEAST_BYTES);
    assert_is_empty(&chunks);
}

static void memory_counts_bytes_and_overhead_but_no_files(void **state)
{
    static h2_chunk range;

    (void)state;
    append_range(&range, make_file(1000), 0, 1000);
    assert_int_equal(chunks.total_bytes, 1000);
    assert_int_equal(chunks.memory_bytes, 0);
    add(pattern, 10);
    assert_int_equal(chunks.total_bytes, 1010);
    assert_true(chunks.memory_bytes > 10);
    assert_reads(pattern, 1000);
    assert_true(chunks.memory_bytes > 10);
    assert_reads(pattern, 10);
    assert_is_empty(&chunks);
}

static void a_range_of_a_file_is_read_where_it_lies(void **state)
{
    static h2_chunk ranges[2];
    int descriptor = make_file(5000);

    (void)state;
    append_range(&ranges[0], descriptor, 4000, 1000);
    append_range(&ranges[1], descriptor, 10, 20);
    assert_reads(pattern + 4000, 1);
    assert_reads(pattern + 4001, 998);
    assert_reads(pattern + 4999, 1);
    assert_reads(pattern + 10, 20);
    assert_is_empty(&chunks);
}

static void the_position_of_the_file_stays(void **state)
{
    static h2_chunk range;
    int descriptor = make_file(100);

    (void)state;
    assert_int_equal(lseek(descriptor, 7, SEEK_SET), 7);
    append_range(&range, descriptor, 50, 10);
    assert_reads(pattern + 50, 10);
    assert_int_equal(lseek(descriptor, 0, SEEK_CUR), 7);
}

static void a_range_may_lie_beyond_4_gib(void **state)
{
    const apr_off_t offset = ((apr_off_t)5 << 30) - 3;
    static h2_chunk range;
    int descriptor = make_file(0);

    (void)state;
    assert_int_equal(pwrite(descriptor, pattern, 10, offset), 10);
    append_range(&range, descriptor, offset - 1, 11);
    assert_reads("\0", 1);
    assert_reads(pattern, 10);
    assert_is_empty(&chunks);
}

static void memory_and_files_come_in_their_order(void **state)
{
    static h2_chunk range, borrowed;

    (void)state;
    add(pattern, 10);
    append_range(&range, make_file(5000), 10, 4000);
    append_borrowed(&borrowed, pattern + 4010, 90);
    add(pattern + 4100, 900);
    assert_int_equal(chunks.total_bytes, 5000);
    assert_reads(pattern, 5);
    assert_reads(pattern + 5, 4995);
    assert_is_empty(&chunks);
}

static void a_file_that_has_become_shorter_is_an_end(void **state)
{
    char to[100];
    static h2_chunk range;
    int descriptor = make_file(100);

    (void)state;
    append_range(&range, descriptor, 50, 50);
    assert_int_equal(ftruncate(descriptor, 60), 0);
    assert_int_equal(h2_chunks_read(&chunks, to, 50), APR_EOF);
    assert_int_equal(chunks.total_bytes, 50);
    assert_reads(pattern + 50, 10);
    assert_int_equal(h2_chunks_read(&chunks, to, 1), APR_EOF);
    assert_int_equal(chunks.total_bytes, 40);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    char to[10];
    static h2_chunk range;

    (void)state;
    append_range(&range, -1, 0, 10);
    assert_int_equal(h2_chunks_read(&chunks, to, 10), APR_EBADF);
    assert_int_equal(chunks.total_bytes, 10);
    assert_ptr_equal(h2_chunks_pop(&chunks), &range);
    assert_is_empty(&chunks);
}

static void borrowed_bytes_are_neither_written_nor_freed(void **state)
{
    static h2_chunk borrowed;
    char bytes[] = "borrowed";

    (void)state;
    append_borrowed(&borrowed, bytes, 4);
    add("new", 3);
    assert_int_equal(count_chunks(), 2);
    assert_string_equal(bytes, "borrowed");
    assert_reads("borrnew", 7);
    append_borrowed(&borrowed, bytes, 8);
    h2_chunks_clear(&chunks);
    assert_string_equal(bytes, "borrowed");
}

static void bytes_behind_a_file_get_a_chunk_of_their_own(void **state)
{
    h2_chunk *range = calloc(1, sizeof(*range));

    (void)state;
    range->descriptor = make_file(10);
    range->length = 10;
    range->is_malloced = 1;
    h2_chunks_append(&chunks, range);
    add(pattern + 10, 5);
    assert_int_equal(count_chunks(), 2);
    assert_reads(pattern, 15);
}

static void the_oldest_is_popped_first_and_belongs_to_the_caller(void **state)
{
    h2_chunk *first, *second;

    (void)state;
    add(pattern, MOST_BYTES);
    add(pattern + MOST_BYTES, 10);
    first = h2_chunks_pop(&chunks);
    assert_int_equal(first->length, MOST_BYTES);
    assert_memory_equal(first->data, pattern, MOST_BYTES);
    assert_int_equal(chunks.total_bytes, 10);
    second = h2_chunks_pop(&chunks);
    assert_int_equal(second->length, 10);
    assert_memory_equal(second->data, pattern + MOST_BYTES, 10);
    assert_is_empty(&chunks);
    h2_chunk_destroy(first);
    h2_chunk_destroy(second);
    h2_chunk_destroy(NULL);
}

static void a_chunk_that_was_read_in_part_is_popped_with_its_rest(void **state)
{
    h2_chunk *chunk;

    (void)state;
    add("abcdef", 6);
    assert_reads("abc", 3);
    chunk = h2_chunks_pop(&chunks);
    assert_int_equal(chunk->length, 3);
    assert_memory_equal(chunk->data, "def", 3);
    assert_is_empty(&chunks);
    h2_chunk_destroy(chunk);
}

static void a_popped_chunk_can_go_on_in_another_queue(void **state)
{
    h2_chunks other;

    (void)state;
    h2_chunks_init(&other);
    add("abcdef", 6);
    assert_reads("ab", 2);
    h2_chunks_append(&other, h2_chunks_pop(&chunks));
    assert_is_empty(&chunks);
    assert_int_equal(other.total_bytes, 4);
    h2_chunks_move(&chunks, &other);
    assert_is_empty(&other);
    add("ghi", 3);
    assert_int_equal(count_chunks(), 1);
    assert_reads("cdefghi", 7);
    assert_is_empty(&chunks);
}

static void moving_keeps_the_order_and_empties_the_source(void **state)
{
    apr_size_t memory_bytes;
    h2_chunks from;

    (void)state;
    h2_chunks_init(&from);
    h2_chunks_add_copy(&from, pattern + 20000, 20000);
    add(pattern, 20000);
    memory_bytes = chunks.memory_bytes + from.memory_bytes;
    h2_chunks_move(&chunks, &from);
    assert_is_empty(&from);
    assert_int_equal(chunks.total_bytes, 40000);
    assert_int_equal(chunks.memory_bytes, memory_bytes);
    assert_reads(pattern, 40000);
    assert_is_empty(&chunks);
}

static void moving_from_or_to_an_empty_queue_is_the_same(void **state)
{
    h2_chunks other;

    (void)state;
    h2_chunks_init(&other);
    h2_chunks_move(&chunks, &other);
    assert_is_empty(&chunks);
    add("abc", 3);
    h2_chunks_move(&chunks, &other);
    assert_int_equal(chunks.total_bytes, 3);
    h2_chunks_move(&other, &chunks);
    assert_is_empty(&chunks);
    assert_int_equal(other.total_bytes, 3);
    h2_chunks_clear(&other);
    assert_is_empty(&other);
}

static void a_chunk_without_bytes_holds_up_nothing(void **state)
{
    static h2_chunk nothing[2];

    (void)state;
    append_borrowed(&nothing[0], "", 0);
    add("abc", 3);
    append_borrowed(&nothing[1], "", 0);
    add("def", 3);
    assert_reads("abcdef", 6);
    assert_is_empty(&chunks);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_queue_is_empty),
        TEST(a_copy_of_nothing_adds_no_chunk),
        TEST(small_copies_share_a_chunk_until_it_is_full),
        TEST(a_large_copy_is_cut_into_chunks_of_a_frame),
        TEST(pieces_of_any_size_give_the_same_bytes),
        TEST(reading_nothing_takes_nothing),
        TEST(a_chunk_that_was_read_in_part_takes_more_bytes_behind_its_rest),
        TEST(memory_counts_bytes_and_overhead_but_no_files),
        TEST(a_range_of_a_file_is_read_where_it_lies),
        TEST(the_position_of_the_file_stays),
        TEST(a_range_may_lie_beyond_4_gib),
        TEST(memory_and_files_come_in_their_order),
        TEST(a_file_that_has_become_shorter_is_an_end),
        TEST(a_file_that_cannot_be_read_is_an_error),
        TEST(borrowed_bytes_are_neither_written_nor_freed),
        TEST(bytes_behind_a_file_get_a_chunk_of_their_own),
        TEST(the_oldest_is_popped_first_and_belongs_to_the_caller),
        TEST(a_chunk_that_was_read_in_part_is_popped_with_its_rest),
        TEST(a_popped_chunk_can_go_on_in_another_queue),
        TEST(moving_keeps_the_order_and_empties_the_source),
        TEST(moving_from_or_to_an_empty_queue_is_the_same),
        TEST(a_chunk_without_bytes_holds_up_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
