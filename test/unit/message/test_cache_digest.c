/* message/h2_cache_digest.c: the reader of the Cache-Digest field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "message/h2_cache_digest.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define NO_LIMIT 1000000
#define SEEN_MAX 4096

typedef struct seen_value {
    apr_uint64_t value;
    int bits;
} seen_value;

static apr_pool_t *pool;
static seen_value seen[SEEN_MAX];
static int seen_count;
static int is_reset;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

/* ---- an encoder, step by step as draft-ietf-httpbis-cache-digest-02 has it ---------------- */

/* Bits as '0' and '1', which any test can bend. */
static char *as_bits(apr_uint64_t number, int count)
{
    char *bits = apr_palloc(pool, (apr_size_t)count + 1);
    int i;

    for (i = 0; i < count; ++i) {
        bits[i] = '0' + (char)(number >> (count - 1 - i) & 1);
    }
    bits[count] = '\0';
    return bits;
}

static char *append(char *bits, const char *more)
{
    return apr_pstrcat(pool, bits, more, NULL);
}

static char *set_header(int log2_n, int log2_p)
{
    return append(as_bits((apr_uint64_t)log2_n, 5), as_bits((apr_uint64_t)log2_p, 5));
}

/* values: sorted, not aligned. */
static char *set_bits(const apr_uint64_t *values, int count, int log2_n, int log2_p)
{
    char *bits = set_header(log2_n, log2_p);
    apr_uint64_t distance, quotient;
    int i;

    for (i = 0; i < count; ++i) {
        if (i && values[i] == values[i - 1]) {
            continue;
        }
        distance = i ? values[i] - values[i - 1] - 1 : values[i];
        for (quotient = distance >> log2_p; quotient; --quotient) {
            bits = append(bits, "0");
        }
        bits = append(bits, "1");
        bits = append(bits, as_bits(distance & (((apr_uint64_t)1 << log2_p) - 1), log2_p));
    }
    return bits;
}

static char *padded(char *bits)
{
    while (strlen(bits) % 8) {
        bits = append(bits, "0");
    }
    return bits;
}

/* Without padding by "=". */
static char *base64url(const char *bits)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    apr_size_t length = strlen(bits), i;
    char *text = apr_pcalloc(pool, length / 6 + 2);
    int k, n = 0;

    for (i = 0; i < length; i += 6) {
        int sextet = 0;

        for (k = 0; k < 6; ++k) {
            sextet = sextet << 1 | (i + k < length && bits[i + k] == '1');
        }
        text[n++] = alphabet[sextet];
    }
    return text;
}

static char *encode(const apr_uint64_t *values, int count, int log2_n, int log2_p)
{
    return base64url(padded(set_bits(values, count, log2_n, log2_p)));
}

/* ---- reading --------------------------------------------------------------------------- */

static void see(void *baton, apr_uint64_t value, int bits)
{
    assert_ptr_equal(baton, &seen_count);
    assert_in_range(bits, 1, 62);
    assert_in_range(seen_count, 0, SEEN_MAX - 1);
    /* It is known by now whether to forget what was there before. */
    assert_in_range(is_reset, 0, 1);
    seen[seen_count].value = value;
    seen[seen_count].bits = bits;
    ++seen_count;
}

/* Reads a field that stands in memory of exactly its size. Gives the number of values. */
static int read_within(const char *field, int limit)
{
    char *copy = strcpy(malloc(strlen(field) + 1), field);

    seen_count = 0;
    is_reset = -1;
    h2_cache_digest_read(copy, limit, &is_reset, see, &seen_count);
    assert_in_range(is_reset, 0, 1);
    free(copy);
    return seen_count;
}

static int read_field(const char *field)
{
    return read_within(field, NO_LIMIT);
}

static void assert_values(const char *field, const apr_uint64_t *values, int count, int bits)
{
    int i;

    assert_int_equal(read_field(field), count);
    for (i = 0; i < count; ++i) {
        assert_int_equal(seen[i].bits, bits);
        assert_true(seen[i].value == values[i] << (64 - bits));
    }
}

static void assert_round_trip(const apr_uint64_t *values, int count, int log2_n, int log2_p)
{
    assert_values(encode(values, count, log2_n, log2_p), values, count, log2_n + log2_p);
}

/* Is the URL one that the values seen stand for? */
static int has_url(const char *url)
{
    apr_uint64_t hash = h2_cache_digest_hash(url);
    int i;

    for (i = 0; i < seen_count; ++i) {
        if (!((hash ^ seen[i].value) >> (64 - seen[i].bits))) {
            return 1;
        }
    }
    return 0;
}

/* Alone it gives no value; between two others it leaves them what they are. */
static void assert_ignored(const char *digest)
{
    apr_uint64_t one = 0x11, two = 0x22;
    char *first = encode(&one, 1, 1, 7), *second = encode(&two, 1, 1, 7);

    assert_int_equal(read_field(digest), 0);
    assert_int_equal(read_field(apr_pstrcat(pool, first, ", ", digest, ",", second, NULL)), 2);
    assert_true(seen[0].value == one << 56 && seen[1].value == two << 56);
}

static void assert_bits_ignored(char *bits)
{
    assert_ignored(base64url(bits));
}

/* ---- tests ----------------------------------------------------------------------------- */

static void the_hash_is_the_first_64_bits_of_sha_256(void **state)
{
    (void)state;
    assert_true(h2_cache_digest_hash("") == APR_UINT64_C(0xe3b0c44298fc1c14));
    assert_true(h2_cache_digest_hash("abc") == APR_UINT64_C(0xba7816bf8f01cfea));
    assert_true(h2_cache_digest_hash("https://example.com/style.css")
                == APR_UINT64_C(0xbaf9e86f03330860));
}

/* The example of the draft's appendix. It does not say of which URL; it fits this one. */
static void the_example_of_the_draft_is_read(void **state)
{
    apr_uint64_t value = 93;

    (void)state;
    assert_values("AfdA; complete", &value, 1, 7);
    assert_int_equal(is_reset, 0);
    assert_true(has_url("https://example.com/style.css"));
    assert_false(has_url("https://example.com/script.js"));
}

/* Computed by a program in another language: N = 4, P = 256, then 5 URLs with N = 4 and
 * P = 128, then one URL with N = 1 and P = 2^31. */
static void digests_computed_elsewhere_are_read(void **state)
{
    static const apr_uint64_t four[] = {0x45, 0x6c, 0x2b7, 0x2eb};
    static const apr_uint64_t five[] = {0x22, 0x36, 0x55, 0x15b, 0x175};
    static const apr_uint64_t one[] = {0x5d7cf437};

    (void)state;
    assert_values("EiiyYpUz", four, 4, 10);
    assert_true(has_url("https://example.com/style.css"));
    assert_true(has_url("https://example.com/script.js"));
    assert_true(has_url("https://example.com/logo.png"));
    assert_true(has_url("https://example.com/font.woff2"));
    assert_false(has_url("https://example.com/data.json"));
    assert_values("Eeik54hZkA", five, 5, 9);
    assert_true(has_url("https://example.com/data.json"));
    assert_values("B_dfPQ3A", one, 1, 31);
    assert_true(has_url("https://example.com/style.css"));
    assert_false(has_url("https://example.com/script.js"));
}

static int compare_values(const void *a, const void *b)
{
    apr_uint64_t left = *(const apr_uint64_t *)a, right = *(const apr_uint64_t *)b;

    return (left > right) - (left < right);
}

static void urls_encoded_here_are_found_again(void **state)
{
    apr_uint64_t values[64];
    int log2_p, i, count, others = 0;

    (void)state;
    for (log2_p = 4; log2_p <= 31; log2_p += 9) {
        for (i = 0; i < 64; ++i) {
            values[i] = h2_cache_digest_hash(apr_psprintf(pool, "https://a.example/%d", i))
                        >> (64 - 6 - log2_p);
        }
        qsort(values, 64, sizeof(values[0]), compare_values);
        count = read_field(encode(values, 64, 6, log2_p));
        assert_in_range(count, 50, 64);
        for (i = 0; i < 64; ++i) {
            assert_true(has_url(apr_psprintf(pool, "https://a.example/%d", i)));
        }
    }
    /* the last one has 1 false answer in 2^31 */
    for (i = 0; i < 1000; ++i) {
        others += has_url(apr_psprintf(pool, "https://b.example/%d", i));
    }
    assert_int_equal(others, 0);
}

static void the_smallest_and_the_largest_values_are_read(void **state)
{
    static const apr_uint64_t ends[] = {0, 1, 1022, 1023};
    static const apr_uint64_t two[] = {0, 1};
    static const apr_uint64_t large[] = {5, (APR_UINT64_C(3) << 31) + 7,
                                         (APR_UINT64_C(40) << 31) - 1};

    (void)state;
    assert_round_trip(ends, 4, 2, 8);
    assert_round_trip(ends, 1, 2, 8);
    assert_round_trip(ends + 3, 1, 2, 8);
    assert_round_trip(ends + 3, 1, 10, 0);
    assert_round_trip(two, 1, 0, 1);
    assert_round_trip(two + 1, 1, 0, 1);
    assert_round_trip(two, 2, 1, 0);
    assert_round_trip(large, 3, 31, 31);
}

static void every_n_and_p_with_a_value_is_read(void **state)
{
    int log2_n, log2_p;

    (void)state;
    for (log2_n = 0; log2_n <= 31; ++log2_n) {
        for (log2_p = log2_n ? 0 : 1; log2_p <= 31; ++log2_p) {
            apr_uint64_t value = (APR_UINT64_C(1) << (log2_p ? log2_p : 1)) - 1;

            assert_round_trip(&value, 1, log2_n, log2_p);
        }
    }
}

static void a_digest_may_be_empty(void **state)
{
    (void)state;
    assert_int_equal(read_field(""), 0);
    assert_int_equal(is_reset, 0);
    assert_int_equal(read_field(", ,,"), 0);
    assert_ignored(encode(NULL, 0, 0, 7));
    assert_ignored(encode(NULL, 0, 10, 10));
    assert_ignored("");
    assert_ignored(" ; complete");
}

static void a_set_of_no_bits_is_ignored(void **state)
{
    (void)state;
    assert_bits_ignored(padded(append(set_header(0, 0), "1")));
    assert_bits_ignored(padded(set_header(0, 0)));
}

/* N is the count rounded to the nearest power of 2: 11 are 8, and 12 may be. */
static void values_may_be_half_as_many_again_as_n(void **state)
{
    apr_uint64_t values[16];
    int i;

    (void)state;
    for (i = 0; i < 16; ++i) {
        values[i] = (apr_uint64_t)i * 3;
    }
    assert_round_trip(values, 12, 3, 4);
    assert_ignored(encode(values, 13, 3, 4));
    assert_round_trip(values, 3, 1, 7);
    assert_ignored(encode(values, 4, 1, 7));
    assert_round_trip(values, 1, 0, 8);
    assert_ignored(encode(values, 2, 0, 8));
}

static void a_value_of_n_times_p_is_ignored(void **state)
{
    static const apr_uint64_t beyond[][3] = {{3, 100, 1024}, {3, 1023, 1024}, {3, 4, 100000}};
    apr_uint64_t single = 1024;
    int i;

    (void)state;
    assert_ignored(encode(&single, 1, 2, 8));
    for (i = 0; i < COUNT(beyond); ++i) {
        assert_ignored(encode(beyond[i], 3, 2, 8));
    }
}

static void a_code_word_cut_off_is_ignored(void **state)
{
    static const apr_uint64_t values[] = {5, 300};
    char *whole = set_bits(values, 2, 2, 9);
    apr_size_t cut;

    (void)state;
    assert_int_equal(strlen(whole), 30);
    for (cut = 16; cut < 32; cut += 8) {
        /* 16: in the first word; 24: in the second, which has begun */
        assert_bits_ignored(apr_pstrmemdup(pool, padded(append(whole, "")), cut));
    }
    for (cut = 1; cut < 10; ++cut) {
        assert_bits_ignored(apr_pstrmemdup(pool, whole, cut));
    }
}

static void only_0_bits_up_to_the_octet_are_an_end(void **state)
{
    apr_uint64_t value = 5;
    char *bits = padded(set_bits(&value, 1, 2, 8)); /* 19 and 5 bits */

    (void)state;
    assert_int_equal(strlen(bits), 24);
    assert_values(base64url(bits), &value, 1, 10);
    assert_bits_ignored(append(bits, "00000000"));
    assert_bits_ignored(append(bits, "00000001"));
    assert_bits_ignored(append(set_bits(&value, 1, 2, 8), "11111"));
}

static void a_long_run_of_0_bits_is_ignored(void **state)
{
    char *zeros = apr_pcalloc(pool, 200001);

    (void)state;
    memset(zeros, 'A', 200000);
    assert_ignored(zeros);
    assert_ignored(apr_pstrcat(pool, "EA", zeros, "B", NULL));
    assert_ignored(apr_pstrcat(pool, "--A", zeros, "B", NULL));
}

static void a_text_that_is_no_base64url_is_ignored(void **state)
{
    static const char *const bad[] = {"Afd*",     "AfdA BfdA", "Afd+",  "Afd/",       "\"AfdA\"",
                                      "AfdA=",    "AfdA==",    "=AfdA", "Afd\x80",    "\xff",
                                      "AfdAA",    "AfdA.",     "A",     "=",          "==",
                                      "===",      "Af=A",      "Afd=A", "fresh=AfdA", "AfdA\tx",
                                      "B_dfPQ3A="};
    int i;

    (void)state;
    for (i = 0; i < COUNT(bad); ++i) {
        assert_ignored(bad[i]);
    }
}

static void padding_is_tolerated_where_it_is_right(void **state)
{
    apr_uint64_t values[] = {0x22, 0x36, 0x55, 0x15b, 0x175}; /* 7 octets */
    apr_uint64_t value = 3;
    char *shorter = encode(&value, 1, 0, 5); /* 2 octets */

    (void)state;
    assert_values("Eeik54hZkA==", values, 5, 9);
    assert_values("Eeik54hZkA==; complete", values, 5, 9);
    assert_int_equal(strlen(shorter), 3);
    assert_values(append(shorter, "="), &value, 1, 5);
    assert_ignored("Eeik54hZkA=");
    assert_ignored("Eeik54hZkA===");
    assert_ignored(append(shorter, "=="));
}

/* The bits of the last character that make no octet may be anything. */
static void bits_behind_the_last_octet_are_no_data(void **state)
{
    apr_uint64_t values[] = {0x22, 0x36, 0x55, 0x15b, 0x175};

    (void)state;
    assert_values("Eeik54hZkP", values, 5, 9);
}

static void flags_ignore_case_and_blanks(void **state)
{
    apr_uint64_t value = 93;

    (void)state;
    assert_values("AfdA;complete", &value, 1, 7);
    assert_values(" \tAfdA\t ;\tCOMPLETE \t;complete ", &value, 1, 7);
    assert_int_equal(is_reset, 0);
    assert_values("AfdA ; ReSeT", &value, 1, 7);
    assert_int_equal(is_reset, 1);
    assert_int_equal(read_field("AfdA;\tStale"), 0);
    assert_int_equal(read_field("AfdA;VALIDATORS\t"), 0);
}

static void unknown_flags_are_ignored(void **state)
{
    apr_uint64_t value = 93;

    (void)state;
    assert_values("AfdA; stal; stale2; xvalidators; reset=1; res et; ;; x; \"", &value, 1, 7);
    assert_int_equal(is_reset, 0);
}

static void validators_and_stale_make_a_digest_useless(void **state)
{
    (void)state;
    assert_ignored("AfdA; validators");
    assert_ignored("AfdA; stale");
    assert_ignored("AfdA; complete; stale; validators; x");
}

static void digests_come_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(read_field("EiiyYpUz; complete,AfdA ,, Eeik54hZkA"), 4 + 1 + 5);
    assert_int_equal(seen[0].bits, 10);
    assert_true(seen[0].value == APR_UINT64_C(0x45) << 54);
    assert_int_equal(seen[4].bits, 7);
    assert_int_equal(seen[5].bits, 9);
}

static void reset_voids_the_digests_before_it(void **state)
{
    apr_uint64_t value = 93;

    (void)state;
    assert_values("EiiyYpUz, AfdA; reset", &value, 1, 7);
    assert_int_equal(is_reset, 1);
    assert_values("EiiyYpUz; reset, Eeik54hZkA, AfdA; complete; reset", &value, 1, 7);
    assert_int_equal(is_reset, 1);
    assert_int_equal(read_field("AfdA;reset,EiiyYpUz"), 5);
    assert_int_equal(is_reset, 1);
}

static void reset_counts_without_values_that_can_be_used(void **state)
{
    static const char *const fields[] = {";reset",         "AfdA, ; reset",
                                         "AfdA, * ;reset", "AfdA, AfdA; stale; reset",
                                         "AA;reset",       "AfdA; validators; reset"};
    int i;

    (void)state;
    for (i = 0; i < COUNT(fields); ++i) {
        assert_int_equal(read_field(fields[i]), 0);
        assert_int_equal(is_reset, 1);
        assert_int_equal(read_field(apr_pstrcat(pool, fields[i], ",AfdA", NULL)), 1);
        assert_int_equal(is_reset, 1);
    }
}

static void no_more_than_the_limit_is_reported(void **state)
{
    int limit;

    (void)state;
    for (limit = 0; limit < 12; ++limit) {
        assert_int_equal(read_within("EiiyYpUz,*,AfdA,Eeik54hZkA;reset,EiiyYpUz", limit),
                         limit < 9 ? limit : 9);
        assert_int_equal(is_reset, 1);
    }
    assert_int_equal(read_within("AfdA", -1), 0);
}

/* P = 7, N = 101, as a later draft has it: 5 octets, then buckets of fingerprints. */
static void a_cuckoo_filter_is_ignored(void **state)
{
    int log2_p, i;

    (void)state;
    assert_ignored("BwAAAGVEIII8_ebxwmsw-Q7H3QHkiHU0og8LDQTDbtgOceD9d7B2cOuUC9Uz");
    for (log2_p = 0; log2_p < 32; ++log2_p) {
        char *bits = append(as_bits((apr_uint64_t)log2_p, 8), as_bits(3583, 32));

        for (i = 0; i < 50; ++i) {
            bits = append(bits, as_bits(i * 2654435761U, 32));
        }
        assert_bits_ignored(bits);
    }
}

/* Whatever is cut off or changed, no more is reported than the bits can hold. */
static void changed_digests_are_survived(void **state)
{
    static const char signs[] = "A_-=,; *z\x80";
    static const char whole[] = "EiiyYpUz; complete, Eeik54hZkA==;reset, AfdA;x";
    apr_size_t place, length = strlen(whole);
    int k;

    (void)state;
    for (place = 0; place < length; ++place) {
        assert_in_range(read_field(apr_pstrmemdup(pool, whole, place)), 0, 10);
        for (k = 0; k < COUNT(signs) - 1; ++k) {
            char *changed = apr_pstrdup(pool, whole);

            changed[place] = signs[k];
            assert_in_range(read_field(changed), 0, 40);
        }
    }
}

/* Were time not linear, this would not end. */
static void long_fields_take_linear_time(void **state)
{
    static const char *const pieces[] = {",",      ";",    "AfdA;reset,", "* ,",
                                         ";reset", "AfdA", "=",           " "};
    const int bytes = 1024 * 1024;
    char *field = malloc(bytes + 64);
    int i;

    (void)state;
    for (i = 0; i < COUNT(pieces); ++i) {
        int size = (int)strlen(pieces[i]), n;

        for (n = 0; n < bytes / size; ++n) {
            memcpy(field + n * size, pieces[i], size);
        }
        field[n * size] = '\0';
        assert_in_range(read_within(field, 100), 0, 1);
    }
    free(field);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_hash_is_the_first_64_bits_of_sha_256),
        TEST(the_example_of_the_draft_is_read),
        TEST(digests_computed_elsewhere_are_read),
        TEST(urls_encoded_here_are_found_again),
        TEST(the_smallest_and_the_largest_values_are_read),
        TEST(every_n_and_p_with_a_value_is_read),
        TEST(a_digest_may_be_empty),
        TEST(a_set_of_no_bits_is_ignored),
        TEST(values_may_be_half_as_many_again_as_n),
        TEST(a_value_of_n_times_p_is_ignored),
        TEST(a_code_word_cut_off_is_ignored),
        TEST(only_0_bits_up_to_the_octet_are_an_end),
        TEST(a_long_run_of_0_bits_is_ignored),
        TEST(a_text_that_is_no_base64url_is_ignored),
        TEST(padding_is_tolerated_where_it_is_right),
        TEST(bits_behind_the_last_octet_are_no_data),
        TEST(flags_ignore_case_and_blanks),
        TEST(unknown_flags_are_ignored),
        TEST(validators_and_stale_make_a_digest_useless),
        TEST(digests_come_in_their_order),
        TEST(reset_voids_the_digests_before_it),
        TEST(reset_counts_without_values_that_can_be_used),
        TEST(no_more_than_the_limit_is_reported),
        TEST(a_cuckoo_filter_is_ignored),
        TEST(changed_digests_are_survived),
        TEST(long_fields_take_linear_time),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
