#include "base/h2_text.h"

#include <string.h>

/* A byte in each of the eight places of a word. */
#define EACH(byte) ((apr_uint64_t)0x0101010101010101 * (byte))

/* Eight octets at once: a borrow out of octet - 0x20 sets the upper bit where the octet is
 * smaller; likewise for octet ^ 0x7f, which is 0 for 0x7f alone. A borrow into the next
 * octet may find one too many there, but only where there is one before. */
static apr_uint64_t controls_in(apr_uint64_t word)
{
    apr_uint64_t del = word ^ EACH(0x7f);

    return (((word - EACH(0x20)) & ~word) | ((del - EACH(0x01)) & ~del)) & EACH(0x80);
}

/* The first octet is the lowest of the word, so that a hash is the same on every machine. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOWEST_FIRST(bits, word) __builtin_bswap##bits(word)
#else
#define LOWEST_FIRST(bits, word) (word)
#endif

static apr_uint64_t word_at(const char *text)
{
    apr_uint64_t word;

    memcpy(&word, text, sizeof(word));
    return LOWEST_FIRST(64, word);
}

/* Fewer than eight octets: two halves that may overlap, or one after another. */
static apr_uint64_t short_word(const char *text, apr_size_t length)
{
    apr_uint64_t word = EACH('a');
    apr_uint32_t first, last;

    if (length >= sizeof(first)) {
        memcpy(&first, text, sizeof(first));
        memcpy(&last, text + length - sizeof(last), sizeof(last));
        return ((apr_uint64_t)LOWEST_FIRST(32, first) << 32) | LOWEST_FIRST(32, last);
    }
    for (; length; ++text, --length) {
        word = (word << 8) | (unsigned char)*text;
    }
    return word;
}

/* Sixteen octets, as gcc and clang work on them at once where the processor can. Where it cannot,
 * how functions take and return them depends on options of the compiler: ours do not. */
typedef unsigned char octets __attribute__((vector_size(16)));

/* All ones in the place of each octet that is a control. */
static void find_controls(octets *found, const char *text)
{
    octets block;

    memcpy(&block, text, sizeof(block));
    *found |= (octets)((block < 0x20) | (block == 0x7f));
}

static int is_any(const octets *found)
{
    apr_uint64_t halves[2];

    memcpy(halves, found, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

int h2_text_has_control(const char *text, apr_size_t length)
{
    const char *last = text + length - sizeof(octets);
    octets found = {0};

    if (length < sizeof(apr_uint64_t)) {
        return controls_in(short_word(text, length)) != 0;
    }
    if (length < sizeof(octets)) {
        return (controls_in(word_at(text))
                | controls_in(word_at(text + length - sizeof(apr_uint64_t)))) != 0;
    }
    for (; text < last; text += sizeof(octets)) {
        find_controls(&found, text);
    }
    find_controls(&found, last);
    return is_any(&found);
}

/* The upper half of a product depends on all octets, the lower one only on the first. */
static apr_uint64_t mix(apr_uint64_t hash, apr_uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15; /* 2^64 / the golden ratio */
    return hash ^ (hash >> 32);
}

apr_uint64_t h2_text_hash(apr_uint64_t hash, const char *text, apr_size_t length)
{
    const char *last = text + length - sizeof(apr_uint64_t);

    hash = mix(hash, length);
    if (length < sizeof(apr_uint64_t)) {
        return mix(hash, short_word(text, length));
    }
    for (; text < last; text += sizeof(apr_uint64_t)) {
        hash = mix(hash, word_at(text));
    }
    return mix(hash, word_at(last));
}

char *h2_text_number(char *end, apr_uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return end;
}
