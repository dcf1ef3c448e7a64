#include "exchange/h2_exchange.h"

/* What a pair of sockets is filled with; the send buffer of its near end is the kernel's smallest,
 * a few KiB. */
#define H2_EXCHANGE_FILLING_BYTES 1024

void h2_exchange_init(h2_exchange *exchange)
{
    memset(exchange, 0, sizeof(*exchange));
    h2_chunks_init(&exchange->in);
    h2_chunks_init(&exchange->out);
}

void h2_exchange_choke(h2_exchange *exchange, apr_off_t room_bytes)
{
    static const char filling[H2_EXCHANGE_FILLING_BYTES];
    apr_status_t rv = APR_SUCCESS;

    exchange->room_bytes = room_bytes;
    while (!exchange->is_choked && rv == APR_SUCCESS) {
        apr_size_t length = sizeof(filling);

        rv = apr_file_write(exchange->signal_in, filling, &length);
    }
    exchange->is_choked = 1;
}

static void unchoke(h2_exchange *exchange)
{
    char filling[H2_EXCHANGE_FILLING_BYTES];
    apr_size_t length;

    exchange->is_choked = 0;
    do {
        length = sizeof(filling);
    } while (apr_file_read(exchange->signal_out, filling, &length) == APR_SUCCESS && length);
}

static void wake_waiter(h2_exchange *exchange)
{
    exchange->is_woken = 1;
    if (exchange->waiter) {
        apr_thread_cond_signal(exchange->waiter);
    }
}

void h2_exchange_note_room(h2_exchange *exchange)
{
    wake_waiter(exchange);
    if (exchange->is_choked
        && (apr_off_t)exchange->out.memory_bytes <= exchange->room_bytes) {
        unchoke(exchange);
    }
}

void h2_exchange_wake(h2_exchange *exchange)
{
    wake_waiter(exchange);
    if (exchange->signal_out && !exchange->is_signalled) {
        apr_size_t length = 1;

        exchange->is_signalled = (apr_file_write(exchange->signal_out, "", &length)
                                  == APR_SUCCESS);
    }
}

void h2_exchange_settle(h2_exchange *exchange)
{
    if (exchange->is_signalled) {
        char byte;
        apr_size_t length = 1;

        apr_file_read(exchange->signal_in, &byte, &length);
        exchange->is_signalled = 0;
    }
}

void h2_exchange_drop_signals(h2_exchange *exchange)
{
    exchange->signal_in = NULL;
    exchange->signal_out = NULL;
    exchange->is_choked = 0;
}

void h2_exchange_abort(h2_exchange *exchange)
{
    exchange->is_aborted = 1;
    if (exchange->is_choked) {
        unchoke(exchange);
    }
    h2_exchange_wake(exchange);
}

void h2_exchange_clear(h2_exchange *exchange)
{
    h2_chunks_clear(&exchange->in);
    h2_chunks_clear(&exchange->out);
}
