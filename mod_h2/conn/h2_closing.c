#include "conn/h2_closing.h"

#include <http_connection.h>

#include "session/h2_timers.h"

/* How long we read away what a client sends after our end: closing a socket with
 * unread bytes resets it, and the client loses what it has not read yet. */
#define H2_LINGER_USEC (2 * APR_USEC_PER_SEC)

/* The MPM's thread that has handed us the connection writes two more fields of
 * it after our hook, first c->sbh = NULL. From when that is seen, the other one is
 * written long before this has passed. */
#define H2_BURY_USEC APR_USEC_PER_SEC

/* worker MPM: its thread goes on with the connection, which it closes itself. */
static void give_back(h2_session *session)
{
    h2_loop *loop = session->loop;

    h2_loop_remove(loop, &session->task);
    h2_io_remove_filters(&session->io);
    apr_socket_timeout_set(session->io.socket, session->timeout);
    if (session->io.is_broken) {
        session->c->aborted = 1;
    }
    h2_session_destroy(session);
    session->held.is_over = 1;
    apr_thread_cond_signal(session->held.waiter);
}

/* event MPM: the socket goes now, the memory later. */
static void close_socket(h2_session *session)
{
    h2_loop *loop = session->loop;

    h2_loop_watch(loop, &session->task, 0);
    apr_socket_close(session->io.socket);
    h2_session_destroy(session);
    session->held.is_buried = 1;
    session->held.is_let_go = (session->c->sbh == NULL);
    h2_loop_deadline(loop, &session->task, 0);
    h2_loop_deadline(loop, &session->task, loop->now + H2_BURY_USEC);
    if (loop->is_stopping) {
        h2_loop_ready(loop, &session->task); /* nothing to wait for then */
    }
}

static void shut(h2_session *session)
{
    ap_run_pre_close_connection(session->c);
    h2_io_shutdown(&session->io);
    session->is_shut = 1;
    session->times.linger_until = session->loop->now + H2_LINGER_USEC;
}

void h2_closing_go_on(h2_session *session)
{
    h2_loop_assert_held(session->loop);
    if (session->count.running || session->count.all || session->count.ending) {
        /* Who ends the last one brings us here again. A client that has GOAWAY does not wait for
         * handlers that may be stuck. */
        if (session->count.running && session->state == H2_SESSION_CLOSING) {
            h2_io_cut(&session->io);
        }
        return;
    }
    if (session->held.waiter) {
        give_back(session);
        return;
    }
    if (!session->is_shut && !session->io.is_broken) {
        shut(session);
    }
    if (session->io.is_broken || session->in.is_eof) {
        close_socket(session);
        return;
    }
    h2_session_arm(session);
}

void h2_closing_bury(h2_session *session, int is_due)
{
    h2_loop *loop = session->loop;
    conn_rec *c = session->c;

    h2_loop_assert_held(loop);
    if (loop->is_stopping) { /* its memory goes with the process */
        h2_loop_remove(loop, &session->task);
        return;
    }
    if (!is_due) {
        return;
    }
    if (!session->held.is_let_go) {
        session->held.is_let_go = (c->sbh == NULL);
        h2_loop_deadline(loop, &session->task, loop->now + H2_BURY_USEC);
        return;
    }
    h2_loop_remove(loop, &session->task);
    c->current_thread = NULL;
    apr_pool_destroy(c->pool); /* and session with it */
}
