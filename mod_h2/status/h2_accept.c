#include "status/h2_accept.h"

#include <string.h>
#include <strings.h>

/* Part of a field, not ended. */
typedef struct part {
    const char *text;
    apr_size_t length;
} part;

/* How much an offer is liked, by the most specific range that it falls under. */
typedef struct liking {
    int quality;  /* thousandths; 0: not at all */
    int specific; /* 0: no range; then any type, any subtype, the type, and with its version */
} liking;

static part trimmed(const char *text, const char *end)
{
    part found;

    while (text < end && (*text == ' ' || *text == '\t')) {
        ++text;
    }
    while (end > text && (end[-1] == ' ' || end[-1] == '\t')) {
        --end;
    }
    found.text = text;
    found.length = (apr_size_t)(end - text);
    return found;
}

/* Takes what stands before the separator, or the end, away from rest; a quoted string is passed as
 * a whole. Returns 0 if there is nothing left. */
static int take(part *taken, part *rest, char separator)
{
    const char *at = rest->text, *end = rest->text + rest->length;
    int is_quoted = 0;

    if (!rest->length) {
        return 0;
    }
    for (; at < end && (is_quoted || *at != separator); ++at) {
        if (*at == '"') {
            is_quoted = !is_quoted;
        }
        else if (is_quoted && *at == '\\' && at + 1 < end) {
            ++at;
        }
    }
    *taken = trimmed(rest->text, at);
    rest->text = (at < end) ? at + 1 : at;
    rest->length = (apr_size_t)(end - rest->text);
    return 1;
}

static int is_text(part p, const char *text, apr_size_t length)
{
    return p.length == length && !strncasecmp(p.text, text, length);
}

/* In thousandths; what is no quality is the best one, as if it were not there. */
static int quality_of(part value)
{
    int quality = 0, weight = 1000;
    apr_size_t i;

    for (i = 0; i < value.length && i < sizeof("0.999") - 1; ++i) {
        if (i == 1 && value.text[i] == '.') {
            continue;
        }
        if (i == 1 || value.text[i] < '0' || value.text[i] > '9') {
            return 1000;
        }
        quality += weight * (value.text[i] - '0');
        weight /= 10;
    }
    return (i && quality <= 1000) ? quality : 1000;
}

/* How specific a range without its parameters is, as struct liking has it. */
static int match_type(part range, const h2_offer *of)
{
    apr_size_t type_length = (apr_size_t)(strchr(of->type, '/') - of->type);

    if (is_text(range, "*/*", 3)) {
        return 1;
    }
    if (range.length == type_length + 2 && range.text[type_length + 1] == '*'
        && !strncasecmp(range.text, of->type, type_length + 1)) {
        return 2;
    }
    return is_text(range, of->type, strlen(of->type)) ? 3 : 0;
}

/* What a range, with its parameters, says of the offer. Of these the version counts, and the
 * quality. */
static liking judge(part range, const h2_offer *of)
{
    liking found = {1000, 0};
    part name, parameter;

    if (!take(&name, &range, ';')) {
        return found;
    }
    found.specific = match_type(name, of);
    while (found.specific && take(&parameter, &range, ';')) {
        part value = parameter;

        if (!take(&name, &value, '=')) {
            continue;
        }
        value = trimmed(value.text, value.text + value.length);
        if (value.length >= 2 && value.text[0] == '"' && value.text[value.length - 1] == '"') {
            ++value.text;
            value.length -= 2;
        }
        if (is_text(name, "q", 1)) {
            found.quality = quality_of(value);
        }
        else if (is_text(name, "version", 7)) {
            found.specific = is_text(value, of->version, strlen(of->version)) ? 4 : 0;
        }
    }
    return found;
}

static liking like(const char *accept, const h2_offer *of)
{
    part rest = {accept, strlen(accept)}, range;
    liking best = {0, 0};

    while (take(&range, &rest, ',')) {
        liking found = judge(range, of);

        if (found.specific > best.specific
            || (found.specific == best.specific && found.specific
                && found.quality > best.quality)) {
            best = found;
        }
    }
    return best;
}

int h2_accept_prefers(const char *accept, const h2_offer *one, const h2_offer *other)
{
    liking first, second;

    if (!accept) {
        return 0;
    }
    first = like(accept, one);
    second = like(accept, other);
    if (first.quality != second.quality) {
        return first.quality > second.quality;
    }
    return first.quality && first.specific > second.specific; /* who names it wants it */
}
