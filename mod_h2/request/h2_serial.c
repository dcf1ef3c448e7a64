#include "request/h2_serial.h"

#include <string.h>

#include "message/h2_websocket.h"

static void write_field(apr_bucket_brigade *bb, const char *name, const char *value)
{
    apr_brigade_putstrs(bb, NULL, NULL, name, ": ", value, CRLF, NULL);
}

/* The crumbs of a cookie in one field, RFC 9113, 8.2.3. */
static void write_cookie(apr_bucket_brigade *bb, const h2_head *head)
{
    const char *separator = "cookie: ";
    int i, count = h2_head_count(head);

    for (i = 0; i < count; ++i) {
        h2_field field = h2_head_field(head, i);

        if (!strcmp(field.name, "cookie")) {
            apr_brigade_putstrs(bb, NULL, NULL, separator, field.value, NULL);
            separator = "; ";
        }
    }
    if (*separator == ';') {
        apr_brigade_puts(bb, NULL, NULL, CRLF);
    }
}

void h2_serial_write(h2_context *context, const char *target)
{
    const h2_head *head = context->exchange->head;
    const char *authority = h2_head_authority(head);
    apr_bucket_brigade *bb = apr_brigade_create(context->pool, context->bucket_alloc);
    int i, count = h2_head_count(head), has_host = authority && *authority;

    apr_brigade_putstrs(bb, NULL, NULL, context->tunnel ? "GET" : h2_head_method(head), " ", target,
                        " HTTP/2.0" CRLF, NULL);
    if (has_host) {
        write_field(bb, "Host", authority);
    }
    for (i = 0; i < count; ++i) {
        h2_field field = h2_head_field(head, i);

        if (strcmp(field.name, "cookie") && (!has_host || strcmp(field.name, "host"))
            && !(context->tunnel && h2_websocket_drops(field.name))) {
            write_field(bb, field.name, field.value);
        }
    }
    write_cookie(bb, head);
    apr_brigade_puts(bb, NULL, NULL, CRLF);
    context->body = bb;
}
