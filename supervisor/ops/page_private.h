/* The inside of the page: shared by page_render.c, page_fleet.c and page_facts.c (HTML), and by page.c and
 * page_live.c (routes, streams of events). */
#pragma once

#include <sys/queue.h>

#include "supervisor/ops/html.h"
#include "supervisor/ops/page.h"
#include "supervisor/ops/page_render.h"
#include "supervisor/ops/page_words.h"

/* --- HTML --------------------------------------------------------------------------------------- */

enum page_kind {
	PAGE_TEXT,
	PAGE_NUMBER,
	PAGE_WORDS, /* whole sentences: gets the room that is left */
};

/* A column of a table. On a narrow screen each row is a card, and the title stands before the value. */
struct page_column {
	const char *title;
	enum page_kind kind;
};

/* The first column's cells are the heads of their rows. `caption` is for those who hear the page. */
void page_begin_table(struct strbuf *out, const char *caption, const struct page_column *columns,
	size_t n_columns);
void page_end_table(struct strbuf *out);
void page_begin_row(struct strbuf *out);
void page_end_row(struct strbuf *out);
void page_begin_cell(struct strbuf *out, const struct page_column *columns, size_t at);
void page_end_cell(struct strbuf *out, size_t at);

/* A whole cell. */
void page_cell(struct strbuf *out, const struct page_column *columns, size_t at, const char *text);
void page_count_cell(
	struct strbuf *out, const struct page_column *columns, size_t at, json_int_t n);

/* A state in its own colour and shape, and as a word. */
void page_add_state(struct strbuf *out, const char *state);

/* <section> with a heading; `id` is ours. page_end_section() ends it. */
void page_begin_section(struct strbuf *out, const char *id, const char *title);
void page_end_section(struct strbuf *out);

/* A term and its value in a <dl>; nothing for an empty value. */
void page_fact(struct strbuf *out, const char *term, const char *value);

/* "what: words" of somebody else, in a block that keeps their lines, with the remedy below if there is one. */
void page_add_trouble(struct strbuf *out, const char *text, const char *remedy);

void page_render_domains(struct strbuf *out, const json_t *status);
void page_render_troubles(struct strbuf *out, const json_t *status);
void page_render_processes(struct strbuf *out, const json_t *status);
void page_render_facts(struct strbuf *out, const json_t *status);

/* Domains that serve, and all but those that are switched off. */
void page_count_domains(const json_t *status, size_t *ret_up, size_t *ret_wanted);

/* --- routes and streams -------------------------------------------------------------------------- */

TAILQ_HEAD(page_streams, page_stream);

struct page {
	struct loop *loop;
	const struct status *status;
	struct page_streams streams;
	unsigned n_streams;
	struct timer *timer; /* looks whether something changed, while somebody watches */
	uint64_t mark;       /* of the status that all were told last, */
	int64_t told_ms;     /* and when */
};

/* Headers of all answers. */
extern const char page_headers[];

/* GET /status/events. */
bool page_on_events(void *arg, struct http_conn *conn, struct http_ask *ask);

/* Of page_new() and page_free(). */
void page_start_live(struct page *page);
void page_stop_live(struct page *page);
