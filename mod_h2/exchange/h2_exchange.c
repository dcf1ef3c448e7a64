#include "exchange/h2_exchange.h"

void h2_exchange_init(h2_exchange *exchange)
{
    memset(exchange, 0, sizeof(*exchange));
    h2_chunks_init(&exchange->in);
    h2_chunks_init(&exchange->out);
}

void h2_exchange_wake(h2_exchange *exchange)
{
    exchange->is_woken = 1;
    if (exchange->waiter) {
        apr_thread_cond_signal(exchange->waiter);
    }
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

void h2_exchange_abort(h2_exchange *exchange)
{
    exchange->is_aborted = 1;
    h2_exchange_wake(exchange);
}

void h2_exchange_clear(h2_exchange *exchange)
{
    h2_chunks_clear(&exchange->in);
    h2_chunks_clear(&exchange->out);
}
