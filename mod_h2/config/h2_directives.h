/*
 * What an administrator may write, where, and with which values.
 *
 * Runs in the thread that reads the configuration; for a .htaccess file in the
 * request's thread, where it writes to that request's h2_dir_conf only.
 */
#ifndef H2_DIRECTIVES_H
#define H2_DIRECTIVES_H

#include "base/h2_base.h"

/* For the module record. Constant. */
extern const command_rec h2_config_commands[];

/* Once for each reading of the configuration, at best in the check_config hook,
 * as `httpd -t` runs that one too: gives main_server and every vhost after it
 * the values that come from profiles and from httpd's own limits, corrects what
 * only several directives together can have wrong, and warns of it. Each server
 * has values of its own (AP_MODULE_FLAG_ALWAYS_MERGE). */
void h2_directives_check(server_rec *main_server);

#endif /* H2_DIRECTIVES_H */
