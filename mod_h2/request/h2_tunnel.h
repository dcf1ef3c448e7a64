/*
 * WebSockets over HTTP/2, RFC 8441. An extended CONNECT is shown to httpd as the GET with
 * "Upgrade: websocket" that its modules know; when one of them answers 101, the client gets
 * 200, and from then on the stream carries bytes both ways, until either side ends its own.
 * Any other response passes as it is, but for one of success: that would say 200, too.
 *
 * mod_proxy polls the sockets of both sides of a tunnel. In the place of the client's it gets our
 * end of a pair of sockets, on which nothing is carried: a byte in it says that there is
 * something to be read, it is not writable while the client does not take what is there, and when
 * mod_proxy shuts it down, the back end has ended its side.
 *
 * The thread that runs the request, not holding the loop, unless said.
 */
#ifndef H2_TUNNEL_H
#define H2_TUNNEL_H

#include <apr_network_io.h>

#include "request/h2_context.h"

struct h2_tunnel {
    apr_socket_t *socket;       /* for mod_proxy; NULL: there was none to be had */
    int far_end;                /* descriptor of the other one, into which we write */
    const char *key;            /* Sec-WebSocket-Key, where we have made it; else NULL */
    unsigned is_one_way : 1;    /* the client has ended its side with the request's head */
    unsigned is_allowed : 1;    /* h2_tunnel_check() had no objection */
    unsigned is_open : 1;       /* 101 was there: what comes and goes are its bytes */
    unsigned is_refused : 1;    /* the 101 was none */
    unsigned may_be_shut : 1;   /* mod_proxy has seen to what is pending: see far_end */
};

/* Gives context its tunnel. The first thing, where the stream is to be one. */
void h2_tunnel_create(h2_context *context);

/* Takes away the fields that the request of a tunnel must not have. */
void h2_tunnel_drop_fields(apr_table_t *fields);

/* The new request of a tunnel is known to httpd: 0, and it has the fields that an extended CONNECT
 * has not but its GET needs; or the status to answer. Then it has none of them: where the error
 * page comes from, nobody is asked for a WebSocket. */
int h2_tunnel_check(h2_context *context, request_rec *r);

/* A handler has answered 101 with these fields (borrowed): from now on it is open. Where it
 * has no right to, the client gets 502. */
apr_status_t h2_tunnel_open(h2_context *context, const apr_table_t *fields);

/* A handler has written what is no 101: the client gets 502. */
apr_status_t h2_tunnel_refuse(h2_context *context, const char *why);

/* mod_proxy, which polls, asks for what is pending: when there is room again, and before it shuts
 * the client's side down. APR_ECONNABORTED: the stream is gone. */
apr_status_t h2_tunnel_flush(h2_context *context);

/* A handler has written the final head, 101 or another: one that polls sees what has waited for
 * it. */
void h2_tunnel_note_answer(h2_context *context);

/* Before a read: may it have the client's bytes? Only a tunnel that is open carries them; to a back
 * end that has answered otherwise, or not yet, they would be the next request. APR_EAGAIN: they
 * wait; APR_EOF: the client has ended its side and there will be no tunnel, or it had none to send;
 * APR_ECONNABORTED: the stream is gone. */
apr_status_t h2_tunnel_may_read(h2_context *context);

/* Before a read: ends the response, if mod_proxy has shut the client's side down. */
void h2_tunnel_look_at_end(h2_context *context);

#endif /* H2_TUNNEL_H */
