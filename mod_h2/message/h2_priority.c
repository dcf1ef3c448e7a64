#include "message/h2_priority.h"

#include <string.h>

/* Digits of an integer, and those of a decimal before and behind its point, RFC 8941, 3.3. */
#define INTEGER_DIGITS_MAX  15
#define DECIMAL_DIGITS_MAX  12
#define FRACTION_DIGITS_MAX 3

/* What is still to be read. */
typedef struct text_rest {
    const char *at;
    const char *end;
} text_rest;

/* Of the types of RFC 8941 those that a priority has are told apart. */
typedef enum {
    ITEM_INTEGER,
    ITEM_BOOLEAN,
    ITEM_OTHER
} item_type;

typedef struct item {
    item_type type;
    apr_int64_t number; /* of an integer; of a boolean 0 or 1 */
} item;

void h2_priority_init(h2_priority *priority)
{
    priority->urgency = H2_URGENCY_DEFAULT;
    priority->is_incremental = 0;
}

void h2_dependency_init(h2_dependency *dependency)
{
    dependency->parent_id = 0;
    dependency->weight = H2_WEIGHT_DEFAULT;
    dependency->is_exclusive = 0;
}

/* The next octet, 0 at the end: a NUL is allowed nowhere. */
static char peek(const text_rest *rest)
{
    return (rest->at < rest->end) ? *rest->at : '\0';
}

static int take(text_rest *rest, char octet)
{
    if (peek(rest) != octet || rest->at == rest->end) {
        return 0;
    }
    ++rest->at;
    return 1;
}

static void skip_spaces(text_rest *rest)
{
    while (take(rest, ' ')) {
        continue;
    }
}

static void skip_blanks(text_rest *rest)
{
    while (take(rest, ' ') || take(rest, '\t')) {
        continue;
    }
}

static int is_one_of(char octet, const char *octets)
{
    return octet && strchr(octets, octet);
}

static int is_lower(char octet)
{
    return octet >= 'a' && octet <= 'z';
}

static int is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

static int is_alpha(char octet)
{
    return is_lower(octet) || (octet >= 'A' && octet <= 'Z');
}

/* RFC 8941, 4.2.3.3. Gives its length, 0: it is none. */
static apr_size_t read_key(text_rest *rest)
{
    const char *begin = rest->at;

    if (!is_lower(peek(rest)) && peek(rest) != '*') {
        return 0;
    }
    while (is_lower(peek(rest)) || is_digit(peek(rest)) || is_one_of(peek(rest), "_-.*")) {
        ++rest->at;
    }
    return (apr_size_t)(rest->at - begin);
}

/* RFC 8941, 4.2.4: an integer or a decimal. */
static int read_number(text_rest *rest, item *found)
{
    int is_negative = take(rest, '-'), digits = 0, fraction = 0;
    apr_int64_t number = 0;

    for (; is_digit(peek(rest)); ++rest->at) {
        if (++digits > INTEGER_DIGITS_MAX) {
            return 0;
        }
        number = 10 * number + (*rest->at - '0');
    }
    found->type = ITEM_INTEGER;
    found->number = is_negative ? -number : number;
    if (digits && take(rest, '.')) {
        found->type = ITEM_OTHER;
        for (; is_digit(peek(rest)); ++rest->at) {
            ++fraction;
        }
        return digits <= DECIMAL_DIGITS_MAX && fraction && fraction <= FRACTION_DIGITS_MAX;
    }
    return digits > 0;
}

/* RFC 8941, 4.2.5, behind its first quote. */
static int read_string(text_rest *rest)
{
    while (rest->at < rest->end) {
        unsigned char octet = (unsigned char)*rest->at++;

        if (octet == '"') {
            return 1;
        }
        if (octet < 0x20 || octet > 0x7e
            || (octet == '\\' && !take(rest, '"') && !take(rest, '\\'))) {
            return 0;
        }
    }
    return 0;
}

/* RFC 8941, 4.2.7, behind its first colon. */
static int read_bytes(text_rest *rest)
{
    while (is_alpha(peek(rest)) || is_digit(peek(rest)) || is_one_of(peek(rest), "+/=")) {
        ++rest->at;
    }
    return take(rest, ':');
}

/* RFC 8941, 4.2.6. */
static int read_token(text_rest *rest)
{
    while (is_alpha(peek(rest)) || is_digit(peek(rest))
           || is_one_of(peek(rest), "!#$%&'*+-.^_`|~:/")) {
        ++rest->at;
    }
    return 1;
}

/* RFC 8941, 4.2.3.1. */
static int read_bare_item(text_rest *rest, item *found)
{
    char first = peek(rest);

    found->type = ITEM_OTHER;
    if (first == '-' || is_digit(first)) {
        return read_number(rest, found);
    }
    if (take(rest, '"')) {
        return read_string(rest);
    }
    if (take(rest, ':')) {
        return read_bytes(rest);
    }
    if (take(rest, '?')) {
        found->type = ITEM_BOOLEAN;
        found->number = (peek(rest) == '1');
        return take(rest, '0') || take(rest, '1');
    }
    return (first == '*' || is_alpha(first)) ? read_token(rest) : 0;
}

/* RFC 8941, 4.2.3.2: nobody wants to know them. */
static int read_parameters(text_rest *rest)
{
    while (take(rest, ';')) {
        item ignored;

        skip_spaces(rest);
        if (!read_key(rest) || (take(rest, '=') && !read_bare_item(rest, &ignored))) {
            return 0;
        }
    }
    return 1;
}

/* RFC 8941, 4.2.1.2, behind its bracket. */
static int read_inner_list(text_rest *rest)
{
    for (;;) {
        item ignored;

        skip_spaces(rest);
        if (take(rest, ')')) {
            return 1;
        }
        if (!read_bare_item(rest, &ignored) || !read_parameters(rest)
            || !is_one_of(peek(rest), " )")) {
            return 0;
        }
    }
}

/* What stands behind a key. */
static int read_value(text_rest *rest, item *found)
{
    int is_good = 1;

    found->type = ITEM_BOOLEAN;
    found->number = 1;
    if (take(rest, '=')) {
        if (take(rest, '(')) {
            found->type = ITEM_OTHER;
            is_good = read_inner_list(rest);
        }
        else {
            is_good = read_bare_item(rest, found);
        }
    }
    return is_good && read_parameters(rest);
}

/* The last of a key counts, also if it says nothing. */
static void note_member(const h2_priority *before, h2_priority *priority, char key,
                        const item *value)
{
    if (key == 'u') {
        int is_good = value->type == ITEM_INTEGER && value->number >= 0
                      && value->number <= H2_URGENCY_MAX;

        priority->urgency = is_good ? (int)value->number : before->urgency;
    }
    else if (key == 'i') {
        priority->is_incremental = (value->type == ITEM_BOOLEAN) ? (value->number != 0)
                                                                 : before->is_incremental;
    }
}

int h2_priority_parse(h2_priority *priority, const char *text, apr_size_t length)
{
    text_rest rest = {text, text + length};
    h2_priority found = *priority;

    skip_spaces(&rest);
    while (rest.at < rest.end) {
        const char *key = rest.at;
        apr_size_t key_length = read_key(&rest);
        item value;

        if (!key_length || !read_value(&rest, &value)) {
            return 0;
        }
        if (key_length == 1) {
            note_member(priority, &found, *key, &value);
        }
        skip_blanks(&rest);
        if (rest.at == rest.end) {
            break;
        }
        if (!take(&rest, ',')) {
            return 0;
        }
        skip_blanks(&rest);
        if (rest.at == rest.end) {
            return 0; /* nothing behind the comma */
        }
    }
    *priority = found;
    return 1;
}
