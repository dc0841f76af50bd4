/* See output.h. Printed is UTF-8, whatever the locale says. */
#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <uniwidth.h>

#include "shared/alloc.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/utf8.h"

enum { DEFAULT_COLUMNS = 80 };
#define HOUR_S INT64_C(3600)

/* --- cleaning ---------------------------------------------------------------------------------- */

/* Of a valid sequence. */
static uint32_t decode(const char *bytes, size_t len)
{
	static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)bytes[0] & first_bits[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)bytes[i] & 0x3f);
	return c;
}

/* What steers a terminal, or makes a text look like another one. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||       /* C0, DEL, C1 */
	       c == 0x061c || c == 0x200e || c == 0x200f || /* marks of direction */
	       (c >= 0x2028 && c <= 0x202e) ||              /* separators; embeddings, overrides */
	       (c >= 0x2066 && c <= 0x2069) ||              /* isolates */
	       c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f); /* tags */
}

static void clean(struct strbuf *out, const char *text, size_t len, bool keeps_lines)
{
	for (size_t at = 0; at < len;) {
		size_t n = utf8_next(text + at, len - at);
		uint32_t c = n ? decode(text + at, n) : 0;

		if (n == 0) {
			strbuf_addf(out, "\\x%02X", (unsigned char)text[at]);
			n = 1;
		} else if (c == '\n' || c == '\t') {
			strbuf_add(out, keeps_lines ? text + at : " ", 1);
		} else if (c == '\r' && at + 1 < len && text[at + 1] == '\n') {
			/* one line break, not two characters */
		} else if (!is_harmful(c)) {
			strbuf_add(out, text + at, n);
		} else if (c < 0x80) {
			strbuf_addf(out, "\\x%02X", (unsigned)c);
		} else {
			strbuf_addf(out, "\\u{%04X}", (unsigned)c);
		}
		at += n;
	}
}

void out_clean(struct strbuf *out, const char *text)
{
	clean(out, text, strlen(text), false);
}

void out_clean_lines(struct strbuf *out, const char *text, size_t len)
{
	clean(out, text, len, true);
}

size_t out_width(const char *text)
{
	size_t len = strlen(text);
	size_t width = 0;

	for (size_t at = 0; at < len;) {
		size_t n = utf8_next(text + at, len - at);
		int w = n ? uc_width(decode(text + at, n), "UTF-8") : 1;

		width += w > 0 ? (size_t)w : 0;
		at += n ? n : 1;
	}
	return width;
}

size_t out_cut(const char *text, size_t columns)
{
	size_t len = strlen(text);
	size_t width = 0;
	size_t at = 0;

	while (at < len) {
		size_t n = utf8_next(text + at, len - at);
		int w = n ? uc_width(decode(text + at, n), "UTF-8") : 1;

		width += w > 0 ? (size_t)w : 0;
		if (width > columns)
			break;
		at += n ? n : 1;
	}
	return at;
}

size_t out_columns(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return isatty(STDOUT_FILENO) ? DEFAULT_COLUMNS : 0;
}

/* --- lines ------------------------------------------------------------------------------------- */

static const char *color_code(enum color color)
{
	switch (color) {
	case COLOR_NONE:
		return NULL;
	case COLOR_GOOD:
		return "\033[32m";
	case COLOR_WARN:
		return "\033[33m";
	case COLOR_BAD:
		return "\033[31m";
	case COLOR_DIM:
		return "\033[2m";
	case COLOR_BOLD:
		return "\033[1m";
	}
	return NULL;
}

void out_add_colored(
	struct strbuf *out, const struct ctl *ctl, enum color color, const char *clean_text)
{
	const char *code = ctl->has_colors && *clean_text ? color_code(color) : NULL;

	if (code)
		strbuf_adds(out, code);
	strbuf_adds(out, clean_text);
	if (code)
		strbuf_adds(out, "\033[0m");
}

void out_line(const struct ctl *ctl, enum color color, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	auto_strbuf line = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	out_add_colored(&line, ctl, color, strbuf_get(&text));
	strbuf_addc(&line, '\n');
	(void)fwrite(strbuf_get(&line), 1, line.len, stdout);
}

void out_note(const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	auto_strbuf line = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	strbuf_adds(&line, "mcp-fleetctl: ");
	out_clean(&line, strbuf_get(&text));
	strbuf_addc(&line, '\n');
	(void)fflush(stdout); /* in the order in which it was said, where both go to one place */
	(void)fputs(strbuf_get(&line), stderr);
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void add_line(struct strbuf *out, unsigned depth)
{
	strbuf_addf(out, "\n%*s", (int)(2 * depth), "");
}

static void add_pretty(struct strbuf *out, json_t *json, unsigned depth);

static void add_pretty_array(struct strbuf *out, json_t *array, unsigned depth)
{
	size_t i;
	json_t *item;

	strbuf_addc(out, '[');
	json_array_foreach(array, i, item) {
		if (i)
			strbuf_addc(out, ',');
		add_line(out, depth + 1);
		add_pretty(out, item, depth + 1);
	}
	add_line(out, depth);
	strbuf_addc(out, ']');
}

static void add_pretty_object(struct strbuf *out, json_t *object, unsigned depth)
{
	bool is_first = true;
	const char *name;
	json_t *value;

	strbuf_addc(out, '{');
	json_object_foreach(object, name, value) {
		if (!is_first)
			strbuf_addc(out, ',');
		is_first = false;
		add_line(out, depth + 1);
		strbuf_add_json(out, name, strlen(name));
		strbuf_adds(out, ": ");
		add_pretty(out, value, depth + 1);
	}
	add_line(out, depth);
	strbuf_addc(out, '}');
}

/* \u escapes for what jx_dump() leaves as it is and a terminal obeys: to a parser it is the same text. Such
 * characters are nowhere but within strings. */
static void add_escaped(struct strbuf *out, const struct strbuf *json)
{
	const char *text = strbuf_get(json);

	for (size_t at = 0; at < json->len;) {
		size_t n = utf8_next(text + at, json->len - at);
		uint32_t c = n ? decode(text + at, n) : 0;

		if (n < 2 || !is_harmful(c))
			strbuf_add(out, text + at, n ? n : 1);
		else if (c < 0x10000)
			strbuf_addf(out, "\\u%04x", (unsigned)c);
		else /* a pair of surrogates, RFC 8259, 7 */
			strbuf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)),
				(unsigned)(0xdc00 + (c & 0x3ff)));
		at += n ? n : 1;
	}
}

static void write_json(FILE *stream, const struct strbuf *json)
{
	auto_strbuf line = { 0 };

	add_escaped(&line, json);
	strbuf_addc(&line, '\n');
	(void)fwrite(strbuf_get(&line), 1, line.len, stream);
}

/* Of jx_dump()'s values, so that a number is the one that came. The parser has bounded the depth. */
static void add_pretty(struct strbuf *out, json_t *json, unsigned depth)
{
	if (json_is_array(json) && json_array_size(json))
		add_pretty_array(out, json, depth);
	else if (json_is_object(json) && json_object_size(json))
		add_pretty_object(out, json, depth);
	else
		jx_dump(out, json);
}

void out_print_json(FILE *stream, json_t *json)
{
	auto_strbuf text = { 0 };

	add_pretty(&text, json, 0);
	write_json(stream, &text);
}

void out_json(json_t *json)
{
	json_auto_t *owned = json;

	out_print_json(stdout, owned);
}

void out_json_line(json_t *json)
{
	auto_strbuf text = { 0 };

	jx_dump(&text, json);
	write_json(stdout, &text);
	(void)fflush(stdout);
}

/* --- errors ------------------------------------------------------------------------------------ */

int ctl_fail(const struct ctl *ctl, const struct fail *fail)
{
	int status = fail->code == -ENOTCONN ? CTL_UNREACHABLE : CTL_FAILED;
	auto_strbuf text = { 0 };

	/* fail_set() may have cut it within a character. */
	utf8_repair(&text, fail->text, strlen(fail->text));
	if (ctl->is_json) {
		/* In one line, for verbs whose JSON is one object a line. */
		json_auto_t *json = json_pack("{s:{s:s, s:i}}", "error", "message",
			strbuf_get(&text), "exit_status", status);

		out_json_line(json);
	}
	out_note("%s", strbuf_get(&text));
	return status;
}

/* --- numbers and states ------------------------------------------------------------------------ */

void out_duration(struct strbuf *out, int64_t ms)
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (ms < 1000)
		strbuf_addf(out, "%lld ms", (long long)(ms > 0 ? ms : 0));
	else if (s < 120)
		strbuf_addf(out, "%lld s", (long long)s);
	else if (s < 2 * HOUR_S)
		strbuf_addf(out, "%lld min", (long long)(s / 60));
	else if (s < 48 * HOUR_S && s % HOUR_S >= 60)
		strbuf_addf(out, "%lld h %lld min", (long long)(s / HOUR_S),
			(long long)(s % HOUR_S / 60));
	else if (s < 48 * HOUR_S)
		strbuf_addf(out, "%lld h", (long long)(s / HOUR_S));
	else
		strbuf_addf(out, "%lld d", (long long)(s / (24 * HOUR_S)));
}

void out_bytes(struct strbuf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	/* What would be shown as 1024.0 is 1.0 of the next. */
	for (; value >= (unit ? 1023.95 : 1024) && unit + 1 < N_ELEMENTS(units); unit++)
		value /= 1024;
	strbuf_addf(out, "%.*f %s", unit ? 1 : 0, value, units[unit]);
}

enum color out_state_color(const char *state)
{
	static const struct {
		const char *state;
		enum color color;
	} known[] = {
		{ "up", COLOR_GOOD },
		{ "ready", COLOR_GOOD },
		{ "registered", COLOR_GOOD },
		{ "connected", COLOR_GOOD },
		{ "starting", COLOR_WARN },
		{ "stopping", COLOR_WARN },
		{ "listing", COLOR_WARN },
		{ "draining", COLOR_WARN },
		{ "terminating", COLOR_WARN },
		{ "backoff", COLOR_WARN },
		{ "waiting", COLOR_WARN },
		{ "registering", COLOR_WARN },
		{ "degraded", COLOR_WARN },
		{ "rate_limited", COLOR_WARN },
		{ "down", COLOR_BAD },
		{ "parked", COLOR_BAD },
		{ "killed", COLOR_BAD },
		{ "refused", COLOR_BAD },
		{ "foreign", COLOR_BAD },
		{ "unreachable", COLOR_BAD },
		{ "asleep", COLOR_DIM },
		{ "ending", COLOR_DIM },
		{ "stopped", COLOR_DIM },
		{ "disabled", COLOR_DIM },
		{ "unregistered", COLOR_DIM },
		{ "off", COLOR_DIM },
	};

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (streq(known[i].state, state))
			return known[i].color;
	return COLOR_NONE;
}

json_t *out_text(const char *text)
{
	auto_strbuf fixed = { 0 };

	utf8_repair(&fixed, text, strlen(text));
	return json_string(strbuf_get(&fixed));
}
