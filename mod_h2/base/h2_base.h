/*
 * What every file of the module needs: httpd's and APR's types, the log id of
 * a connection and a stream, asserts, names and sizes of the protocol; and the only
 * place where versions of httpd and nghttp2 are told apart.
 *
 * Knows nothing of the rest of the module. No state.
 */
#ifndef H2_BASE_H
#define H2_BASE_H

#include <apr.h>
#include <apr_ring.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_time.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

extern module AP_MODULE_DECLARE_DATA http2_module;
APLOG_USE_MODULE(http2);

/* The format of every id in the logs: connection, then stream (0: all of it). */
#define H2_ID_FMT "h2(%ld-%d): "

/* Our own mistakes, in a debug build (not httpd's own AP_DEBUG, which no package
 * sets). The peer's mistakes are statuses, never asserts. */
#ifdef H2_DEBUG
#define H2_ASSERT(exp) ap_assert(exp)
#else
#define H2_ASSERT(exp) ((void)0)
#endif

/* RFC 8297; older httpds have no name for it. */
#ifndef HTTP_EARLY_HINTS
#define HTTP_EARLY_HINTS 103
#endif

/* The hook by which a handler asks for what it can poll, which older httpds have not. */
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 129)
#define H2_HAS_POLLFD_HOOK 1
#else
#define H2_HAS_POLLFD_HOOK 0
#endif

/* nghttp2 can be told how many CONTINUATION frames a field block may have. Older ones take any
 * number, or are patched to take as many as the newer ones do unless told. */
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
#define H2_HAS_MAX_CONTINUATIONS 1
#else
#define H2_HAS_MAX_CONTINUATIONS 0
#endif

/* nghttp2 ends by itself connections whose clients reset streams too fast, unless told not to. */
#ifdef HAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
#define H2_HAS_RESET_RATE_LIMIT 1
#else
#define H2_HAS_RESET_RATE_LIMIT 0
#endif

/* Likewise those whose clients make mistakes, or send what nghttp2 thinks useless, PRIORITY frames
 * among it. */
#ifdef HAVE_NGHTTP2_OPTION_SET_GLITCH_RATE_LIMIT
#define H2_HAS_GLITCH_RATE_LIMIT 1
#else
#define H2_HAS_GLITCH_RATE_LIMIT 0
#endif

/* The hook that tells of connections to back ends, which older httpds have not. */
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 116)
#define H2_HAS_OUTGOING_HOOK 1
#else
#define H2_HAS_OUTGOING_HOOK 0
#endif

/* pread() where APR's offsets have 64 bits, which off_t has not on every machine. */
#if APR_SIZEOF_VOIDP < 8 && defined(_LARGEFILE64_SOURCE)
#define H2_PREAD(file, to, bytes, offset) pread64(file, to, bytes, offset)
#else
#define H2_PREAD(file, to, bytes, offset) pread(file, to, bytes, (off_t)(offset))
#endif

/* Bytes of the frame header, RFC 9113, 4.1. */
#define H2_FRAME_HEADER_BYTES 9

/* What a frame's payload may always have, RFC 9113, 4.2 and 6.5.2. */
#define H2_FRAME_BYTES_MIN 16384

/* What a field counts in a list of fields beside its octets, RFC 9113, 6.5.2. */
#define H2_FIELD_OVERHEAD_BYTES 32

/* The client's connection preface, RFC 9113, 3.4. */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_BYTES (sizeof(H2_PREFACE) - 1)

/* Protocol names, RFC 9113, 3.1 and RFC 7540, 3.1. */
#define H2_PROTOCOL_TLS "h2"
#define H2_PROTOCOL_CLEAR "h2c"

#endif /* H2_BASE_H */
