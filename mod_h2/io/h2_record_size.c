#include "io/h2_record_size.h"

void h2_record_size_init(h2_record_size *size, apr_off_t warm_up_bytes,
                         apr_interval_time_t cool_down)
{
    size->warm_up_bytes = warm_up_bytes;
    size->cool_down = cool_down;
    size->sent_bytes = 0;
    size->last_write = 0;
}

static int has_cooled_down(const h2_record_size *size, apr_time_t now)
{
    return size->cool_down > 0 && now - size->last_write >= size->cool_down;
}

apr_size_t h2_record_size_next(h2_record_size *size, apr_time_t now)
{
    if (has_cooled_down(size, now)) {
        size->sent_bytes = 0;
    }
    return size->sent_bytes < size->warm_up_bytes ? H2_RECORD_SMALL_BYTES : H2_RECORD_LARGE_BYTES;
}

void h2_record_size_wrote(h2_record_size *size, apr_size_t bytes, apr_time_t now)
{
    apr_off_t missing = size->warm_up_bytes - size->sent_bytes;

    /* No further than the warm-up's end, so that no connection's age overflows it. */
    size->sent_bytes += (apr_uint64_t)bytes < (apr_uint64_t)missing ? (apr_off_t)bytes : missing;
    size->last_write = now;
}
