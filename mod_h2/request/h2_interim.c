#include "request/h2_interim.h"

#include <string.h>

#include <apr_strings.h>

/* How a status line starts; '#' is any digit. */
#define STATUS_LINE_START       "HTTP/1.# 1##"
#define STATUS_LINE_START_BYTES (sizeof(STATUS_LINE_START) - 1)
#define STATUS_OFFSET           9

typedef enum {
    EXPECTS_STATUS_LINE,
    EXPECTS_FIELD,
    IS_COMPLETE,
    IS_BROKEN
} interim_state;

struct h2_interim {
    apr_pool_t *pool; /* ours: of this head's fields, cleared by reset */
    apr_table_t *fields;
    interim_state state;
    apr_status_t error; /* why it is broken */
    int status;
    int fields_count;
    apr_size_t head_bytes; /* read since reset, at most H2_INTERIM_HEAD_BYTES_MAX */
    apr_size_t line_bytes; /* in line */
    char line[H2_INTERIM_LINE_BYTES_MAX];
};

h2_interim *h2_interim_create(apr_pool_t *pool)
{
    h2_interim *interim = apr_palloc(pool, sizeof(*interim));

    apr_pool_create(&interim->pool, pool);
    h2_interim_reset(interim);
    return interim;
}

void h2_interim_reset(h2_interim *interim)
{
    apr_pool_clear(interim->pool);
    interim->fields = apr_table_make(interim->pool, 4);
    interim->state = EXPECTS_STATUS_LINE;
    interim->error = APR_SUCCESS;
    interim->status = 0;
    interim->fields_count = 0;
    interim->head_bytes = 0;
    interim->line_bytes = 0;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9110, 5.6.2. ASCII whatever the locale, as <ctype.h> is not. */
static int is_token_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 9110, 5.5: what a field's value or a reason may not have. */
static int is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == '\x7f';
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int has_control(const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len && !is_control(text[i]); ++i) {
    }
    return i < len;
}

/* Whether the len bytes of line can become a status line. */
static int starts_status_line(const char *line, apr_size_t len)
{
    const char *pattern = STATUS_LINE_START;
    apr_size_t i;

    for (i = 0; i < len && i < STATUS_LINE_START_BYTES; ++i) {
        if (pattern[i] == '#' ? !is_digit(line[i]) : pattern[i] != line[i]) {
            return 0;
        }
    }
    return len <= STATUS_LINE_START_BYTES || line[i] == ' ' || line[i] == '\r';
}

static apr_status_t parse_status_line(h2_interim *interim, const char *line, apr_size_t len)
{
    if (len < STATUS_LINE_START_BYTES || !starts_status_line(line, len) || has_control(line, len)) {
        return APR_EINVAL;
    }
    interim->status = (line[STATUS_OFFSET] - '0') * 100 + (line[STATUS_OFFSET + 1] - '0') * 10 +
                      (line[STATUS_OFFSET + 2] - '0');
    interim->state = EXPECTS_FIELD;
    return APR_SUCCESS;
}

static apr_status_t parse_field(h2_interim *interim, const char *line, apr_size_t len)
{
    apr_size_t name_len = 0;
    apr_size_t start;

    while (name_len < len && is_token_char(line[name_len])) {
        ++name_len;
    }
    if (!name_len || name_len == len || line[name_len] != ':' || has_control(line, len)) {
        return APR_EINVAL;
    }
    if (interim->fields_count == H2_INTERIM_FIELDS_MAX) {
        return APR_ENOSPC;
    }
    start = name_len + 1;
    while (start < len && is_blank(line[start])) {
        ++start;
    }
    while (len > start && is_blank(line[len - 1])) {
        --len;
    }
    ++interim->fields_count;
    apr_table_addn(interim->fields, apr_pstrmemdup(interim->pool, line, name_len),
                   apr_pstrmemdup(interim->pool, line + start, len - start));
    return APR_SUCCESS;
}

/* The line is there, with its LF. */
static apr_status_t parse_line(h2_interim *interim)
{
    apr_size_t len = interim->line_bytes;

    interim->line_bytes = 0;
    if (len < 2 || interim->line[len - 2] != '\r') {
        return APR_EINVAL;
    }
    len -= 2;
    if (interim->state == EXPECTS_STATUS_LINE) {
        return parse_status_line(interim, interim->line, len);
    }
    if (len) {
        return parse_field(interim, interim->line, len);
    }
    interim->state = IS_COMPLETE;
    return APR_SUCCESS;
}

/* Reads up to the next LF. *pused: how many bytes. */
static apr_status_t read_piece(h2_interim *interim, const char *data, apr_size_t len,
                               apr_size_t *pused)
{
    const char *lf = memchr(data, '\n', len);
    apr_size_t bytes = lf ? (apr_size_t)(lf - data) + 1 : len;

    if (bytes > sizeof(interim->line) - interim->line_bytes ||
        bytes > H2_INTERIM_HEAD_BYTES_MAX - interim->head_bytes) {
        return APR_ENOSPC;
    }
    memcpy(interim->line + interim->line_bytes, data, bytes);
    interim->line_bytes += bytes;
    interim->head_bytes += bytes;
    *pused = bytes;
    if (lf) {
        return parse_line(interim);
    }
    /* What is none from its first bytes must not wait for the end of its line. */
    if (interim->state == EXPECTS_STATUS_LINE &&
        !starts_status_line(interim->line, interim->line_bytes)) {
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

apr_status_t h2_interim_feed(h2_interim *interim, const char *data, apr_size_t len,
                             apr_size_t *pused)
{
    apr_size_t used = 0;

    *pused = 0;
    while (interim->state != IS_BROKEN && interim->state != IS_COMPLETE && used < len) {
        apr_size_t bytes = 0;
        apr_status_t rv = read_piece(interim, data + used, len - used, &bytes);

        used += bytes;
        if (rv != APR_SUCCESS) {
            interim->state = IS_BROKEN;
            interim->error = rv;
        }
    }
    if (interim->state == IS_BROKEN) {
        return interim->error;
    }
    *pused = used;
    return APR_SUCCESS;
}

int h2_interim_is_complete(const h2_interim *interim)
{
    return interim->state == IS_COMPLETE;
}

int h2_interim_status(const h2_interim *interim)
{
    return interim->state == IS_COMPLETE ? interim->status : 0;
}

apr_table_t *h2_interim_fields(const h2_interim *interim)
{
    return interim->fields;
}
