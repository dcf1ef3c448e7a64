/*
 * The priority of a response as client and application name it, RFC 9218, 4: how urgent it is,
 * and whether a part of it is of use alone. And what older clients say instead, RFC 7540, 5.3:
 * after which other one it is of use, and which share it shall have.
 *
 * Pure; any thread.
 */
#ifndef H2_PRIORITY_H
#define H2_PRIORITY_H

#include <apr.h>

#define H2_URGENCY_MAX     7 /* the least urgent */
#define H2_URGENCY_DEFAULT 3

typedef struct h2_priority {
    int urgency;                 /* 0, the most urgent, to H2_URGENCY_MAX */
    unsigned is_incremental : 1;
} h2_priority;

/* RFC 7540, 5.3.2 and 5.3.5. */
#define H2_WEIGHT_MIN     1
#define H2_WEIGHT_MAX     256
#define H2_WEIGHT_DEFAULT 16

typedef struct h2_dependency {
    int parent_id;               /* the stream that goes before it; 0: none */
    int weight;                  /* H2_WEIGHT_MIN to H2_WEIGHT_MAX */
    unsigned is_exclusive : 1;   /* all others that depend on that parent depend on it now */
} h2_dependency;

/* What holds where nobody says anything. */
void h2_priority_init(h2_priority *priority);
void h2_dependency_init(h2_dependency *dependency);

/* Puts what the value of a priority field says into *priority; what it does not say stays, and so
 * do unknown members and those of a wrong type or out of range. Returns 0, and changes nothing, if
 * it is no dictionary of structured fields, RFC 8941, 4.2.2. text needs no NUL at its end. */
int h2_priority_parse(h2_priority *priority, const char *text, apr_size_t length);

#endif /* H2_PRIORITY_H */
