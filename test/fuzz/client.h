/*
 * The client of the machine: makes frames of a session's events, so that most of them are valid.
 *
 * An input is a list of events: a type, the length of what follows (two octets), and that. What an
 * event lacks is 0. In a type CLIENT_MORE says that the next event happens at once.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "fuzz.h"

#define CLIENT_MORE 0x80
#define CLIENT_EVENT_HEAD_BYTES 3

typedef enum {
    CLIENT_BYTES,           /* as they are */
    CLIENT_FRAME,           /* type, flags, id, payload */
    CLIENT_REQUEST,         /* flags, id, method, what see client.c */
    CLIENT_DATA,            /* id, flags, length (2), payload or nothing */
    CLIENT_SETTINGS,        /* flags, entries */
    CLIENT_WINDOW,          /* id, log2 of the increment, what is added to it */
    CLIENT_PRIORITY,        /* id, parent's id, weight, exclusive */
    CLIENT_PRIORITY_UPDATE, /* id, value */
    CLIENT_RESET,           /* id, error */
    CLIENT_PING,            /* flags */
    CLIENT_GOAWAY,          /* error */
    CLIENT_CLOCK,           /* log2 of microseconds, and by what the time of day is set */
    CLIENT_ROOM,            /* how much the socket takes; none: all */
    CLIENT_RUN,             /* a thread for a request */
    CLIENT_END,             /* how */
    CLIENT_THREADS,         /* how many */
    CLIENT_MEMORY,          /* after so many blocks there is none for so many */
    CLIENT_TYPES
} client_event_type;

void client_begin(void);
void client_end(void);

/* The preface, empty SETTINGS, and the word that the server's are known. */
void client_send_preface(void);

/* Makes the next event happen. 0: there is none. */
int client_next_event(fuzz_input *input);

/* The length of the event at data, size octets before the end. */
size_t client_event_bytes(const uint8_t *data, size_t size);

#endif /* CLIENT_H */
