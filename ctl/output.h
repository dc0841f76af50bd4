/* What mcp-fleetctl prints: tables, colours, JSON, errors. Texts from elsewhere are made harmless for a
 * terminal here, and only here: control characters do not get through. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "ctl/verb.h"
#include "shared/strbuf.h"

enum color {
	COLOR_NONE,
	COLOR_GOOD,
	COLOR_WARN,
	COLOR_BAD,
	COLOR_DIM,
	COLOR_BOLD,
};

/* To standard output, indented, with a line break; members in the order in which they were set. Takes
 * `json` over. What steers a terminal is written as an escape, which is the same JSON. */
void out_json(json_t *json);

/* In one line, at once: for what goes on and on. */
void out_json_line(json_t *json);

/* As out_json(), elsewhere; `json` stays the caller's. */
void out_print_json(FILE *stream, json_t *json);

/* One line, to standard output. Foreign texts among the arguments go through out_clean() first. */
void out_line(const struct ctl *ctl, enum color color, const char *fmt, ...) printf_like(3, 4);

/* Says what went wrong (on standard error; with --json also as {"error": {…}} on standard output), and
 * returns the exit status that goes with fail->code: CTL_UNREACHABLE for -ENOTCONN, else CTL_FAILED. */
int ctl_fail(const struct ctl *ctl, const struct fail *fail);

/* To standard error: what is to be known beside the result. */
void out_note(const char *fmt, ...) printf_like(1, 2);

/* Appends the text without what could steer a terminal: C0, C1, DEL, bidirectional controls and bytes that
 * are not UTF-8 are shown as \xNN or \u{NNNN}; a line break becomes a blank. */
void out_clean(struct strbuf *out, const char *text);

/* The same of a text of several lines, which keeps its line breaks and tabs. */
void out_clean_lines(struct strbuf *out, const char *text, size_t len);

/* A text from the command line or the file system, which need not be UTF-8, as JSON. */
json_t *out_text(const char *text) must_check;

/* Columns on a terminal; East Asian wide characters count as two. */
size_t out_width(const char *text);

/* Bytes of the characters that fit into so many columns. */
size_t out_cut(const char *text, size_t columns);

/* Of the terminal behind standard output; 0: it is none. What tables are cut to. */
size_t out_columns(void);

/* Appends a text that is clean already, in its colour. */
void out_add_colored(
	struct strbuf *out, const struct ctl *ctl, enum color color, const char *clean_text);

/* A table: rows are collected, then printed with columns as wide as they need. Numbers stand to the
 * right. */
struct table;

struct column {
	const char *title; /* a table whose titles are all empty has no line of them */
	bool is_right;
};

struct table *table_new(const struct column *columns, size_t n);
void table_free(struct table *table);
DEFINE_FREEP(struct table, table_free)
/* The next cell of the row (copied, cleaned); NULL is an empty one. A full row begins the next. */
void table_add(struct table *table, enum color color, const char *text);
void table_addf(struct table *table, enum color color, const char *fmt, ...) printf_like(3, 4);
/* Lines wider than `max_width` columns are cut (0: they are not). */
void table_print(const struct ctl *ctl, const struct table *table, size_t max_width);
/* The same, appended to `out`. */
void table_render(
	const struct ctl *ctl, const struct table *table, size_t max_width, struct strbuf *out);

/* "3 s", "5 min", "2 h 10 min", "4 d": how long; "1.2 KiB". */
void out_duration(struct strbuf *out, int64_t ms);
void out_bytes(struct strbuf *out, uint64_t bytes);

/* "running", "up": the colour of a state of a domain or process. */
enum color out_state_color(const char *state);
