#include "message/h2_link.h"

#include <string.h>

#include <apr_cstr.h>

/* What is left of one link-value. */
typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

/* A part of the field's value. */
typedef struct span {
    const char *text;
    apr_size_t length;
} span;

typedef struct parameter {
    span name;  /* may be empty */
    span value; /* without its quotes; empty where there is none */
    unsigned is_quoted : 1;
} parameter;

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The closing quote of the string that opens at text; the NUL where there is none. */
static const char *closing_quote(const char *text)
{
    for (++text; *text && *text != '"'; ++text) {
        if (*text == '\\' && text[1]) {
            ++text;
        }
    }
    return text;
}

/* The comma behind the link-value at text, or the NUL. Brackets count up to the
 * first parameter only: "title=a<b" does not open one. */
static const char *link_end(const char *text)
{
    int is_target = 1;

    for (; *text && *text != ','; ++text) {
        if (*text == '"') {
            text = closing_quote(text);
        }
        else if (*text == '<' && is_target) {
            text += strcspn(text, ">");
        }
        else if (*text == ';') {
            is_target = 0;
        }
        if (!*text) {
            break;
        }
    }
    return text;
}

static void skip_blanks(cursor *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at)) {
        ++rest->at;
    }
}

/* Is the next octet c? */
static int is_next(const cursor *rest, char c)
{
    return rest->at < rest->end && *rest->at == c;
}

/* Reads up to one of the octets of stops, which is left, or to the end. */
static span read_until(cursor *rest, const char *stops)
{
    span read = {rest->at, 0};

    while (rest->at < rest->end && !strchr(stops, *rest->at)) {
        ++rest->at;
    }
    read.length = (apr_size_t)(rest->at - read.text);
    return read;
}

static int read_target(cursor *rest, span *ptarget)
{
    if (!is_next(rest, '<')) {
        return 0;
    }
    ++rest->at;
    *ptarget = read_until(rest, "<>");
    if (!is_next(rest, '>')) {
        return 0;
    }
    ++rest->at;
    return 1;
}

/* What stands behind "=". Without quotes it may be more than a token: "as=a/b" and
 * even "rel=a b" are seen and can be understood in one way only. */
static int read_value(cursor *rest, parameter *param)
{
    const char *close;

    skip_blanks(rest);
    if (is_next(rest, '"')) {
        close = closing_quote(rest->at);
        if (close >= rest->end) {
            return 0;
        }
        param->is_quoted = 1;
        param->value.text = rest->at + 1;
        param->value.length = (apr_size_t)(close - rest->at - 1);
        rest->at = close + 1;
        return 1;
    }
    param->value = read_until(rest, ";\"");
    while (param->value.length && is_blank(param->value.text[param->value.length - 1])) {
        --param->value.length;
    }
    return 1;
}

/* Reads one parameter, which starts behind its ";" and ends before the next. */
static int read_parameter(cursor *rest, parameter *param)
{
    param->value.text = "";
    param->value.length = 0;
    param->is_quoted = 0;
    skip_blanks(rest);
    param->name = read_until(rest, " \t=;\"");
    skip_blanks(rest);
    if (is_next(rest, '=')) {
        ++rest->at;
        if (!read_value(rest, param)) {
            return 0;
        }
        skip_blanks(rest);
    }
    return rest->at == rest->end || is_next(rest, ';');
}

static int is_name(const parameter *param, const char *name)
{
    return strlen(name) == param->name.length
           && !apr_cstr_casecmpn(param->name.text, name, param->name.length);
}

/* The value in pool, quoted pairs resolved. */
static char *copy_value(const parameter *param, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, param->value.text, param->value.length);
    char *from = copy;
    char *to = copy;

    if (param->is_quoted) {
        while (*from) {
            if (*from == '\\' && from[1]) {
                ++from;
            }
            *to++ = *from++;
        }
        *to = '\0';
    }
    return copy;
}

/* Is relation one of the list, in which blanks separate? */
static int has_relation(const char *list, const char *relation)
{
    apr_size_t length = strlen(relation);

    while (*list) {
        apr_size_t word = strcspn(list, " \t");

        if (word == length && !apr_cstr_casecmpn(list, relation, length)) {
            return 1;
        }
        list += word;
        list += strspn(list, " \t");
    }
    return 0;
}

/* All parameters of a link-value; those that are not known are passed over. */
static int read_parameters(cursor *rest, apr_pool_t *pool, h2_link *link)
{
    int has_rel = 0, has_as = 0, has_anchor = 0;
    parameter param;

    for (skip_blanks(rest); rest->at < rest->end; skip_blanks(rest)) {
        if (*rest->at++ != ';' || !read_parameter(rest, &param)) {
            return 0;
        }
        if (is_name(&param, "rel") && !has_rel) {
            has_rel = 1; /* RFC 8288, 3.3: others are ignored */
            link->is_preload = has_relation(copy_value(&param, pool), "preload");
        }
        else if (is_name(&param, "as") && !has_as) {
            has_as = 1;
            link->as = param.value.length ? copy_value(&param, pool) : NULL;
        }
        else if (is_name(&param, "anchor")) {
            has_anchor = 1;
        }
        else if (is_name(&param, "nopush")) {
            link->is_nopush = 1;
        }
        else if (is_name(&param, "critical")) {
            link->is_critical = 1;
        }
    }
    if (has_anchor) {
        link->is_preload = 0; /* RFC 8288, 3.2: it is about another resource */
    }
    return 1;
}

int h2_link_next(const char **ptext, apr_pool_t *pool, h2_link *link)
{
    cursor rest;
    span target;

    while (**ptext) {
        h2_link found = {NULL, NULL, 0, 0, 0};

        rest.at = *ptext;
        rest.end = link_end(rest.at);
        *ptext = rest.end + (*rest.end == ',');
        skip_blanks(&rest);
        if (read_target(&rest, &target) && read_parameters(&rest, pool, &found)) {
            found.target = apr_pstrmemdup(pool, target.text, target.length);
            *link = found;
            return 1;
        }
    }
    return 0;
}
