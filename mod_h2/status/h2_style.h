/*
 * How the pages of status/ look, and the script that keeps them up to date. Constant; any thread.
 */
#ifndef H2_STYLE_H
#define H2_STYLE_H

extern const char h2_style_sheet[];
extern const char h2_style_script[];

#endif /* H2_STYLE_H */
