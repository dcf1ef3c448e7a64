/*
 * What server-status of mod_status shows of HTTP/2: a part of its page, and lines of its "?auto".
 */
#ifndef H2_STATUS_BLOCK_H
#define H2_STATUS_BLOCK_H

/* At the start of httpd: for mod_status, if that is there. */
void h2_status_block_register(void);

#endif /* H2_STATUS_BLOCK_H */
