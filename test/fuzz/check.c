#include "check.h"

#include "fuzz.h"
#include "session/h2_pack.h"

static int has_output(const h2_node *node)
{
    return node->stream && node->stream->is_sending;
}

static int has_eager_child(const h2_node *node)
{
    return !APR_RING_EMPTY(&node->eager, h2_node, eager_link);
}

static void check_eager(const h2_node *parent)
{
    const h2_node *node, *before = NULL;
    apr_uint64_t weight = 0;

    APR_RING_FOREACH(node, &parent->eager, h2_node, eager_link) {
        FUZZ_CHECK(node->parent == parent);
        FUZZ_CHECK(node->is_eager);
        FUZZ_CHECK(has_output(node) || has_eager_child(node));
        FUZZ_CHECK(!before || before->due <= node->due);
        before = node;
        weight += (apr_uint64_t)node->weight;
    }
    FUZZ_CHECK(weight == parent->eager_weight);
}

static int check_below(const h2_node *parent, int depth)
{
    const h2_node *node;
    int sending = 0;

    FUZZ_CHECK(depth < 20000); /* no circle */
    check_eager(parent);
    APR_RING_FOREACH(node, &parent->children, h2_node, link) {
        FUZZ_CHECK(node->parent == parent);
        FUZZ_CHECK(node->weight >= H2_WEIGHT_MIN && node->weight <= H2_WEIGHT_MAX);
        FUZZ_CHECK(node->is_eager == (has_output(node) || has_eager_child(node)));
        sending += has_output(node) + check_below(node, depth + 1);
    }
    return sending;
}

int check_tree(const h2_node *root)
{
    FUZZ_CHECK(!root->parent);
    return check_below(root, 0);
}

void check_scheduler(const h2_scheduler *scheduler)
{
    int i, sending = 0;

    for (i = 0; i <= H2_URGENCY_MAX; ++i) {
        if (scheduler->urgencies[i]) {
            FUZZ_CHECK(i >= scheduler->most_urgent);
            FUZZ_CHECK(scheduler->urgencies[i]->sequence.parent == &scheduler->urgencies[i]->root);
            sending += check_tree(&scheduler->urgencies[i]->root);
        }
    }
    FUZZ_CHECK(sending == scheduler->count);
    FUZZ_CHECK((h2_scheduler_next(scheduler) != NULL) == (sending > 0));
}

/* Counts it in what the session says to have. */
typedef struct counts {
    int all, open, pushed, running, waiting;
    apr_size_t widened, unread;
} counts;

static void check_stream(const h2_session *session, const h2_stream *stream,
                         check_is_woken *is_woken, counts *seen)
{
    const h2_exchange *exchange = &stream->exchange;

    FUZZ_CHECK(stream->session == session);
    FUZZ_CHECK(stream->id > 0);
    FUZZ_CHECK((stream->id % 2 == 0) == (stream->pushed_on != 0));
    FUZZ_CHECK(!stream->is_closed || (!stream->is_waiting && !stream->is_sending));
    FUZZ_CHECK(stream->is_closed == (stream->node.parent == NULL));
    FUZZ_CHECK(stream->is_waiting == (stream->state == H2_STREAM_WAITING && !stream->is_rejected));
    FUZZ_CHECK(stream->exchange.is_running == (stream->state == H2_STREAM_RUNNING));
    FUZZ_CHECK(!stream->is_closed || stream->state != H2_STREAM_HEAD);
    FUZZ_CHECK(!stream->is_closed || !stream->in_unread_bytes || stream->is_tunnel);
    FUZZ_CHECK(stream->in_bytes >= (apr_off_t)stream->in_unread_bytes);
    FUZZ_CHECK(!stream->is_closed || exchange->is_aborted || stream->is_tunnel);
    FUZZ_CHECK(!exchange->is_aborted || !exchange->waiter || is_woken(exchange->waiter));
    ++seen->all;
    seen->open += !stream->is_closed;
    seen->pushed += !stream->is_closed && stream->pushed_on;
    seen->running += stream->exchange.is_running;
    seen->waiting += stream->is_waiting;
    seen->unread += stream->in_unread_bytes;
    seen->widened += stream->is_closed ? 0 : stream->widened_bytes;
}

static void check_waiting(const h2_session *session, int expected)
{
    const h2_stream *stream;
    int count = 0;

    APR_RING_FOREACH(stream, &session->waiting, h2_stream, wait_link) {
        FUZZ_CHECK(stream->is_waiting);
        ++count;
    }
    FUZZ_CHECK(count == expected);
}

void check_session(const h2_session *session, check_is_woken *is_woken)
{
    const h2_stream *stream;
    counts seen = {0};

    if (!session || !session->ngh2) {
        return;
    }
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        check_stream(session, stream, is_woken, &seen);
    }
    FUZZ_CHECK(seen.all == session->count.all);
    FUZZ_CHECK(seen.open == session->count.open);
    FUZZ_CHECK(seen.pushed == session->count.pushed);
    FUZZ_CHECK(seen.running == session->count.running);
    FUZZ_CHECK(seen.widened == session->in.widened_bytes);
    check_waiting(session, seen.waiting);
    FUZZ_CHECK(session->count.open - session->count.pushed <= session->conf->max_session_streams);
    FUZZ_CHECK(session->count.pushed <= session->conf->max_session_streams);
    FUZZ_CHECK(session->count.all - session->count.pushed
               <= 3 * session->conf->max_session_streams + 1);
    FUZZ_CHECK(session->count.running <= session->running_max + 1);
    FUZZ_CHECK(session->count.tunnels >= 0 && session->count.tunnels <= session->running_max);
    FUZZ_CHECK(session->count.ending >= 0 && session->count.enders >= 0);
    FUZZ_CHECK(session->out.used <= H2_SESSION_PACK_BYTES);
    FUZZ_CHECK(session->io.pending_end - session->io.pending_start <= H2_LOOP_SCRATCH_BYTES);
    FUZZ_CHECK(session->state == H2_SESSION_CLOSING || !session->io.is_broken);
    check_scheduler(&session->scheduler);
}
