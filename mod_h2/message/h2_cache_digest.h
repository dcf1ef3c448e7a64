/*
 * Reads the Cache-Digest field of a request, in which a client lists by short
 * hashes what it has cached, so that this is not pushed.
 *
 * The field was defined by the expired draft-ietf-httpbis-cache-digest, from -02
 * on (appendix: a CACHE_DIGEST frame as a header field):
 *
 *     Cache-Digest  = 1#digest-entity
 *     digest-entity = digest-value *(OWS ";" OWS digest-flag)
 *
 * A digest-value is in base64url without padding. It has had three forms:
 *
 * -02: a Golomb-Rice coded set: log2(N) and log2(P) in 5 bits each, then the
 *     distances between the sorted hashes of URLs. This is what is read here.
 * -03 and later: a Cuckoo filter. It is no list of values, and an entry is the hash
 *     of a URL with its entity-tag, which nobody knows before the pushed request is
 *     run: it is ignored. Read as the former it is malformed, as its second and
 *     third octet, the upper half of a number of buckets, are 0: more 0-bits in a
 *     row than a set of this N (at most 8 while P is below 32) can have.
 * Experiments before -02, with log2 in octets or distances from 1: nothing in the
 *     value tells them from -02, and so they are read as if they were. A wrong
 *     value costs no more than a push.
 *
 * Pure functions without state: any thread. No memory is taken.
 */
#ifndef H2_CACHE_DIGEST_H
#define H2_CACHE_DIGEST_H

#include "base/h2_base.h"

/* The hash of a URL (absolute, percent-encoded) as digests have it: the first 64
 * bits of its SHA-256, big endian. 0 where libcrypto has no SHA-256 for us. */
apr_uint64_t h2_cache_digest_hash(const char *url);

/* Called for each value of a digest. The value is left-aligned in 64 bits, lower
 * bits being 0: it stands for all hashes whose upper bits, 1 to 62 of them, are
 * the same. */
typedef void h2_cache_digest_fn(void *baton, apr_uint64_t value, int bits);

/* Reads a field's value (borrowed) and reports at most limit values, those of a
 * digest in ascending order.
 *
 * *preset: 1 if a digest says "reset", which voids what was known before, else 0.
 * It is set before the first call of fn, and digests in front of the last "reset"
 * are not reported. It counts whether the digest's values can be used or not.
 *
 * Not reported are the values of a digest with "validators" (hashes include
 * entity-tags) or "stale" (the client has to ask again), and of one that is
 * malformed anywhere: no base64url, a value of N * P or more, many more values than
 * N, a code word cut off. Other digests of the field are not touched by that.
 * "complete" and unknown flags change nothing. The work is bounded by the length
 * of the field. */
void h2_cache_digest_read(const char *field, int limit, int *preset, h2_cache_digest_fn *fn,
                          void *baton);

#endif /* H2_CACHE_DIGEST_H */
