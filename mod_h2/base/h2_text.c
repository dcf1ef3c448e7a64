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

int h2_text_has_control(const char *text, apr_size_t length)
{
    apr_uint64_t word, found = 0;

    for (; length >= sizeof(word); text += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        found |= controls_in(word);
    }
    for (word = EACH('a'); length; ++text, --length) {
        word = (word << 8) | (unsigned char)*text;
    }
    return (found | controls_in(word)) != 0;
}

char *h2_text_number(char *end, apr_uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return end;
}
