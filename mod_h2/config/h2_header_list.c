#include "config/h2_header_list.h"

#include <apr_network_io.h>

apr_size_t h2_header_list_bytes(int fields, int field_bytes)
{
    apr_uint64_t bytes = (apr_uint64_t)fields
                         * ((apr_uint64_t)field_bytes + H2_FIELD_OVERHEAD_BYTES);

    if (!fields) {
        return H2_HEADER_LIST_DERIVED_MAX;
    }
    if ((fields <= DEFAULT_LIMIT_REQUEST_FIELDS && field_bytes <= DEFAULT_LIMIT_REQUEST_FIELDSIZE)
        || bytes < H2_HEADER_LIST_DEFAULT) {
        return H2_HEADER_LIST_DEFAULT;
    }
    return (bytes > H2_HEADER_LIST_DERIVED_MAX) ? H2_HEADER_LIST_DERIVED_MAX : (apr_size_t)bytes;
}

static int is_same_address(const server_addr_rec *a, const server_addr_rec *b)
{
    /* port 0 is any port */
    return (a->host_port == b->host_port || !a->host_port || !b->host_port)
           && apr_sockaddr_equal(a->host_addr, b->host_addr);
}

static int shares_an_address(const server_rec *a, const server_rec *b)
{
    const server_addr_rec *of_a, *of_b;

    for (of_a = a->addrs; of_a; of_a = of_a->next) {
        for (of_b = b->addrs; of_b; of_b = of_b->next) {
            if (is_same_address(of_a, of_b)) {
                return 1;
            }
        }
    }
    return 0;
}

apr_size_t h2_header_list_of_server(const server_rec *main_server, const server_rec *s)
{
    apr_size_t most = h2_header_list_bytes(s->limit_req_fields, s->limit_req_fieldsize);
    const server_rec *other;

    /* The main server has the connections that no vhost is for: there are no others then. */
    for (other = s->is_virtual ? main_server->next : NULL; other; other = other->next) {
        apr_size_t bytes = h2_header_list_bytes(other->limit_req_fields,
                                                other->limit_req_fieldsize);

        if (bytes > most && shares_an_address(s, other)) { /* the quick test first */
            most = bytes;
        }
    }
    return most;
}
