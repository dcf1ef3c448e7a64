/*
 * Small functions on text that run for each field of each message.
 *
 * Pure; any thread.
 */
#ifndef H2_TEXT_H
#define H2_TEXT_H

#include <apr.h>

/* Is there an octet below 0x20, or 0x7f, among the length ones at text? Most text has
 * none: this says so quickly, for those who look closer only if there is one. */
int h2_text_has_control(const char *text, apr_size_t length);

/* A hash of the length octets at text that tells most texts apart; no protection against
 * those who choose the texts. hash: that of what stands before, else any. */
apr_uint64_t h2_text_hash(apr_uint64_t hash, const char *text, apr_size_t length);

/* Writes number in decimal digits so that they end before end. Gives the first one. */
char *h2_text_number(char *end, apr_uint64_t number);

/* Room that h2_text_number() needs at most. */
#define H2_TEXT_NUMBER_BYTES 20

#endif /* H2_TEXT_H */
