/* base/h2_blocks.c: blocks of memory that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/h2_blocks.h"

static h2_blocks blocks;

static int setup(void **state)
{
    (void)state;
    memset(&blocks, 0, sizeof(blocks));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_blocks_clear(&blocks);
    assert_int_equal(blocks.kept_bytes, 0);
    return 0;
}

static void a_block_of_each_size_can_be_written(void **state)
{
    size_t size;

    (void)state;
    for (size = 0; size < 2 * H2_BLOCK_BYTES_MAX; size += 13) {
        void *memory = h2_blocks_alloc(&blocks, size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        memset(memory, 0xaa, size);
        h2_blocks_free(&blocks, memory);
    }
}

static void blocks_in_use_do_not_overlap(void **state)
{
    enum { COUNT = 200 };
    unsigned char *memory[COUNT];
    int i, round;

    (void)state;
    for (round = 0; round < 3; ++round) {
        for (i = 0; i < COUNT; ++i) {
            memory[i] = h2_blocks_alloc(&blocks, (apr_size_t)i * 10 + 1);
            memset(memory[i], i, (size_t)i * 10 + 1);
        }
        for (i = 0; i < COUNT; ++i) {
            assert_int_equal(memory[i][0], i);
            assert_int_equal(memory[i][i * 10], i);
            h2_blocks_free(&blocks, memory[i]);
        }
    }
}

static void what_is_kept_has_a_bound(void **state)
{
    enum { COUNT = 1000 };
    void *memory[COUNT];
    int i;

    (void)state;
    for (i = 0; i < COUNT; ++i) {
        memory[i] = h2_blocks_alloc(&blocks, H2_BLOCK_BYTES_MAX);
    }
    for (i = 0; i < COUNT; ++i) {
        h2_blocks_free(&blocks, memory[i]);
        assert_true(blocks.kept_bytes <= H2_BLOCKS_KEPT_BYTES);
    }
}

static void without_a_list_it_is_malloc(void **state)
{
    void *memory = h2_blocks_alloc(NULL, 100);

    (void)state;
    assert_non_null(memory);
    h2_blocks_free(&blocks, memory); /* to another one than it came from */
    memory = h2_blocks_alloc(&blocks, 100);
    h2_blocks_free(NULL, memory);
    h2_blocks_free(NULL, NULL);
    h2_blocks_free(&blocks, NULL);
}

static void another_size_keeps_the_content(void **state)
{
    static const size_t sizes[] = {1, 64, 65, 3000, 5000, 100, 2048, 2049, 10};
    unsigned char *memory = NULL;
    size_t i, k, had = 0;

    (void)state;
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); ++i) {
        memory = h2_blocks_realloc(&blocks, memory, sizes[i]);
        assert_non_null(memory);
        for (k = 0; k < had && k < sizes[i]; ++k) {
            assert_int_equal(memory[k], k % 251);
        }
        for (k = 0; k < sizes[i]; ++k) {
            memory[k] = (unsigned char)(k % 251);
        }
        had = sizes[i];
    }
    h2_blocks_free(&blocks, memory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_block_of_each_size_can_be_written),
        TEST(blocks_in_use_do_not_overlap),
        TEST(what_is_kept_has_a_bound),
        TEST(without_a_list_it_is_malloc),
        TEST(another_size_keeps_the_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
