#include "status/h2_escape.h"

#include <string.h>

/* U+FFFD */
#define UNKNOWN "\xef\xbf\xbd"

/* What one byte becomes at most: "&quot;" and "\u0000". */
#define ESCAPED_BYTES 6

static int is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The bytes of the character at text; 0: it is none, RFC 3629, 4. */
static int character_bytes(const unsigned char *text)
{
    unsigned char first = text[0];

    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return is_continuation(text[1]) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        if (!is_continuation(text[1]) || !is_continuation(text[2])
            || (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f)) {
            return 0;
        }
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (!is_continuation(text[1]) || !is_continuation(text[2]) || !is_continuation(text[3])
            || (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f)) {
            return 0;
        }
        return 4;
    }
    return 0;
}

/* What stands for the character in HTML; NULL: itself. */
static const char *html_for(unsigned char byte)
{
    switch (byte) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return (byte < ' ' || byte == 0x7f) ? UNKNOWN : NULL;
    }
}

static char *append(char *to, const char *text, apr_size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

const char *h2_escape_html(apr_pool_t *pool, const char *text)
{
    char *escaped = apr_palloc(pool, strlen(text) * ESCAPED_BYTES + 1), *to = escaped;

    while (*text) {
        int bytes = character_bytes((const unsigned char *)text);
        const char *other = (bytes == 1) ? html_for((unsigned char)*text) : NULL;

        if (!bytes) {
            other = UNKNOWN;
            bytes = 1;
        }
        to = other ? append(to, other, strlen(other)) : append(to, text, (apr_size_t)bytes);
        text += bytes;
    }
    *to = '\0';
    return escaped;
}

static int needs_escape(unsigned char byte)
{
    return byte < ' ' || byte == 0x7f || (byte && strchr("\"\\<>&'", byte));
}

const char *h2_escape_json(apr_pool_t *pool, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *escaped = apr_palloc(pool, strlen(text) * ESCAPED_BYTES + 3), *to = escaped;

    *to++ = '"';
    while (*text) {
        int bytes = character_bytes((const unsigned char *)text);
        unsigned char byte = (unsigned char)*text;

        if (bytes == 1 && needs_escape(byte)) {
            to = append(to, "\\u00", 4);
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
        else if (bytes) {
            to = append(to, text, (apr_size_t)bytes);
        }
        else {
            to = append(to, UNKNOWN, strlen(UNKNOWN));
        }
        text += bytes ? bytes : 1;
    }
    *to++ = '"';
    *to = '\0';
    return escaped;
}
