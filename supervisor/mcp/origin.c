/* See origin.h. */
#include "supervisor/mcp/origin.h"

#include "config.h"

#include "shared/limits.h"
#include "shared/rpc.h"
#include "supervisor/mcp/splice.h"

#define OUR_INFO                                                                                   \
	"{\"name\":\"mcp-fleet\",\"title\":\"mcp-fleet\",\"version\":\"" PACKAGE_VERSION "\"}"
#define SERVER_INFO "\"io.modelcontextprotocol/serverInfo\":" OUR_INFO

/* "URL elicitation required" of 2025-11-25. */
enum { URL_ELICITATION_REQUIRED = -32042 };

unsigned client_read_capabilities(struct jspan capabilities)
{
	struct jspan elicitation = jspan_member(capabilities, "elicitation", NULL);
	bool has_form = jspan_member(elicitation, "form", NULL).at;
	bool has_url = jspan_member(elicitation, "url", NULL).at;
	unsigned bits = 0;

	if (jspan_type(jspan_member(capabilities, "sampling", NULL)) == JSPAN_OBJECT)
		bits |= CLIENT_SAMPLING;
	if (jspan_type(jspan_member(capabilities, "roots", NULL)) == JSPAN_OBJECT)
		bits |= CLIENT_ROOTS;
	/* An empty object is the form, which was the only one before 2025-11-25. */
	if (jspan_type(elicitation) == JSPAN_OBJECT && (has_form || !has_url))
		bits |= CLIENT_ELICITATION;
	if (has_url)
		bits |= CLIENT_ELICITATION_URL;
	return bits;
}

void result_add_missing(struct strbuf *out, struct jspan result, unsigned flags)
{
	struct jspan type = jspan_member(result, "resultType", NULL);
	bool is_complete = !type.at || jspan_is(type, "complete");

	if (!type.at)
		strbuf_adds(out, "\"resultType\":\"complete\"");
	if ((flags & ANSWER_CACHEABLE) && is_complete) {
		if (!jspan_member(result, "ttlMs", NULL).at)
			strbuf_addf(out, "%s\"ttlMs\":0", out->len ? "," : "");
		if (!jspan_member(result, "cacheScope", NULL).at)
			strbuf_addf(out, "%s\"cacheScope\":\"private\"", out->len ? "," : "");
	}
	if (!jspan_member(result, "_meta", NULL).at)
		strbuf_addf(out, "%s\"_meta\":{" SERVER_INFO "}", out->len ? "," : "");
}

/* A worker's own serverInfo would name another server than the one that was asked. */
static void splice_server_info(struct splices *splices, struct jspan result)
{
	static const char ours[] = OUR_INFO;
	struct jspan meta = jspan_member(result, "_meta", NULL);
	struct jspan info = jspan_member(meta, "io.modelcontextprotocol/serverInfo", NULL);

	if (jspan_type(meta) != JSPAN_OBJECT)
		return;
	if (info.at)
		splice_replace(splices, info, ours, sizeof(ours) - 1);
	else
		splice_members(splices, meta, SERVER_INFO);
}

static void add_modern(struct strbuf *out, struct jspan result, unsigned flags)
{
	auto_splices splices = { 0 };
	auto_strbuf missing = { 0 };

	result_add_missing(&missing, result, flags);
	splice_members(&splices, result, strbuf_get(&missing));
	splice_server_info(&splices, result);
	splices_apply(&splices, result, out);
}

void answer_result(const struct origin *to, struct jspan result, unsigned flags)
{
	auto_strbuf text = { 0 };

	(void)strbuf_reserve(&text, result.len + to->id.len + 256);
	strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"id\":");
	strbuf_add(&text, to->id.at, to->id.len);
	strbuf_adds(&text, ",\"result\":");
	if (to->is_modern && jspan_type(result) == JSPAN_OBJECT)
		add_modern(&text, result, flags);
	else
		strbuf_add(&text, result.at, result.len);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	stats_answered(&to->timing, 0);
	session_answer(to->session, to->via, text.data, text.len, 0);
}

void answer_text(const struct origin *to, const char *result, unsigned flags)
{
	answer_result(to, (struct jspan){ .at = result, .len = strlen(result) }, flags);
}

void answer_error(const struct origin *to, int code, const char *message, const char *data)
{
	auto_strbuf text = { 0 };

	rpc_add_error_data(&text, to->id, code, message, data);
	stats_answered(&to->timing, code);
	session_answer(to->session, to->via, text.data, text.len, code);
}

static int64_t read_code(struct jspan error)
{
	struct jspan code = jspan_member(error, "code", NULL);
	char digits[24];

	if (!jspan_is_integer(code) || code.len >= sizeof(digits))
		return RPC_INTERNAL_ERROR;
	memcpy(digits, code.at, code.len);
	digits[code.len] = '\0';
	return strtoll(digits, NULL, 10);
}

void answer_error_object(const struct origin *to, struct jspan error)
{
	int64_t code = read_code(error);
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	/* A client that checks what it reads would drop it, and wait for its answer without end. */
	if (!jspan_is_integer(jspan_member(error, "code", NULL)) ||
		jspan_type(jspan_member(error, "message", NULL)) != JSPAN_STRING) {
		answer_error(to, RPC_INTERNAL_ERROR,
			"the worker answered with an error that lacks a code or a message", NULL);
		return;
	}
	/* These two MUST NOT be emitted at 2026-07-28. */
	if (to->is_modern && (code == RPC_RESOURCE_NOT_FOUND || code == URL_ELICITATION_REQUIRED)) {
		code = code == RPC_RESOURCE_NOT_FOUND ? RPC_INVALID_PARAMS : RPC_INTERNAL_ERROR;
		strbuf_addf(&text, "%d", (int)code);
		splice_replace(&splices, jspan_member(error, "code", NULL), text.data, text.len);
		strbuf_cut(&text, 0);
	}
	strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"id\":");
	strbuf_add(&text, to->id.at, to->id.len);
	strbuf_adds(&text, ",\"error\":");
	splices_apply(&splices, error, &text);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	if (code < INT32_MIN || code > INT32_MAX || code == 0)
		code = RPC_INTERNAL_ERROR;
	stats_answered(&to->timing, (int)code);
	session_answer(to->session, to->via, text.data, text.len, (int)code);
}

void answer_quoting(const struct origin *to, int code, const char *message, struct jspan text)
{
	auto_strbuf words = { 0 };
	auto_strbuf quoted = { 0 };
	size_t cut;

	(void)jspan_get_str(text, &quoted);
	cut = quoted.len < LIMIT_QUOTED_CHARS ? quoted.len : LIMIT_QUOTED_CHARS;
	while (cut < quoted.len && cut > 0 && ((unsigned char)quoted.data[cut] & 0xc0) == 0x80)
		cut--;
	strbuf_addf(&words, "%s: ", message);
	strbuf_add(&words, strbuf_get(&quoted), cut);
	if (cut < quoted.len)
		strbuf_adds(&words, "…");
	answer_error(to, code, strbuf_get(&words), NULL);
}
