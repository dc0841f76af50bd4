/* See aide_link.h. */
#include "workers/common/aide_link.h"

#include <errno.h>
#include <poll.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/jx.h"
#include "shared/limits.h"
#include "shared/log.h"

#include "config.h"

enum {
	MAX_HELD_BYTES = 64 * MIB, /* of messages that wait; then nothing more is read */
	LINES_A_TURN = 64,
};

/* Newest last. */
static const char *const revisions[] = { "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25" };

/* --- writing -------------------------------------------------------------------------------------- */

void aide_link_answer(struct aide_link *link, struct jspan id, json_t *result)
{
	auto_strbuf text = { 0 };
	auto_strbuf line = { 0 };

	jx_dump(&text, result);
	json_decref(result);
	rpc_add_result(&line, id, text.data, text.len);
	lines_write(&link->lines, line.data, line.len);
}

void aide_link_answer_error(struct aide_link *link, struct jspan id, int code, const char *message)
{
	auto_strbuf line = { 0 };

	rpc_add_error(&line, id, code, message);
	lines_write(&link->lines, line.data, line.len);
}

void aide_link_notify(struct aide_link *link, const char *method, json_t *params)
{
	auto_strbuf line = { 0 };

	strbuf_addf(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", method);
	jx_dump(&line, params);
	strbuf_addc(&line, '}');
	lines_write(&link->lines, line.data, line.len);
}

/* --- reading -------------------------------------------------------------------------------------- */

static void on_initialize(struct aide_link *link, const struct rpc *rpc)
{
	auto_strbuf asked = { 0 };
	const char *revision = revisions[N_ELEMENTS(revisions) - 1];

	if (!jspan_get_str(jspan_member(rpc->params, "protocolVersion", NULL), &asked)) {
		aide_link_answer_error(
			link, rpc->id, RPC_INVALID_PARAMS, "protocolVersion must be a string");
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS(revisions); i++)
		if (streq(revisions[i], strbuf_get(&asked)))
			revision = revisions[i];
	aide_link_answer(link, rpc->id,
		json_pack("{s:s, s:{}, s:{s:s, s:s}}", "protocolVersion", revision, "capabilities",
			"serverInfo", "name", link->kind->program, "version", PACKAGE_VERSION));
}

static bool is_one_of(struct jspan method, const char *const *names)
{
	for (; *names; names++)
		if (jspan_is(method, *names))
			return true;
	return false;
}

static bool is_order(const struct aide_link *link, const struct rpc *rpc)
{
	return !link->kind->news || !jspan_is(rpc->method, link->kind->news);
}

static void hold(struct aide_link *link, struct span line)
{
	struct aide_note *note = alloc_zero(sizeof(*note));
	const char *why;

	note->line = alloc_mem(line.at, line.len);
	note->len = line.len;
	if (rpc_parse(note->line, note->len, &note->rpc, &why) != 0)
		abort(); /* it was read before */
	TAILQ_INSERT_TAIL(&link->notes, note, next);
	link->held_bytes += note->len;
	link->n_orders += is_order(link, &note->rpc);
}

static void on_request(struct aide_link *link, struct span line, const struct rpc *rpc)
{
	if (jspan_is(rpc->method, "ping"))
		aide_link_answer(link, rpc->id, json_object());
	else if (jspan_is(rpc->method, "initialize"))
		on_initialize(link, rpc);
	else if (is_one_of(rpc->method, link->kind->requests))
		hold(link, line);
	else
		aide_link_answer_error(link, rpc->id, RPC_METHOD_NOT_FOUND, "no such method");
}

static void on_line(struct aide_link *link, struct span line)
{
	const char *why = NULL;
	struct rpc rpc = { 0 };
	int code = rpc_parse(line.at, line.len, &rpc, &why);

	if (code != 0)
		aide_link_answer_error(link, rpc.id, code, why);
	else if (rpc.kind == RPC_REQUEST)
		on_request(link, line, &rpc);
	else if (rpc.kind == RPC_NOTIFICATION && is_one_of(rpc.method, link->kind->notifications))
		hold(link, line);
}

static bool is_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

static bool may_read(const struct aide_link *link)
{
	return !link->lines.eof && !lines_is_full(&link->lines) &&
	       link->held_bytes < MAX_HELD_BYTES;
}

static bool has_line(const struct aide_link *link)
{
	return may_read(link) && link->lines.in.len > link->lines.scanned;
}

bool aide_link_turn(struct aide_link *link)
{
	struct span line;

	if (is_readable(link->signals))
		link->is_over = true;
	if (may_read(link) && is_readable(link->lines.in_fd))
		lines_read(&link->lines);
	for (int i = 0; i < LINES_A_TURN && link->held_bytes < MAX_HELD_BYTES; i++) {
		int r = lines_next(&link->lines, &line);

		if (r == 0)
			break;
		if (r > 0)
			on_line(link, line);
		else
			log_warn("a line over the limit of 16 MiB on the link, skipped");
	}
	lines_flush(&link->lines);
	if (link->lines.gone || (link->lines.eof && !has_line(link)))
		link->is_over = true;
	return !link->is_over;
}

unsigned aide_link_get_fds(
	const struct aide_link *link, struct curl_waitfd ret[AIDE_LINK_FDS], int64_t *timeout_ms)
{
	unsigned n = 1;

	if (link->is_over || has_line(link))
		*timeout_ms = 0;
	ret[0] = (struct curl_waitfd){ link->signals, CURL_WAIT_POLLIN, 0 };
	if (may_read(link))
		ret[n++] = (struct curl_waitfd){ link->lines.in_fd, CURL_WAIT_POLLIN, 0 };
	if (lines_has_unsent(&link->lines))
		ret[n++] = (struct curl_waitfd){ link->lines.out_fd, CURL_WAIT_POLLOUT, 0 };
	return n;
}

struct aide_note *aide_link_take(struct aide_link *link)
{
	struct aide_note *note = TAILQ_FIRST(&link->notes);

	if (!note)
		return NULL;
	TAILQ_REMOVE(&link->notes, note, next);
	link->held_bytes -= note->len;
	link->n_orders -= is_order(link, &note->rpc);
	return note;
}

void aide_note_free(struct aide_note *note)
{
	if (!note)
		return;
	free(note->line);
	free(note);
}

/* --- beginning and end ---------------------------------------------------------------------------- */

int aide_link_open(struct aide_link *link, const struct aide_kind *kind, int in_fd, int out_fd)
{
	*link = (struct aide_link){ .kind = kind, .signals = -1 };
	TAILQ_INIT(&link->notes);
	link->lines =
		(struct lines){ .in_fd = in_fd, .out_fd = out_fd, .max_bytes = LIMIT_LINE_BYTES };
	link->signals = fd_open_end_signals();
	return link->signals < 0 ? link->signals : 0;
}

void aide_link_done(struct aide_link *link)
{
	struct aide_note *note;

	while ((note = aide_link_take(link)))
		aide_note_free(note);
	lines_flush(&link->lines);
	lines_done(&link->lines);
	link->signals = fd_close(link->signals);
}
