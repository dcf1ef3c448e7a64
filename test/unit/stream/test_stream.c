/* stream/h2_stream.c: how far one exchange of messages has come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "stream/h2_stream.h"

#define STATES  5
#define EVENTS  4
#define REFUSED (-1)

static h2_stream *stream;
static h2_response response;

static int setup(void **state)
{
    (void)state;
    stream = h2_stream_create(NULL, 3, NULL);
    return stream ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    h2_stream_destroy(stream, NULL);
    return 0;
}

#define WAITING  H2_STREAM_WAITING
#define RUNNING  H2_STREAM_RUNNING
#define FINISHED H2_STREAM_FINISHED
#define DROPPED  H2_STREAM_DROPPED

/* After HEAD_COMPLETE, STARTED, FINISHED and CLOSED, in each state. */
static const int after[STATES][EVENTS] = {
    [H2_STREAM_HEAD] = {WAITING, REFUSED, REFUSED, DROPPED},
    [H2_STREAM_WAITING] = {REFUSED, RUNNING, REFUSED, DROPPED},
    [H2_STREAM_RUNNING] = {REFUSED, REFUSED, FINISHED, RUNNING},
    [H2_STREAM_FINISHED] = {REFUSED, REFUSED, REFUSED, FINISHED},
    [H2_STREAM_DROPPED] = {REFUSED, REFUSED, REFUSED, DROPPED},
};

static void every_event_in_every_state_leads_where_the_table_says(void **state)
{
    int from, event;

    (void)state;
    for (from = 0; from < STATES; ++from) {
        for (event = 0; event < EVENTS; ++event) {
            assert_int_equal(h2_stream_state_after((h2_stream_state)from, (h2_stream_event)event),
                             after[from][event]);
        }
    }
}

static void a_value_that_is_no_event_is_refused(void **state)
{
    int from;

    (void)state;
    for (from = 0; from < STATES; ++from) {
        assert_int_equal(h2_stream_state_after((h2_stream_state)from, (h2_stream_event)EVENTS), -1);
    }
    assert_int_equal(h2_stream_state_after((h2_stream_state)STATES, H2_STREAM_EV_CLOSED), -1);
}

static void a_new_stream_waits_for_its_head(void **state)
{
    (void)state;
    assert_int_equal(stream->id, 3);
    assert_int_equal(stream->state, H2_STREAM_HEAD);
    assert_null(stream->head);
    assert_null(stream->trailers);
    assert_false(stream->is_waiting || stream->is_sending || stream->is_closed);
    assert_false(h2_stream_has_output(stream));
    assert_false(h2_stream_has_data(stream));
}

static void a_request_goes_all_its_way(void **state)
{
    (void)state;
    h2_stream_advance(stream, H2_STREAM_EV_HEAD_COMPLETE);
    assert_int_equal(stream->state, H2_STREAM_WAITING);
    h2_stream_advance(stream, H2_STREAM_EV_STARTED);
    assert_int_equal(stream->state, H2_STREAM_RUNNING);
    h2_stream_advance(stream, H2_STREAM_EV_FINISHED);
    assert_int_equal(stream->state, H2_STREAM_FINISHED);
    h2_stream_advance(stream, H2_STREAM_EV_CLOSED);
    assert_int_equal(stream->state, H2_STREAM_FINISHED);
}

static void reset_stream_never_starts(void **state)
{
    (void)state;
    h2_stream_advance(stream, H2_STREAM_EV_HEAD_COMPLETE);
    h2_stream_advance(stream, H2_STREAM_EV_CLOSED);
    assert_int_equal(stream->state, H2_STREAM_DROPPED);
    assert_int_equal(h2_stream_state_after(stream->state, H2_STREAM_EV_STARTED), -1);
}

static void a_reset_while_it_runs_leaves_it_to_its_runner(void **state)
{
    (void)state;
    h2_stream_advance(stream, H2_STREAM_EV_HEAD_COMPLETE);
    h2_stream_advance(stream, H2_STREAM_EV_STARTED);
    h2_stream_advance(stream, H2_STREAM_EV_CLOSED);
    assert_int_equal(stream->state, H2_STREAM_RUNNING);
    h2_stream_advance(stream, H2_STREAM_EV_FINISHED);
    assert_int_equal(stream->state, H2_STREAM_FINISHED);
}

static void an_event_out_of_turn_is_our_mistake_and_asserted(void **state)
{
    (void)state;
#ifdef H2_DEBUG
    expect_assert_failure(h2_stream_advance(stream, H2_STREAM_EV_STARTED));
    expect_assert_failure(h2_stream_advance(stream, H2_STREAM_EV_FINISHED));
    assert_int_equal(stream->state, H2_STREAM_HEAD);
#else
    skip();
#endif
}

static void a_stream_that_is_in_a_list_or_runs_is_not_destroyed(void **state)
{
    (void)state;
#ifdef H2_DEBUG
    stream->is_waiting = 1;
    expect_assert_failure(h2_stream_destroy(stream, NULL));
    stream->is_waiting = 0;
    stream->is_sending = 1;
    expect_assert_failure(h2_stream_destroy(stream, NULL));
    stream->is_sending = 0;
    stream->exchange.is_running = 1;
    expect_assert_failure(h2_stream_destroy(stream, NULL));
    stream->exchange.is_running = 0;
#else
    skip();
#endif
}

static void its_heads_and_its_chunks_are_freed_with_it(void **state)
{
    (void)state;
    stream->head = h2_head_create(NULL);
    stream->trailers = h2_head_create(NULL);
    h2_chunks_add_copy(&stream->exchange.in, "abc", 3);
    h2_chunks_add_copy(&stream->exchange.out, "abc", 3);
    /* LeakSanitizer says whether that is so. */
}

static void an_interim_response_is_output(void **state)
{
    (void)state;
    stream->exchange.out_interim = &response;
    assert_true(h2_stream_has_output(stream));
    assert_false(h2_stream_has_data(stream));
}

static void a_head_is_output_until_it_is_submitted(void **state)
{
    (void)state;
    stream->exchange.out_response = &response;
    assert_true(h2_stream_has_output(stream));
    stream->is_head_submitted = 1;
    assert_false(h2_stream_has_output(stream));
}

static void body_bytes_are_output_and_data(void **state)
{
    (void)state;
    stream->is_head_submitted = 1;
    h2_chunks_add_copy(&stream->exchange.out, "abc", 3);
    assert_true(h2_stream_has_output(stream));
    assert_true(h2_stream_has_data(stream));
    h2_chunks_clear(&stream->exchange.out);
    assert_false(h2_stream_has_output(stream));
}

static void an_end_is_output_without_data(void **state)
{
    (void)state;
    stream->is_head_submitted = 1;
    stream->exchange.out_is_ended = 1;
    assert_true(h2_stream_has_output(stream));
    assert_false(h2_stream_has_data(stream));
    stream->exchange.out_is_ended = 0;
    stream->exchange.out_is_failed = 1;
    assert_true(h2_stream_has_output(stream));
}

static void the_body_of_the_request_is_no_output(void **state)
{
    (void)state;
    h2_chunks_add_copy(&stream->exchange.in, "abc", 3);
    stream->exchange.in_is_ended = 1;
    assert_false(h2_stream_has_output(stream));
    assert_false(h2_stream_has_data(stream));
}

static void give_all_kinds_of_output(void)
{
    stream->exchange.out_interim = &response;
    stream->exchange.out_response = &response;
    h2_chunks_add_copy(&stream->exchange.out, "abc", 3);
    stream->exchange.out_is_ended = 1;
    stream->exchange.out_is_failed = 1;
}

static void a_closed_stream_has_no_output(void **state)
{
    (void)state;
    give_all_kinds_of_output();
    assert_true(h2_stream_has_output(stream));
    stream->is_closed = 1;
    assert_false(h2_stream_has_output(stream));
}

static void nothing_comes_after_the_end_of_stream(void **state)
{
    (void)state;
    give_all_kinds_of_output();
    stream->is_end_sent = 1;
    assert_false(h2_stream_has_output(stream));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_event_in_every_state_leads_where_the_table_says),
        TEST(a_value_that_is_no_event_is_refused),
        TEST(a_new_stream_waits_for_its_head),
        TEST(a_request_goes_all_its_way),
        TEST(reset_stream_never_starts),
        TEST(a_reset_while_it_runs_leaves_it_to_its_runner),
        TEST(an_event_out_of_turn_is_our_mistake_and_asserted),
        TEST(a_stream_that_is_in_a_list_or_runs_is_not_destroyed),
        TEST(its_heads_and_its_chunks_are_freed_with_it),
        TEST(an_interim_response_is_output),
        TEST(a_head_is_output_until_it_is_submitted),
        TEST(body_bytes_are_output_and_data),
        TEST(an_end_is_output_without_data),
        TEST(the_body_of_the_request_is_no_output),
        TEST(a_closed_stream_has_no_output),
        TEST(nothing_comes_after_the_end_of_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
