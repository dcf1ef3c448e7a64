/*
 * Reads back the text of an interim response. httpd has no bucket for a 1xx
 * head: ap_send_interim_response() and HTTP_IN's 100 write "HTTP/1.1 103 Early
 * Hints", CRLF, fields and an empty line to the connection's filters. This is a
 * reader for that, in pieces as they come, with limits. What has no status line is
 * an error; a field that cannot be sent, or is beyond a limit, is dropped, and the
 * rest of the head is taken. It reads the heads of an nph script as well.
 *
 * Owned by the context, in the pool given at creation. Runner of the request only.
 */
#ifndef H2_INTERIM_H
#define H2_INTERIM_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>

/* httpd's own defaults for what it reads are of this size (LimitRequestFieldSize,
 * LimitRequestFields); an application that exceeds them is not giving hints. */
#define H2_INTERIM_LINE_BYTES_MAX 8192  /* CRLF included */
#define H2_INTERIM_HEAD_BYTES_MAX 65536 /* all lines */
#define H2_INTERIM_FIELDS_MAX     100

/* More of them from one script than that are no hints any more; mod_proxy_http has such a limit
 * as well. */
#define H2_INTERIM_HEADS_MAX 32

typedef struct h2_interim h2_interim;

/* Gives a reader that waits for a status line, in pool. Takes what it needs for
 * one head (16 KiB, more only for larger fields) from there and uses it again for the next. */
h2_interim *h2_interim_create(apr_pool_t *pool);

/* From now on heads of any HTTP/1.x or HTTP/2.0 and with any status are taken, and lines
 * may end with LF alone if the status line does: so do scripts write them. Stays over reset. */
void h2_interim_take_any(h2_interim *interim);

/* Reads of the len bytes at data (borrowed) up to the end of the head, at most.
 * *pused: how many were read, less than len only if the head is complete; the
 * next byte is no longer part of it. A complete reader reads none until reset.
 * APR_EINVAL: this is no interim response; APR_ENOSPC: its status line is too long.
 * Both stay until reset, with *pused 0. */
apr_status_t h2_interim_feed(h2_interim *interim, const char *data, apr_size_t len,
                             apr_size_t *pused);

/* Has the empty line been read? */
int h2_interim_is_complete(const h2_interim *interim);

/* 100 to 199 (599: see h2_interim_take_any()) when complete, else 0. 101 is passed as it is; HTTP/2
 * has no such response (RFC 9113, 8.6) and the caller must see to it. */
int h2_interim_status(const h2_interim *interim);

/* The fields in their order, values without blanks around them, when complete;
 * may be empty, never NULL. Borrowed until reset or the pool's end. */
apr_table_t *h2_interim_fields(const h2_interim *interim);

/* How many fields of the head were dropped; *pname: the name of the first, borrowed as the
 * fields are, and empty where it has none; NULL: none was. */
int h2_interim_dropped(const h2_interim *interim, const char **pname);

/* May an interim response have this field? Its name must be a token (RFC 9110, 5.6.2), its
 * value without control characters, and it must speak neither of a connection (RFC 9113,
 * 8.2.2) nor of a body. Any thread. */
int h2_interim_is_good_field(const char *name, const char *value);

/* Forgets everything, errors too, and waits for a status line. */
void h2_interim_reset(h2_interim *interim);

#endif /* H2_INTERIM_H */
