/*
 * How large a request's field list may be where H2MaxHeaderListSize does not say it: as httpd's
 * own limits allow it.
 *
 * Thread that reads the configuration, when all vhosts are merged.
 */
#ifndef H2_HEADER_LIST_H
#define H2_HEADER_LIST_H

#include "base/h2_base.h"

/* What is announced unless httpd's limits were raised; and what is never exceeded then: with the
 * default of H2MaxSessionStreams a client may have 25 MiB of heads on a connection, not more. */
#define H2_HEADER_LIST_DEFAULT ((apr_size_t)64 * 1024)
#define H2_HEADER_LIST_DERIVED_MAX ((apr_size_t)256 * 1024)

/* What LimitRequestFields (0: any number) and LimitRequestFieldSize allow together, RFC 9113,
 * 6.5.2, if at least one of them is above httpd's own default; within the two numbers above. */
apr_size_t h2_header_list_bytes(int fields, int field_bytes);

/* The most that a request on a connection of s may need: SETTINGS are sent before its vhost is
 * known, so all vhosts that share an address and port with s count. main_server: the first of
 * all. */
apr_size_t h2_header_list_of_server(const server_rec *main_server, const server_rec *s);

#endif /* H2_HEADER_LIST_H */
