#include "config/h2_profile.h"

static const h2_profile profiles[] = {
    {"conservative",     100, 65535,       16384, 65536,  4,  32},
    {"balanced",         128, 256 * 1024,  16384, 131072, 8,  64},
    {"high-concurrency", 256, 1024 * 1024, 32768, 262144, 32, 256},
};

const h2_profile *h2_profile_find(const char *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(profiles) / sizeof(profiles[0]); ++i) {
        if (!strcasecmp(name, profiles[i].name)) {
            return &profiles[i];
        }
    }
    return NULL;
}
