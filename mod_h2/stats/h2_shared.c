#include "stats/h2_shared.h"

#include <string.h>

#include <apr_shm.h>

/* How often a reader tries that finds a writer. */
#define H2_SHARED_TRIES 100

typedef _Atomic(apr_uint64_t) word;

/* What the process keeps of a segment, also while this module is loaded anew. */
typedef struct retained {
    void *base;
    apr_size_t bytes;
    char version[32];
} retained;

void *h2_shared_create(server_rec *s, const char *key, apr_size_t bytes, int *pis_new)
{
    retained *kept = ap_retained_data_get(key);
    apr_shm_t *shm;

    *pis_new = 0;
    if (!kept) {
        kept = ap_retained_data_create(key, sizeof(*kept));
    }
    if (kept->base && kept->bytes == bytes && !strcmp(kept->version, H2_VERSION)) {
        return kept->base;
    }
    /* Without a name: children have it as they are forked. It takes memory only where it is
     * used. */
    if (apr_shm_create(&shm, bytes, NULL, s->process->pool) != APR_SUCCESS) {
        return NULL;
    }
    kept->base = apr_shm_baseaddr_get(shm);
    kept->bytes = bytes;
    apr_cpystrn(kept->version, H2_VERSION, sizeof(kept->version));
    *pis_new = 1;
    return kept->base;
}

void h2_shared_reset(h2_shared_guard *guard)
{
    atomic_store(guard, atomic_load(guard) & ~(apr_uint32_t)1);
}

void h2_shared_put(h2_shared_guard *guard, void *to, const void *from, apr_size_t bytes)
{
    apr_uint32_t sequence = atomic_load_explicit(guard, memory_order_relaxed);
    const apr_uint64_t *source = from;
    word *target = to;
    apr_size_t i;

    /* Each word is released, so that who sees one of them sees the odd number as well. */
    atomic_store_explicit(guard, sequence + 1, memory_order_relaxed);
    for (i = 0; i < bytes / sizeof(word); ++i) {
        atomic_store_explicit(&target[i], source[i], memory_order_release);
    }
    atomic_store_explicit(guard, sequence + 2, memory_order_release);
}

int h2_shared_get(const h2_shared_guard *guard, void *to, const void *from, apr_size_t bytes)
{
    const word *source = from;
    apr_uint64_t *target = to;
    apr_size_t i;
    int tries;

    for (tries = 0; tries < H2_SHARED_TRIES; ++tries) {
        apr_uint32_t before = atomic_load_explicit(guard, memory_order_acquire);

        for (i = 0; i < bytes / sizeof(word); ++i) {
            target[i] = atomic_load_explicit(&source[i], memory_order_acquire);
        }
        if (!(before & 1) && atomic_load_explicit(guard, memory_order_relaxed) == before) {
            return 1;
        }
    }
    return 0;
}
