/* config/h2_header_list.c: what httpd's limits on fields mean for SETTINGS_MAX_HEADER_LIST_SIZE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_strings.h>

#include "config/h2_header_list.h"

#define DEFAULT 65536
#define MOST    262144

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void limits_that_were_not_raised_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(h2_header_list_bytes(100, 8190), DEFAULT);
    assert_int_equal(h2_header_list_bytes(1, 1), DEFAULT);
    assert_int_equal(h2_header_list_bytes(99, 8189), DEFAULT);
}

static void raised_limits_allow_their_product_with_32_bytes_for_each_field(void **state)
{
    (void)state;
    assert_int_equal(h2_header_list_bytes(1000, 100), 132000);
    assert_int_equal(h2_header_list_bytes(10, 20000), 200320);
    assert_int_equal(h2_header_list_bytes(101, 617), 65549);
}

static void less_than_the_default_is_never_derived(void **state)
{
    (void)state;
    assert_int_equal(h2_header_list_bytes(200, 100), DEFAULT);
    assert_int_equal(h2_header_list_bytes(1, 10000), DEFAULT);
    assert_int_equal(h2_header_list_bytes(101, 0), DEFAULT);
}

static void there_is_a_bound_also_for_any_number_of_fields(void **state)
{
    (void)state;
    assert_int_equal(h2_header_list_bytes(100, 8191), MOST);
    assert_int_equal(h2_header_list_bytes(101, 8190), MOST);
    assert_int_equal(h2_header_list_bytes(0, 8190), MOST);
    assert_int_equal(h2_header_list_bytes(0, 10), MOST);
    assert_int_equal(h2_header_list_bytes(APR_INT32_MAX, APR_INT32_MAX), MOST);
}

/* A server in front of next, with these limits; address NULL: the main server. */
static server_rec *server(server_rec *next, int fields, int field_bytes, const char *address,
                          apr_port_t port)
{
    server_rec *s = apr_pcalloc(pool, sizeof(*s));

    s->limit_req_fields = fields;
    s->limit_req_fieldsize = field_bytes;
    s->next = next;
    if (address) {
        s->is_virtual = 1;
        s->addrs = apr_pcalloc(pool, sizeof(*s->addrs));
        s->addrs->host_port = port;
        assert_int_equal(apr_sockaddr_info_get(&s->addrs->host_addr, address, APR_UNSPEC, port, 0,
                                               pool),
                         APR_SUCCESS);
    }
    return s;
}

static void the_most_of_all_vhosts_with_the_same_address_and_port_counts(void **state)
{
    server_rec *other_port = server(NULL, 0, 8190, "127.0.0.1", 444);
    server_rec *other_address = server(other_port, 0, 8190, "127.0.0.2", 443);
    server_rec *large = server(other_address, 1000, 200, "127.0.0.1", 443);
    server_rec *small = server(large, 1000, 100, "127.0.0.1", 443);
    server_rec *plain = server(small, 100, 8190, "127.0.0.1", 443);
    server_rec *alone = server(plain, 100, 8190, "::1", 443);
    server_rec *first = server(alone, 100, 8190, NULL, 0);

    (void)state;
    assert_int_equal(h2_header_list_of_server(first, plain), 232000);
    assert_int_equal(h2_header_list_of_server(first, small), 232000);
    assert_int_equal(h2_header_list_of_server(first, large), 232000);
    assert_int_equal(h2_header_list_of_server(first, alone), DEFAULT);
    assert_int_equal(h2_header_list_of_server(first, other_port), MOST);
    assert_int_equal(h2_header_list_of_server(first, first), DEFAULT);
    first->limit_req_fields = 0;
    assert_int_equal(h2_header_list_of_server(first, first), MOST);
    assert_int_equal(h2_header_list_of_server(first, alone), DEFAULT);
}

static void a_vhost_for_any_port_shares_it_with_each(void **state)
{
    server_rec *any = server(NULL, 0, 8190, "127.0.0.1", 0);
    server_rec *plain = server(any, 100, 8190, "127.0.0.1", 443);
    server_rec *first = server(plain, 100, 8190, NULL, 0);

    (void)state;
    assert_int_equal(h2_header_list_of_server(first, plain), MOST);
}

static void each_address_of_a_vhost_counts(void **state)
{
    server_rec *raised = server(NULL, 0, 8190, "127.0.0.2", 443);
    server_rec *plain = server(raised, 100, 8190, "127.0.0.1", 443);
    server_rec *first = server(plain, 100, 8190, NULL, 0);

    (void)state;
    assert_int_equal(h2_header_list_of_server(first, plain), DEFAULT);
    plain->addrs->next = raised->addrs;
    assert_int_equal(h2_header_list_of_server(first, plain), MOST);
    plain->addrs = NULL; /* its name could not be resolved: it has no connections */
    assert_int_equal(h2_header_list_of_server(first, plain), DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_that_were_not_raised_change_nothing),
        cmocka_unit_test(raised_limits_allow_their_product_with_32_bytes_for_each_field),
        cmocka_unit_test(less_than_the_default_is_never_derived),
        cmocka_unit_test(there_is_a_bound_also_for_any_number_of_fields),
        cmocka_unit_test(the_most_of_all_vhosts_with_the_same_address_and_port_counts),
        cmocka_unit_test(a_vhost_for_any_port_shares_it_with_each),
        cmocka_unit_test(each_address_of_a_vhost_counts),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, setup, teardown);
}
