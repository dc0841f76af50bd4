/* Events of an HTML parser as Markdown, or as text without marks.
 *
 * What is built grows with the input and no faster: past a budget links, marks and indents are left out,
 * which are all that could multiply. Nothing here recurses, and every depth has a bound. */
#pragma once

#include "shared/strbuf.h"
#include "workers/network/href.h"

struct markdown;

/* `href` (borrowed) resolves links; NULL: only absolute ones are shown. `budget`: bytes of output from
 * which on it is plain. */
struct markdown *markdown_new(struct href *href, bool is_plain, size_t budget);
void markdown_free(struct markdown *md);
DEFINE_FREEP(struct markdown, markdown_free)

/* `attributes`: pairs of name and value (NULL: none), NULL at the end; may be NULL. Names in lower
 * case. Each start has its end, as in a tree. */
void markdown_start(struct markdown *md, const char *name, const char *const *attributes);
void markdown_end(struct markdown *md, const char *name);
void markdown_text(struct markdown *md, const char *text, size_t len);

/* A paragraph as it is. */
void markdown_note(struct markdown *md, const char *text);

/* Ends what is open, and hands over text (appended) and title (yours; NULL: none). */
void markdown_finish(struct markdown *md, struct strbuf *ret, char **ret_title);
