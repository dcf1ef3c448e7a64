/*
 * The profiles of H2TuningProfile: sets of values that go together. docs/tuning.md has the reasons
 * for each number.
 *
 * Constant. Any thread.
 */
#ifndef H2_PROFILE_H
#define H2_PROFILE_H

#include "base/h2_base.h"

/* In the units of h2_server_conf, and in the ranges of the directives. */
typedef struct h2_profile {
    const char *name;
    int max_session_streams;
    int window_bytes;
    int max_frame_bytes;
    int stream_mem_bytes;
    int min_workers; /* not above max_workers */
    int max_workers;
} h2_profile;

/* How their names are told to an administrator. */
#define H2_PROFILE_NAMES "conservative, balanced or high-concurrency"

/* The profile of that name, in any case; NULL: there is none. */
const h2_profile *h2_profile_find(const char *name);

#endif /* H2_PROFILE_H */
