/*
 * Probes for tracers (USDT, sys/sdt.h): places where perf, bpftrace or SystemTap can look into a
 * server that runs. Each is one instruction that does nothing, and a note in the file of where it
 * is and where its arguments are; where there is no sys/sdt.h there is nothing at all.
 *
 * Arguments are what is at hand: nothing is to be worked out, or called, for one. connection: the
 * id of a conn_rec, as in the logs; stream: the id of a stream. Times are microseconds.
 * docs/observability/probes.md lists them.
 *
 * Any thread.
 */
#ifndef H2_PROBE_H
#define H2_PROBE_H

#ifdef HAVE_SYS_SDT_H
#include <sys/sdt.h>
#else
#define DTRACE_PROBE2(provider, name, a, b) ((void)(a), (void)(b))
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#define DTRACE_PROBE5(provider, name, a, b, c, d, e)                                               \
    ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#endif

/* Who has reset a stream. */
#define H2_PROBE_BY_SERVER 0
#define H2_PROBE_BY_CLIENT 1

/* A connection is in its loop. origin: an h2_session_origin. */
#define H2_PROBE_SESSION_BEGIN(connection, origin)                                                 \
    DTRACE_PROBE2(mod_h2, session_begin, connection, origin)

/* It has ended. streams: that its client has opened. */
#define H2_PROBE_SESSION_END(connection, streams, usec)                                            \
    DTRACE_PROBE3(mod_h2, session_end, connection, streams, usec)

/* A stream begins. pushed_on: of one that is promised, else 0. */
#define H2_PROBE_STREAM_OPEN(connection, stream, pushed_on)                                        \
    DTRACE_PROBE3(mod_h2, stream_open, connection, stream, pushed_on)

/* Its request goes to another thread than the one that has read it, after waiting so long. */
#define H2_PROBE_HAND_OVER(connection, stream, usec)                                               \
    DTRACE_PROBE3(mod_h2, hand_over, connection, stream, usec)

/* The head of its response is packed, so long after that of its request was complete. */
#define H2_PROBE_FIRST_BYTE(connection, stream, usec)                                              \
    DTRACE_PROBE3(mod_h2, first_byte, connection, stream, usec)

/* RST_STREAM was sent or received, with this error code. */
#define H2_PROBE_STREAM_RESET(connection, stream, error, by)                                       \
    DTRACE_PROBE4(mod_h2, stream_reset, connection, stream, error, by)

/* The stream is closed. bytes: of its frames, sent; usec: since the head of its request was
 * complete, 0 if it never was. */
#define H2_PROBE_STREAM_END(connection, stream, bytes, usec, error)                                \
    DTRACE_PROBE5(mod_h2, stream_end, connection, stream, bytes, usec, error)

#endif /* H2_PROBE_H */
