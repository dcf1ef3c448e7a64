#include "stats/h2_report.h"

#include <string.h>

#include "stats/h2_shared.h"

/* So long after a question reports are made, so that a page that is read again has new ones. */
#define ASKED_USEC (10 * APR_USEC_PER_SEC)

/* A question waits so long for reports, and looks so often; and is content with one of this age, as
 * loops make one a second while they are asked. */
#define WAIT_USEC (1200 * (apr_interval_time_t)1000)
#define LOOK_USEC (20 * (apr_interval_time_t)1000)
#define FRESH_USEC (1500 * (apr_interval_time_t)1000)

typedef struct guarded_loop {
    h2_shared_guard guard;
    h2_loop_report report;
} guarded_loop;

typedef struct guarded_connection {
    h2_shared_guard guard;
    h2_connection_report report;
} guarded_connection;

/* What the segment begins with; then the connections of the slots, then the loops of each. */
typedef struct board {
    _Atomic(apr_int64_t) asked_until;   /* apr_time_now() */
    _Atomic(apr_int64_t) connection_id; /* asked for; 0: none */
    int slot_count;                     /* fixed, as what follows */
    int loop_count;
    guarded_connection *connections;
    guarded_loop *loops;
} board;

/* Fixed in a child. NULL: none. */
static board *the_board;

int h2_report_create(server_rec *s, int slot_count, int loop_count)
{
    apr_size_t slots = (apr_size_t)slot_count;
    apr_size_t bytes = sizeof(board) + slots * sizeof(guarded_connection)
                       + slots * (apr_size_t)loop_count * sizeof(guarded_loop);
    int is_new;

    the_board = h2_shared_create(s, "mod_h2-reports", bytes, &is_new);
    if (the_board && is_new) {
        the_board->slot_count = slot_count;
        the_board->loop_count = loop_count;
        the_board->connections = (guarded_connection *)(the_board + 1);
        the_board->loops = (guarded_loop *)(the_board->connections + slots);
    }
    return the_board != NULL;
}

static guarded_loop *loop_of(int slot, int loop)
{
    return &the_board->loops[slot * the_board->loop_count + loop];
}

void h2_report_begin(int slot)
{
    int i;

    for (i = 0; the_board && i < the_board->loop_count; ++i) {
        guarded_loop *place = loop_of(slot, i);
        apr_time_t never = 0;

        h2_shared_reset(&place->guard);
        h2_shared_put(&place->guard, &place->report.made, &never, sizeof(never));
    }
    if (the_board) {
        h2_shared_reset(&the_board->connections[slot].guard);
    }
}

int h2_report_is_asked(apr_time_t wall, apr_int64_t *pconnection_id)
{
    apr_time_t until = the_board ? atomic_load(&the_board->asked_until) : 0;

    if (wall >= until || until - wall > ASKED_USEC) { /* or the clock was set back */
        return 0;
    }
    *pconnection_id = atomic_load(&the_board->connection_id);
    return 1;
}

void h2_report_put_loop(int slot, int loop, const h2_loop_report *report)
{
    if (the_board && loop < the_board->loop_count) {
        guarded_loop *place = loop_of(slot, loop);

        h2_shared_put(&place->guard, &place->report, report, sizeof(*report));
    }
}

void h2_report_put_connection(int slot, const h2_connection_report *report)
{
    if (the_board) {
        guarded_connection *place = &the_board->connections[slot];

        h2_shared_put(&place->guard, &place->report, report, sizeof(*report));
    }
}

/* Has each loop that has connections made a report since then? */
static int are_reports_since(apr_time_t since)
{
    int i, k, count, loop_count;
    const h2_stats_slot *slots = h2_stats_slots(&count, &loop_count);

    for (i = 0; i < count && i < the_board->slot_count; ++i) {
        for (k = 0; k < loop_count; ++k) {
            apr_time_t made;

            if (atomic_load(&slots[i].pid) > 0
                && h2_stats_gauge_of_loop(&slots[i], k, H2_GAUGE_SESSIONS)
                && h2_shared_get(&loop_of(i, k)->guard, &made, &loop_of(i, k)->report.made,
                                 sizeof(made))
                && made < since) {
                return 0;
            }
        }
    }
    return 1;
}

/* The report of the connection, if there is one since then; NULL: there is none. */
static const guarded_connection *find_connection(apr_int64_t id, apr_time_t since)
{
    int i;

    for (i = 0; i < the_board->slot_count; ++i) {
        const guarded_connection *place = &the_board->connections[i];
        apr_int64_t begin[2]; /* made and session.id */

        if (h2_shared_get(&place->guard, begin, &place->report, sizeof(begin)) && begin[1] == id
            && begin[0] >= since) {
            return place;
        }
    }
    return NULL;
}

void h2_report_ask(apr_int64_t connection_id)
{
    apr_time_t now = apr_time_now(), until = now + WAIT_USEC;

    if (!the_board) {
        return;
    }
    if (connection_id || now >= atomic_load(&the_board->asked_until)) {
        /* Else somebody looks at another one. */
        atomic_store(&the_board->connection_id, connection_id);
    }
    atomic_store(&the_board->asked_until, now + ASKED_USEC);
    while (apr_time_now() < until
           && (!are_reports_since(now - FRESH_USEC)
               || (connection_id && !find_connection(connection_id, now - FRESH_USEC)))) {
        apr_sleep(LOOK_USEC);
    }
}

int h2_report_get_loop(int slot, int loop, h2_loop_report *report)
{
    const guarded_loop *place;

    if (!the_board || slot >= the_board->slot_count || loop >= the_board->loop_count) {
        return 0;
    }
    place = loop_of(slot, loop);
    return h2_shared_get(&place->guard, report, &place->report, sizeof(*report)) && report->made;
}

int h2_report_get_connection(apr_int64_t connection_id, h2_connection_report *report)
{
    const guarded_connection *place = NULL;

    if (the_board) {
        place = find_connection(connection_id, apr_time_now() - 2 * FRESH_USEC);
    }
    return place && h2_shared_get(&place->guard, report, &place->report, sizeof(*report))
           && report->session.id == connection_id;
}
