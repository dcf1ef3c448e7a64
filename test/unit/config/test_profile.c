/* config/h2_profile.c: the sets of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "config/h2_profile.h"

static void a_profile_is_found_by_its_name_in_any_case(void **state)
{
    (void)state;
    assert_string_equal(h2_profile_find("balanced")->name, "balanced");
    assert_ptr_equal(h2_profile_find("BALANCED"), h2_profile_find("Balanced"));
    assert_null(h2_profile_find(""));
    assert_null(h2_profile_find("none"));
    assert_null(h2_profile_find("balanced "));
}

static void each_profile_has_the_documented_values(void **state)
{
    static const h2_profile expected[] = {
        {"conservative",     100, 65535,   16384, 65536,  4,  32},
        {"balanced",         128, 262144,  16384, 131072, 8,  64},
        {"high-concurrency", 256, 1048576, 32768, 262144, 32, 256},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); ++i) {
        const h2_profile *found = h2_profile_find(expected[i].name);

        assert_int_equal(found->max_session_streams, expected[i].max_session_streams);
        assert_int_equal(found->window_bytes, expected[i].window_bytes);
        assert_int_equal(found->max_frame_bytes, expected[i].max_frame_bytes);
        assert_int_equal(found->stream_mem_bytes, expected[i].stream_mem_bytes);
        assert_int_equal(found->min_workers, expected[i].min_workers);
        assert_int_equal(found->max_workers, expected[i].max_workers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_found_by_its_name_in_any_case),
        cmocka_unit_test(each_profile_has_the_documented_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
