/* The files of supervisor/ops/page/, as they are in the program: written into page_files.c by
 * supervisor/ops/page/embed when it is built. */
#pragma once

#include <stddef.h>

extern const char page_html[]; /* with a NUL behind each; marks like <!--fleet--> are filled in */
extern const char page_css[];
extern const char page_js[];
extern const size_t page_html_len;
extern const size_t page_css_len;
extern const size_t page_js_len;
