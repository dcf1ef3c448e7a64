#include "request/h2_interim.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

/* How a status line starts; '#' is any digit, '?' one from 1 to 5. */
#define STATUS_LINE_START       "HTTP/1.# 1##"
#define ANY_STATUS_LINE_START   "HTTP/#.# ?##"
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
    int dropped_count;
    const char *dropped_name; /* of the first one that was dropped */
    apr_size_t head_bytes;    /* of the lines that were taken since reset */
    apr_size_t line_bytes;    /* in line */
    char last_byte;           /* of what was read */
    unsigned takes_any : 1;   /* final heads, too */
    unsigned ends_with_lf : 1; /* its lines, as the status line does */
    unsigned is_too_long : 1; /* the line has more than is in line */
    char line[H2_INTERIM_LINE_BYTES_MAX];
};

/* Fields that speak of one connection, or of a body that an interim response has not. */
static const char *const unfit_names[] = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
    "te", "trailer", "content-length",
};

h2_interim *h2_interim_create(apr_pool_t *pool)
{
    h2_interim *interim = apr_palloc(pool, sizeof(*interim));

    apr_pool_create(&interim->pool, pool);
    interim->takes_any = 0;
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
    interim->dropped_count = 0;
    interim->dropped_name = NULL;
    interim->head_bytes = 0;
    interim->line_bytes = 0;
    interim->last_byte = 0;
    interim->ends_with_lf = 0;
    interim->is_too_long = 0;
}

void h2_interim_take_any(h2_interim *interim)
{
    interim->takes_any = 1;
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

int h2_interim_is_good_field(const char *name, const char *value)
{
    apr_size_t i, length = strlen(name);

    for (i = 0; i < length && is_token_char(name[i]); ++i) {
    }
    if (!length || i < length || has_control(value, strlen(value))) {
        return 0;
    }
    for (i = 0; i < sizeof(unfit_names) / sizeof(unfit_names[0]); ++i) {
        if (!apr_cstr_casecmp(unfit_names[i], name)) {
            return 0;
        }
    }
    return 1;
}

static int is_as_in(char pattern, char c)
{
    switch (pattern) {
    case '#':
        return is_digit(c);
    case '?':
        return c >= '1' && c <= '5';
    default:
        return c == pattern;
    }
}

/* Whether the len bytes of line can become a status line. */
static int starts_status_line(const h2_interim *interim, const char *line, apr_size_t len)
{
    const char *pattern = interim->takes_any ? ANY_STATUS_LINE_START : STATUS_LINE_START;
    apr_size_t i;

    for (i = 0; i < len && i < STATUS_LINE_START_BYTES; ++i) {
        if (!is_as_in(pattern[i], line[i])) {
            return 0;
        }
    }
    return len <= STATUS_LINE_START_BYTES || line[i] == ' ' || line[i] == '\r'
           || (interim->takes_any && line[i] == '\n');
}

static apr_status_t parse_status_line(h2_interim *interim, const char *line, apr_size_t len)
{
    if (len < STATUS_LINE_START_BYTES || !starts_status_line(interim, line, len)
        || has_control(line, len)) {
        return APR_EINVAL;
    }
    interim->status = (line[STATUS_OFFSET] - '0') * 100 + (line[STATUS_OFFSET + 1] - '0') * 10 +
                      (line[STATUS_OFFSET + 2] - '0');
    interim->state = EXPECTS_FIELD;
    return APR_SUCCESS;
}

static void drop_field(h2_interim *interim, apr_size_t name_len)
{
    if (!interim->dropped_count++) {
        interim->dropped_name = apr_pstrmemdup(interim->pool, interim->line, name_len);
    }
}

/* Takes the field, or drops it. */
static void parse_field(h2_interim *interim, const char *line, apr_size_t len)
{
    apr_size_t name_len = 0, start, end = len;
    const char *name, *value;

    while (name_len < len && is_token_char(line[name_len])) {
        ++name_len;
    }
    if (interim->is_too_long || !name_len || name_len == len || line[name_len] != ':'
        || has_control(line, len) || interim->fields_count == H2_INTERIM_FIELDS_MAX
        || interim->head_bytes + len + 4 > H2_INTERIM_HEAD_BYTES_MAX) {
        drop_field(interim, name_len);
        return;
    }
    for (start = name_len + 1; start < end && is_blank(line[start]); ++start) {
    }
    for (; end > start && is_blank(line[end - 1]); --end) {
    }
    name = apr_pstrmemdup(interim->pool, line, name_len);
    value = apr_pstrmemdup(interim->pool, line + start, end - start);
    if (interim->status < 200 && interim->status != 101
        && !h2_interim_is_good_field(name, value)) {
        drop_field(interim, name_len);
        return;
    }
    ++interim->fields_count;
    interim->head_bytes += len + 2;
    apr_table_addn(interim->fields, name, value);
}

/* The line is there, with what ends it. */
static apr_status_t parse_line(h2_interim *interim)
{
    apr_size_t len = interim->line_bytes - 1;
    apr_status_t rv = APR_SUCCESS;

    if (len && interim->line[len - 1] == '\r') {
        --len;
    }
    if (interim->state == EXPECTS_STATUS_LINE) {
        rv = parse_status_line(interim, interim->line, len);
        interim->head_bytes = len + 2;
    }
    else if (len) {
        parse_field(interim, interim->line, len);
    }
    else {
        interim->state = IS_COMPLETE;
    }
    interim->line_bytes = 0;
    interim->is_too_long = 0;
    return rv;
}

/* What does not fit is not kept, the last byte always is. */
static void keep_bytes(h2_interim *interim, const char *data, apr_size_t bytes)
{
    apr_size_t room = sizeof(interim->line) - interim->line_bytes;

    if (bytes > room) {
        interim->is_too_long = 1;
        bytes = room;
    }
    memcpy(interim->line + interim->line_bytes, data, bytes);
    interim->line_bytes += bytes;
}

/* Is the LF that was just read, after this byte, the end of a line? Only CRLF is, unless the
 * status line had it otherwise. */
static int is_end_of_line(h2_interim *interim, char before)
{
    if (interim->state == EXPECTS_STATUS_LINE && interim->takes_any) {
        interim->ends_with_lf = (before != '\r');
    }
    return before == '\r' || interim->ends_with_lf || interim->state == EXPECTS_STATUS_LINE;
}

/* Reads up to the next LF. *pused: how many bytes. */
static apr_status_t read_piece(h2_interim *interim, const char *data, apr_size_t len,
                               apr_size_t *pused)
{
    const char *lf = memchr(data, '\n', len);
    apr_size_t bytes = lf ? (apr_size_t)(lf - data) + 1 : len;
    char before = (bytes > 1) ? data[bytes - 2] : interim->last_byte;

    keep_bytes(interim, data, bytes);
    interim->last_byte = data[bytes - 1];
    *pused = bytes;
    if (interim->state == EXPECTS_STATUS_LINE) {
        /* What is none from its first bytes must not wait for the end of its line. */
        if (!starts_status_line(interim, interim->line, interim->line_bytes)) {
            return APR_EINVAL;
        }
        if (interim->is_too_long) {
            return APR_ENOSPC;
        }
        if (lf && before != '\r' && !interim->takes_any) {
            return APR_EINVAL;
        }
    }
    return (lf && is_end_of_line(interim, before)) ? parse_line(interim) : APR_SUCCESS;
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

int h2_interim_dropped(const h2_interim *interim, const char **pname)
{
    *pname = interim->dropped_name;
    return interim->dropped_count;
}

apr_table_t *h2_interim_fields(const h2_interim *interim)
{
    return interim->fields;
}
