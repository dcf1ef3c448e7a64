/* conn/h2_tls_policy.c: RFC 9113, 9.2 and appendix A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* The source itself, to see its tables. */
#include "conn/h2_tls_policy.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GOOD_CIPHER "ECDHE-RSA-AES128-GCM-SHA256"

static void tls_1_2_and_later_are_modern(void **state)
{
    static const char *const modern[] = {"TLSv1.2", "TLSv1.3", "TLSv1.4", "TLSv1.10",
                                         "TLSv2",   "TLSv2.0", "TLS1.2",  "TLS1.3"};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(modern); ++i) {
        assert_true(h2_tls_policy_is_modern(modern[i], GOOD_CIPHER));
    }
}

static void anything_older_or_unknown_is_not_modern(void **state)
{
    static const char *const old[] = {"SSLv2", "SSLv3", "TLSv1",   "TLSv1.0", "TLSv1.1", "TLS1.1",
                                      "",      "T",     "TLS",     "TLSv",    "TLSv1.",  "TLSv0.9",
                                      "tlsv1", "1.3",   "TLSv1.x", "TLSv12",  "DTLSv1.2"};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(old); ++i) {
        assert_false(h2_tls_policy_is_modern(old[i], GOOD_CIPHER));
    }
    assert_false(h2_tls_policy_is_modern(NULL, GOOD_CIPHER));
}

static void no_cipher_is_not_modern(void **state)
{
    (void)state;
    assert_false(h2_tls_policy_is_modern("TLSv1.3", NULL));
    assert_false(h2_tls_policy_is_modern("TLSv1.3", ""));
    assert_false(h2_tls_policy_is_modern(NULL, NULL));
}

static void the_ciphers_that_browsers_use_are_modern(void **state)
{
    static const char *const modern[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",   "DHE-RSA-AES128-GCM-SHA256",
        "TLS_AES_128_GCM_SHA256",        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(modern); ++i) {
        assert_true(h2_tls_policy_is_modern("TLSv1.2", modern[i]));
    }
}

static void a_prohibited_cipher_is_refused_in_both_spellings(void **state)
{
    static const char *const refused[] = {
        "AES128-SHA",
        "AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA384",
        "DES-CBC3-SHA",
        "RC4-MD5",
        "ADH-AES256-GCM-SHA384",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_RC4_128_MD5",
        "TLS_DH_anon_WITH_AES_256_GCM_SHA384",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(refused); ++i) {
        assert_false(h2_tls_policy_is_modern("TLSv1.2", refused[i]));
        assert_false(h2_tls_policy_is_modern("TLSv1.3", refused[i]));
    }
}

static void assert_sorted(const char *const *names, size_t count)
{
    size_t i;

    for (i = 1; i < count; ++i) {
        assert_true(strcmp(names[i - 1], names[i]) < 0);
    }
}

static void the_tables_are_complete_sorted_and_all_found(void **state)
{
    size_t i;

    (void)state;
    assert_int_equal(COUNT(prohibited_rfc_names), 276);
    assert_sorted(prohibited_rfc_names, COUNT(prohibited_rfc_names));
    assert_sorted(prohibited_openssl_names, COUNT(prohibited_openssl_names));
    for (i = 0; i < COUNT(prohibited_rfc_names); ++i) {
        assert_false(h2_tls_policy_is_modern("TLSv1.2", prohibited_rfc_names[i]));
    }
    for (i = 0; i < COUNT(prohibited_openssl_names); ++i) {
        assert_false(h2_tls_policy_is_modern("TLSv1.2", prohibited_openssl_names[i]));
    }
}

/* Registered after the list was made and not in it, though without an ephemeral
 * key exchange. mod_ssl cannot negotiate them, for want of pre-shared keys. */
static int is_younger_than_the_list(const char *openssl_name)
{
    return !strcmp(openssl_name, "PSK-CHACHA20-POLY1305") ||
           !strcmp(openssl_name, "RSA-PSK-CHACHA20-POLY1305");
}

/* What the RFC says of its list, from what OpenSSL says of a cipher. */
static int should_be_modern(const char *key_exchange, const char *authentication, const char *mac)
{
    int is_ephemeral = !strcmp(key_exchange, "Kx=any") || !strcmp(key_exchange, "Kx=ECDH") ||
                       !strcmp(key_exchange, "Kx=DH") || !strcmp(key_exchange, "Kx=ECDHEPSK") ||
                       !strcmp(key_exchange, "Kx=DHEPSK");

    return is_ephemeral && strcmp(authentication, "Au=None") && !strcmp(mac, "Mac=AEAD");
}

/* For each cipher of the installed OpenSSL: no AEAD or no ephemeral key, no h2. */
static void all_ciphers_of_openssl_are_judged_right(void **state)
{
    FILE *list =
        popen("openssl ciphers -V -stdname ALL:COMPLEMENTOFALL:@SECLEVEL=0 2>/dev/null", "r");
    char line[512];
    int count = 0;

    (void)state;
    assert_non_null(list);
    while (fgets(line, sizeof(line), list)) {
        char rfc[80], openssl[80], kx[40], au[40], mac[40];
        int expected;

        assert_int_equal(sscanf(line, " %*s - %79s - %79s %*s %39s %39s %*s %39s", rfc, openssl, kx,
                                au, mac),
                         5);
        expected = is_younger_than_the_list(openssl) || should_be_modern(kx, au, mac);
        if (h2_tls_policy_is_modern("TLSv1.2", openssl) != expected ||
            h2_tls_policy_is_modern("TLSv1.2", rfc) != expected) {
            fail_msg("%s (%s) should %sbe modern", openssl, rfc, expected ? "" : "not ");
        }
        ++count;
    }
    pclose(list);
    if (!count) {
        skip(); /* no openssl command here */
    }
    assert_true(count >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_2_and_later_are_modern),
        cmocka_unit_test(anything_older_or_unknown_is_not_modern),
        cmocka_unit_test(no_cipher_is_not_modern),
        cmocka_unit_test(the_ciphers_that_browsers_use_are_modern),
        cmocka_unit_test(a_prohibited_cipher_is_refused_in_both_spellings),
        cmocka_unit_test(the_tables_are_complete_sorted_and_all_found),
        cmocka_unit_test(all_ciphers_of_openssl_are_judged_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
