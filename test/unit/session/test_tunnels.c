/* session/h2_tunnels.c: how many tunnels there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <apr_portable.h>

#include "session/h2_session.h"
#include "session/h2_tunnels.h"

static h2_loop loop;
static h2_stats stats;
static h2_session sessions[4];

static int setup(void **state)
{
    int i;

    (void)state;
    memset(&loop, 0, sizeof(loop));
    loop.stats = &stats;
#ifdef H2_DEBUG
    loop.is_held = 1;
    loop.holder = apr_os_thread_current();
#endif
    memset(sessions, 0, sizeof(sessions));
    for (i = 0; i < 4; ++i) {
        sessions[i].loop = &loop;
    }
    return 0;
}

/* As many as there may be, of a connection with this share of threads. */
static int fill(h2_session *session, int running_max)
{
    int count = 0;

    session->running_max = running_max;
    while (h2_session_enter_tunnel(session)) {
        ++count;
    }
    assert_int_equal(session->count.tunnels, count);
    assert_true(h2_session_has_its_tunnels(session));
    return count;
}

static void empty(h2_session *session)
{
    while (session->count.tunnels) {
        h2_session_leave_tunnel(session);
    }
}

static void a_connection_has_three_quarters_of_its_share(void **state)
{
    static const int cases[][2] = {{1, 1}, {2, 1}, {3, 2}, {4, 3}, {18, 13}, {100, 75}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        assert_int_equal(fill(&sessions[0], cases[i][0]), cases[i][1]);
        empty(&sessions[0]);
    }
}

static void all_connections_together_have_three_quarters_of_the_threads(void **state)
{
    (void)state;
    assert_int_equal(fill(&sessions[0], 10), 7);
    assert_int_equal(fill(&sessions[1], 10), 7);
    assert_int_equal(fill(&sessions[2], 10), 1); /* of 20 threads 15 */
    assert_int_equal(fill(&sessions[3], 10), 0);
    h2_session_leave_tunnel(&sessions[0]);
    assert_false(h2_session_has_its_tunnels(&sessions[3]));
    assert_int_equal(fill(&sessions[3], 10), 1);
    empty(&sessions[0]);
    empty(&sessions[1]);
    empty(&sessions[2]);
    empty(&sessions[3]);
}

static void with_one_thread_there_is_one(void **state)
{
    (void)state;
    assert_int_equal(fill(&sessions[0], 1), 1);
    assert_int_equal(fill(&sessions[1], 1), 0);
    empty(&sessions[0]);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_has_three_quarters_of_its_share),
        TEST(all_connections_together_have_three_quarters_of_the_threads),
        TEST(with_one_thread_there_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
