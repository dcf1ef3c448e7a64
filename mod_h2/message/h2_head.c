#include "message/h2_head.h"

#include <stdlib.h>
#include <string.h>

#include "base/h2_text.h"

/* What fits without growing: a tool's head, but not a browser's. Streams that a client
 * blocks keep their heads, so room that most do not use is paid for dearly. */
#define H2_HEAD_ARENA_BYTES 512
#define H2_HEAD_FIELDS 12

/* Grown once, there is room for a browser's. */
#define H2_HEAD_GROWN_BYTES 2048

/* Hashes of names: a power of two, so many that different names seldom share one. */
#define H2_HEAD_NAME_BITS 256

/* Places in the arena; offsets, as the arena may move while it grows. 0 is
 * never used by a string, and stands for none. */
typedef struct field_place {
    apr_uint32_t name;
    apr_uint32_t value;
} field_place;

typedef enum {
    PSEUDO_METHOD,
    PSEUDO_SCHEME,
    PSEUDO_AUTHORITY,
    PSEUDO_PATH,
    PSEUDO_PROTOCOL,
    PSEUDO_COUNT
} pseudo_field;

static const struct {
    const char *name;
    apr_size_t length;
} pseudo_names[PSEUDO_COUNT] = {
#define NAME(text) {text, sizeof(text) - 1}
    NAME(":method"), NAME(":scheme"), NAME(":authority"), NAME(":path"), NAME(":protocol"),
#undef NAME
};

struct h2_head {
    char *arena;               /* own_arena, or malloc'ed when that was too small */
    apr_size_t arena_size;
    apr_size_t arena_used;
    field_place *fields;       /* likewise */
    int field_count;
    int field_size;
    apr_uint32_t pseudo[PSEUDO_COUNT];
    apr_size_t list_bytes;
    apr_uint64_t names_seen[H2_HEAD_NAME_BITS / 64]; /* a bit for each hash of a name */
    unsigned has_repeated : 1; /* a name may be there twice */
    unsigned has_priority : 1; /* there is a field named priority */
    field_place own_fields[H2_HEAD_FIELDS];
    char own_arena[H2_HEAD_ARENA_BYTES];
};

h2_head *h2_head_create(h2_blocks *blocks)
{
    h2_head *head = h2_blocks_alloc(blocks, sizeof(*head));

    if (!head) {
        return NULL;
    }
    memset(head, 0, APR_OFFSETOF(h2_head, own_fields));
    head->arena = head->own_arena;
    head->arena_size = sizeof(head->own_arena);
    head->arena_used = 1;
    head->fields = head->own_fields;
    head->field_size = H2_HEAD_FIELDS;
    return head;
}

void h2_head_destroy(h2_head *head, h2_blocks *blocks)
{
    if (head) {
        if (head->arena != head->own_arena) {
            free(head->arena);
        }
        if (head->fields != head->own_fields) {
            free(head->fields);
        }
        h2_blocks_free(blocks, head);
    }
}

/* More memory for what is in own, or in a block of its own already; NULL: there is none. */
static void *grow(void *block, void *own, apr_size_t used, apr_size_t size)
{
    void *grown = realloc((block == own) ? NULL : block, size);

    if (grown && block == own) {
        memcpy(grown, own, used);
    }
    return grown;
}

static apr_status_t reserve(h2_head *head, apr_size_t bytes)
{
    apr_size_t size = head->arena_size;
    char *arena;

    if (head->arena_used + bytes <= size) {
        return APR_SUCCESS;
    }
    if (size < H2_HEAD_GROWN_BYTES) {
        size = H2_HEAD_GROWN_BYTES;
    }
    while (size < head->arena_used + bytes) {
        size *= 2;
    }
    arena = grow(head->arena, head->own_arena, head->arena_used, size);
    if (!arena) {
        return APR_ENOMEM;
    }
    head->arena = arena;
    head->arena_size = size;
    return APR_SUCCESS;
}

static apr_status_t reserve_field(h2_head *head)
{
    field_place *fields;

    if (head->field_count < head->field_size) {
        return APR_SUCCESS;
    }
    fields = grow(head->fields, head->own_fields, head->field_count * sizeof(fields[0]),
                  2 * head->field_size * sizeof(fields[0]));
    if (!fields) {
        return APR_ENOMEM;
    }
    head->fields = fields;
    head->field_size *= 2;
    return APR_SUCCESS;
}

/* Only after reserve(). */
static apr_uint32_t store(h2_head *head, const char *data, apr_size_t length)
{
    apr_uint32_t place = (apr_uint32_t)head->arena_used;

    memcpy(head->arena + place, data, length);
    head->arena[place + length] = '\0';
    head->arena_used += length + 1;
    return place;
}

static int pseudo_index(const char *name, apr_size_t length)
{
    int i;

    for (i = 0; i < PSEUDO_COUNT; ++i) {
        if (pseudo_names[i].length == length && !memcmp(pseudo_names[i].name, name, length)) {
            return i;
        }
    }
    return -1;
}

static int has_forbidden_octet(const char *data, apr_size_t length)
{
    return h2_text_has_control(data, length)
           && (memchr(data, '\0', length) || memchr(data, '\r', length)
               || memchr(data, '\n', length));
}

static void strip_blanks(const char **pvalue, apr_size_t *plength)
{
    const char *value = *pvalue;
    apr_size_t length = *plength;

    while (length && (value[0] == ' ' || value[0] == '\t')) {
        ++value;
        --length;
    }
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        --length;
    }
    *pvalue = value;
    *plength = length;
}

/* Is it one that is asked for often, and has a name of the same hash been seen before? In these
 * bits of it all names that browsers send differ. */
static void note_name(h2_head *head, const char *name, apr_size_t length)
{
    apr_uint32_t hash = (apr_uint32_t)(h2_text_hash(0, name, length) >> 40) % H2_HEAD_NAME_BITS;
    apr_uint64_t bit = (apr_uint64_t)1 << (hash % 64);

    head->has_repeated |= (head->names_seen[hash / 64] & bit) != 0;
    head->names_seen[hash / 64] |= bit;
    if (length == 8 && !memcmp(name, "priority", 8)) {
        head->has_priority = 1;
    }
}

apr_status_t h2_head_add(h2_head *head, const char *name, apr_size_t name_length,
                         const char *value, apr_size_t value_length,
                         apr_size_t limit_bytes)
{
    return (has_forbidden_octet(name, name_length) || has_forbidden_octet(value, value_length))
               ? APR_EINVAL
               : h2_head_add_checked(head, name, name_length, value, value_length, limit_bytes);
}

apr_status_t h2_head_add_checked(h2_head *head, const char *name, apr_size_t name_length,
                                 const char *value, apr_size_t value_length,
                                 apr_size_t limit_bytes)
{
    apr_size_t bytes = name_length + value_length + H2_FIELD_OVERHEAD_BYTES;
    apr_status_t rv;
    int pseudo = -1;

    H2_ASSERT(!has_forbidden_octet(name, name_length)
              && !has_forbidden_octet(value, value_length));
    if (bytes > limit_bytes || head->list_bytes > limit_bytes - bytes) {
        return APR_ENOSPC;
    }
    strip_blanks(&value, &value_length);
    if (name_length && name[0] == ':') {
        pseudo = pseudo_index(name, name_length);
        if (pseudo < 0) {
            return APR_EINVAL;
        }
    }
    rv = reserve(head, name_length + value_length + 2);
    if (rv == APR_SUCCESS) {
        rv = reserve_field(head);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    head->list_bytes += bytes;
    if (pseudo >= 0) {
        head->pseudo[pseudo] = store(head, value, value_length);
        return APR_SUCCESS;
    }
    head->fields[head->field_count].name = store(head, name, name_length);
    head->fields[head->field_count].value = store(head, value, value_length);
    ++head->field_count;
    note_name(head, name, name_length);
    return APR_SUCCESS;
}

static const char *pseudo_value(const h2_head *head, pseudo_field pseudo)
{
    return head->pseudo[pseudo] ? head->arena + head->pseudo[pseudo] : NULL;
}

const char *h2_head_method(const h2_head *head)
{
    return pseudo_value(head, PSEUDO_METHOD);
}

const char *h2_head_scheme(const h2_head *head)
{
    return pseudo_value(head, PSEUDO_SCHEME);
}

const char *h2_head_authority(const h2_head *head)
{
    return pseudo_value(head, PSEUDO_AUTHORITY);
}

const char *h2_head_path(const h2_head *head)
{
    return pseudo_value(head, PSEUDO_PATH);
}

const char *h2_head_protocol(const h2_head *head)
{
    return pseudo_value(head, PSEUDO_PROTOCOL);
}

int h2_head_count(const h2_head *head)
{
    return head->field_count;
}

h2_field h2_head_field(const h2_head *head, int index)
{
    h2_field field = {head->arena + head->fields[index].name,
                      head->arena + head->fields[index].value};

    return field;
}

const char *h2_head_get(const h2_head *head, const char *name)
{
    int i;

    for (i = 0; i < head->field_count; ++i) {
        h2_field field = h2_head_field(head, i);

        if (!strcmp(field.name, name)) {
            return field.value;
        }
    }
    return NULL;
}

apr_size_t h2_head_bytes(const h2_head *head)
{
    return head->list_bytes;
}

/* The values of all cookie fields in one, RFC 9113, 8.2.3. */
static void join_cookies(const h2_head *head, apr_table_t *table)
{
    apr_pool_t *pool = apr_table_elts(table)->pool;
    apr_array_header_t *crumbs = apr_array_make(pool, 8, sizeof(const char *));
    int i;

    for (i = 0; i < head->field_count; ++i) {
        h2_field field = h2_head_field(head, i);

        if (!strcmp(field.name, "cookie")) {
            if (crumbs->nelts) {
                APR_ARRAY_PUSH(crumbs, const char *) = "; ";
            }
            APR_ARRAY_PUSH(crumbs, const char *) = field.value;
        }
    }
    if (crumbs->nelts > 1) {
        apr_table_setn(table, "cookie", apr_array_pstrcat(pool, crumbs, 0));
    }
}

int h2_head_has_priority(const h2_head *head)
{
    return head->has_priority;
}

int h2_head_may_repeat(const h2_head *head)
{
    return head->has_repeated;
}

void h2_head_to_table(const h2_head *head, apr_table_t *table)
{
    int i;

    for (i = 0; i < head->field_count; ++i) {
        h2_field field = h2_head_field(head, i);

        apr_table_addn(table, field.name, field.value);
    }
    if (head->has_repeated) {
        join_cookies(head, table);
        apr_table_compress(table, APR_OVERLAP_TABLES_MERGE);
    }
}
