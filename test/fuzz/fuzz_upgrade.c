/*
 * "Upgrade: h2c": a request of HTTP/1.1, of which conn/h2_upgrade makes stream 1, and the settings
 * of its HTTP2-Settings field. What can be one becomes a connection of the machine.
 *
 * Input: the head of the machine's setup; the value of HTTP2-Settings, the target, the method and
 * other fields' names and values, each with its length; then the machine's events.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_uri.h>

#include "conn/h2_upgrade.h"
#include "machine.h"
#include "standins.h"

#define FIELDS_MAX 8

static char *read_text(fuzz_input *input, apr_pool_t *pool)
{
    size_t length;
    const uint8_t *bytes = fuzz_bytes(input, fuzz_byte(input), &length);
    char *text = fuzz_text(bytes, length), *copy = apr_pstrdup(pool, text), *at;

    for (at = copy; *at; ++at) {
        if (*at == '\r' || *at == '\n') {
            *at = ' '; /* of a field that httpd has read */
        }
    }
    free(text);
    return copy;
}

static request_rec *read_request(fuzz_input *input, apr_pool_t *pool, server_rec *server)
{
    request_rec *r = apr_pcalloc(pool, sizeof(*r));
    unsigned count;

    r->pool = pool;
    r->server = server;
    r->connection = standins_connection(pool, server, 0);
    r->proto_num = HTTP_VERSION(1, 1);
    r->headers_in = apr_table_make(pool, 8);
    apr_table_setn(r->headers_in, "Connection", "Upgrade, HTTP2-Settings");
    apr_table_setn(r->headers_in, "Host", "a.example");
    apr_table_setn(r->headers_in, "HTTP2-Settings", read_text(input, pool));
    r->unparsed_uri = apr_pstrcat(pool, "/", read_text(input, pool), NULL);
    r->method = "GET";
    count = fuzz_byte(input);
    if (count & 0x80) {
        r->unparsed_uri = (char *)"*";
        r->method = "OPTIONS";
    }
    if (count & 0x40) {
        r->method = "HEAD";
        r->header_only = 1;
    }
    for (count %= FIELDS_MAX; count; --count) {
        const char *name = read_text(input, pool);

        if (*name) {
            apr_table_addn(r->headers_in, name, read_text(input, pool));
        }
    }
    apr_uri_parse(pool, r->unparsed_uri, &r->parsed_uri);
    return r;
}

static void check_upgrade(const h2_upgrade *upgrade)
{
    FUZZ_CHECK(upgrade->head && h2_head_method(upgrade->head) && h2_head_path(upgrade->head));
    FUZZ_CHECK(upgrade->settings && upgrade->settings_length % 6 == 0);
    FUZZ_CHECK(upgrade->settings_length <= 32 * 6);
    FUZZ_CHECK(!h2_head_get(upgrade->head, "connection"));
    FUZZ_CHECK(!h2_head_get(upgrade->head, "http2-settings"));
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    machine_setup setup;
    server_rec *server;
    request_rec *r;
    h2_upgrade *upgrade;
    apr_pool_t *own;

    apr_pool_create(&own, pool);
    machine_setup_from(&setup, own, &input);
    server = standins_server(own, setup.conf);
    r = read_request(&input, own, server);
    if (h2_upgrade_is_possible(r)) {
        upgrade = h2_upgrade_create(r, own, "http");
        if (upgrade) {
            check_upgrade(upgrade);
            setup.is_tls = 0;
            setup.head = upgrade->head;
            setup.settings = upgrade->settings;
            setup.settings_length = upgrade->settings_length;
            upgrade->head = NULL;
            machine_run(&setup, pool, input.at, input.left);
        }
    }
    apr_pool_destroy(own);
}
