#include "exchange/h2_exchange.h"

void h2_exchange_init(h2_exchange *exchange)
{
    memset(exchange, 0, sizeof(*exchange));
    h2_chunks_init(&exchange->in);
    h2_chunks_init(&exchange->out);
}

void h2_exchange_wake(h2_exchange *exchange)
{
    if (exchange->waiter) {
        apr_thread_cond_signal(exchange->waiter);
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
