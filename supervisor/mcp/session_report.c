/* What is told of a session to those who look at the fleet. What the client says of itself is foreign: it comes out as
 * short, valid UTF-8 without control characters. */
#include "shared/alloc.h"
#include "shared/jspan.h"
#include "shared/utf8.h"
#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/session_private.h"

static void copy_clean(char *ret, size_t size, const struct strbuf *text)
{
	auto_strbuf whole = { 0 };
	size_t len = 0;
	size_t step;

	utf8_repair(&whole, strbuf_get(text), text->len);
	while (len < whole.len && (step = utf8_next(whole.data + len, whole.len - len)) > 0 &&
		len + step < size)
		len += step;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)whole.data[i];

		ret[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	ret[len] = '\0';
}

static void get_member(const char *json, const char *name, char *ret, size_t size)
{
	auto_strbuf text = { 0 };
	struct jspan object;

	if (json && jspan_check(json, strlen(json), &object, NULL) == 0 &&
		jspan_get_str(jspan_member(object, name, NULL), &text))
		copy_clean(ret, size, &text);
}

const char *session_get_transport(const struct session *session)
{
	return session->ops && session->ops->name ? session->ops->name : "";
}

void session_get_report(const struct session *session, struct session_report *ret)
{
	const struct session_info *info = &session->info;
	const struct sink_ops *ops = session->ops;

	*ret = (struct session_report){
		.number = session->number,
		.domain = session->endpoint ? endpoint_get_domain(session->endpoint) : NULL,
		.transport = session_get_transport(session),
		.revision = info->initialized ? revision_name(info->revision) : "",
		.opened_ms = session->opened_ms,
		.active_ms = session->active_ms,
		.n_calls = info->n_calls,
		.n_queued = session->n_queued,
		.queued_bytes = session->queued_bytes,
		.n_subscriptions = info->n_watches,
		.is_once = ops && ops->is_once,
	};
	if (!ret->is_once)
		session_get_id(session, ret->id);
	if (ops && ops->get_peer)
		ops->get_peer(session->sink, &ret->peer);
	get_member(info->client_info, "name", ret->client_name, sizeof(ret->client_name));
	get_member(info->client_info, "version", ret->client_version, sizeof(ret->client_version));
}
