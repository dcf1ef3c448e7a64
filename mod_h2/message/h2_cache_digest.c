#include "message/h2_cache_digest.h"

#include <string.h>

#include <apr_cstr.h>
#include <openssl/evp.h>

/* log2(N) and log2(P) of a digest have 5 bits each. Both are at most 31: no value has
 * more than 62 bits. */
#define LOG2_BITS 5

#define SHA256_BYTES 32

/* The bits of a base64url text, decoded as they are read. */
typedef struct bit_reader {
    const char *next;     /* the next character */
    unsigned sextet;      /* the one before it, decoded */
    int sextet_bits;      /* how many of it have not been read, the lower ones */
    apr_size_t bits_left; /* of whole octets; the rest of the last character is no data */
} bit_reader;

/* A Golomb-Rice coded set. */
typedef struct golomb_set {
    bit_reader bits;
    int log2_n;
    int log2_p;
    apr_uint64_t floor; /* the next value is this or larger */
    apr_uint64_t count; /* of values read */
} golomb_set;

typedef enum {
    READ_VALUE,
    READ_END,
    READ_MALFORMED
} read_result;

/* One digest of the field. */
typedef struct digest_entity {
    const char *value; /* base64url */
    apr_size_t length;
    unsigned is_reset : 1;
    unsigned is_usable : 1; /* it is about fresh responses, by their URL */
} digest_entity;

apr_uint64_t h2_cache_digest_hash(const char *url)
{
    unsigned char digest[SHA256_BYTES];
    apr_uint64_t hash = 0;
    int i;

    if (!EVP_Digest(url, strlen(url), digest, NULL, EVP_sha256(), NULL)) {
        return 0;
    }
    for (i = 0; i < 8; ++i) {
        hash = hash << 8 | digest[i];
    }
    return hash;
}

/* -1: no character of base64url. */
static int sextet_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Padding, which is not wanted but known to be sent, has to be right. 0: no base64url. */
static int start_bits(bit_reader *reader, const char *text, apr_size_t length)
{
    apr_size_t i, padding = 0;

    while (padding < 2 && padding < length && text[length - padding - 1] == '=') {
        ++padding;
    }
    if (padding && length % 4) {
        return 0;
    }
    length -= padding;
    if (length % 4 == 1) {
        return 0;
    }
    for (i = 0; i < length; ++i) {
        if (sextet_of(text[i]) < 0) {
            return 0;
        }
    }
    memset(reader, 0, sizeof(*reader));
    reader->next = text;
    reader->bits_left = (length / 4 * 3 + length % 4 * 3 / 4) * 8;
    return 1;
}

/* Only while there are bits_left. */
static unsigned read_bit(bit_reader *reader)
{
    if (!reader->sextet_bits) {
        reader->sextet = (unsigned)sextet_of(*reader->next++);
        reader->sextet_bits = 6;
    }
    --reader->bits_left;
    --reader->sextet_bits;
    return reader->sextet >> reader->sextet_bits & 1;
}

/* Only while there are so many bits_left. */
static apr_uint64_t read_bits(bit_reader *reader, int count)
{
    apr_uint64_t bits = 0;

    while (count-- > 0) {
        bits = bits << 1 | read_bit(reader);
    }
    return bits;
}

/* 0: malformed. A set of 0 bits is: its value would stand for every URL. */
static int start_set(golomb_set *set, const char *text, apr_size_t length)
{
    memset(set, 0, sizeof(*set));
    if (!start_bits(&set->bits, text, length) || set->bits.bits_left < 2 * LOG2_BITS) {
        return 0;
    }
    set->log2_n = (int)read_bits(&set->bits, LOG2_BITS);
    set->log2_p = (int)read_bits(&set->bits, LOG2_BITS);
    return set->log2_n + set->log2_p > 0;
}

/* A code word is Q 0-bits, a 1-bit, and R in log2(P) bits: the distance to the last
 * value, less 1, is Q * P + R. The set ends with 0-bits up to a whole octet. */
static read_result next_value(golomb_set *set, apr_uint64_t *pvalue)
{
    apr_uint64_t n = (apr_uint64_t)1 << set->log2_n;
    apr_uint64_t quotient = 0;
    apr_uint64_t value;

    for (;; ++quotient) {
        if (!set->bits.bits_left) {
            return quotient < 8 ? READ_END : READ_MALFORMED;
        }
        if (read_bit(&set->bits)) {
            break;
        }
    }
    if (quotient >= n || set->bits.bits_left < (apr_size_t)set->log2_p) {
        return READ_MALFORMED;
    }
    value = set->floor + (quotient << set->log2_p) + read_bits(&set->bits, set->log2_p);
    if (value >> (set->log2_n + set->log2_p)) {
        return READ_MALFORMED;
    }
    /* N is the number of values rounded to the nearest power of 2. */
    if (++set->count > n + n / 2) {
        return READ_MALFORMED;
    }
    set->floor = value + 1;
    *pvalue = value;
    return READ_VALUE;
}

static int is_well_formed(golomb_set set)
{
    apr_uint64_t value;
    read_result result;

    do {
        result = next_value(&set, &value);
    } while (result == READ_VALUE);
    return result == READ_END;
}

/* Gives the number of values reported. */
static int report(const digest_entity *digest, int limit, h2_cache_digest_fn *fn, void *baton)
{
    apr_uint64_t value;
    golomb_set set;
    int bits, count;

    if (!start_set(&set, digest->value, digest->length) || !is_well_formed(set)) {
        return 0;
    }
    bits = set.log2_n + set.log2_p;
    for (count = 0; count < limit && next_value(&set, &value) == READ_VALUE; ++count) {
        fn(baton, value << (64 - bits), bits);
    }
    return count;
}

/* Reads up to a comma or semicolon, which is left; blanks around it are stripped. */
static const char *read_word(const char **ptext, apr_size_t *plength)
{
    const char *word = *ptext + strspn(*ptext, " \t");
    apr_size_t length = strcspn(word, ",;");

    *ptext = word + length;
    while (length && (word[length - 1] == ' ' || word[length - 1] == '\t')) {
        --length;
    }
    *plength = length;
    return word;
}

static int is_flag(const char *word, apr_size_t length, const char *flag)
{
    return strlen(flag) == length && !apr_cstr_casecmpn(word, flag, length);
}

/* Reads the next digest at *ptext and moves *ptext behind it; 0: there is none. */
static int next_digest(const char **ptext, digest_entity *digest)
{
    const char *word;
    apr_size_t length;

    if (!**ptext) {
        return 0;
    }
    digest->value = read_word(ptext, &digest->length);
    digest->is_reset = 0;
    digest->is_usable = 1;
    while (**ptext == ';') {
        ++*ptext;
        word = read_word(ptext, &length);
        if (is_flag(word, length, "reset")) {
            digest->is_reset = 1;
        }
        else if (is_flag(word, length, "validators") || is_flag(word, length, "stale")) {
            digest->is_usable = 0;
        }
    }
    if (**ptext == ',') {
        ++*ptext;
    }
    return 1;
}

/* The last digest with "reset"; NULL: there is none. */
static const char *last_reset(const char *field)
{
    const char *text = field, *start = field, *last = NULL;
    digest_entity digest;

    while (next_digest(&text, &digest)) {
        if (digest.is_reset) {
            last = start;
        }
        start = text;
    }
    return last;
}

void h2_cache_digest_read(const char *field, int limit, int *preset, h2_cache_digest_fn *fn,
                          void *baton)
{
    const char *reset = last_reset(field);
    const char *text = reset ? reset : field;
    digest_entity digest;

    *preset = reset != NULL;
    while (limit > 0 && next_digest(&text, &digest)) {
        if (digest.is_usable) {
            limit -= report(&digest, limit, fn, baton);
        }
    }
}
