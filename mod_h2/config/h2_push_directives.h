/*
 * The directives that say what is pushed, and when: their handlers, for the table of
 * h2_directives.c.
 *
 * As there: in the thread that reads the configuration, for a .htaccess file in the request's.
 */
#ifndef H2_PUSH_DIRECTIVES_H
#define H2_PUSH_DIRECTIVES_H

#include "base/h2_base.h"

/* H2PushDiarySize NUMBER */
const char *h2_set_push_diary_size(cmd_parms *cmd, void *dir_conf, const char *text);

/* H2PushPriority TYPE ORDER [WEIGHT]; order may be the weight, which then means after it. */
const char *h2_add_push_rule(cmd_parms *cmd, void *dir_conf, const char *type, const char *order,
                             const char *weight);

/* H2PushResource [add] PATH [critical] */
const char *h2_add_push_resource(cmd_parms *cmd, void *dir_conf, const char *first,
                                 const char *second, const char *third);

#endif /* H2_PUSH_DIRECTIVES_H */
