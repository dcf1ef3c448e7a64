/* message/h2_server_timing.c: the text of Server-Timing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "message/h2_server_timing.h"

static void durations_are_milliseconds(void **state)
{
    char text[H2_SERVER_TIMING_BYTES];

    (void)state;
    h2_server_timing_of_head(text, 7, 1234567);
    assert_string_equal(text, "h2-wait;dur=0.007;desc=\"waited for a thread\", "
                              "h2-run;dur=1234.567;desc=\"ran until the head\"");
    h2_server_timing_of_end(text, 1000, 20, 300);
    assert_string_equal(text, "h2-total;dur=1.000, h2-blocked;dur=0.020;desc=\"by flow control\", "
                              "h2-run;dur=0.300");
}

static void none_is_below_0(void **state)
{
    char text[H2_SERVER_TIMING_BYTES];

    (void)state;
    h2_server_timing_of_end(text, -1, -1000000, 0);
    assert_string_equal(text, "h2-total;dur=0.000, h2-blocked;dur=0.000;desc=\"by flow control\", "
                              "h2-run;dur=0.000");
}

static void any_duration_has_room(void **state)
{
    char text[H2_SERVER_TIMING_BYTES];

    (void)state;
    h2_server_timing_of_head(text, APR_INT64_MAX, APR_INT64_MAX);
    assert_string_equal(strrchr(text, '='), "=\"ran until the head\"");
    h2_server_timing_of_end(text, APR_INT64_MAX, APR_INT64_MAX, APR_INT64_MAX);
    assert_string_equal(strrchr(text, '='), "=9223372036854775.807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_milliseconds),
        cmocka_unit_test(none_is_below_0),
        cmocka_unit_test(any_duration_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
