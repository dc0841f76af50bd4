/* The headers of a request; see remote.h. */
#include <errno.h>

#include "shared/alloc.h"
#include "workers/common/easy.h"
#include "workers/remote/remote.h"

static const char version_key[] = "io.modelcontextprotocol/protocolVersion";

bool request_modern_version(const struct rpc *rpc, struct strbuf *ret)
{
	struct jspan meta = jspan_member(rpc->params, "_meta", NULL);

	return jspan_get_str(jspan_member(meta, version_key, NULL), ret);
}

static void add(struct curl_slist **list, const char *name, const char *value, size_t len)
{
	auto_strbuf line = { 0 };

	strbuf_addf(&line, "%s: ", name);
	mirrors_add_value(&line, value, len);
	easy_add_header(list, strbuf_get(&line));
}

static void add_line(void *arg, const char *line)
{
	easy_add_header(arg, line);
}

/* The operator's own. When the file is replaced by one that our sandbox does not let us read, the old ones
 * hold on until we have been started again. */
static void add_file(struct remote *remote, struct headers_file *file, struct curl_slist **list)
{
	struct fail fail = { 0 };
	int r = headers_file_refresh(file, &fail);

	if (r < 0)
		remote_tell(remote, "%s%s", fail.text,
			file->is_read ? "; what it held before is used on" : "");
	if (r == -EACCES && file->is_read)
		remote->must_leave = true;
	for (size_t i = 0; i < file->headers.n; i++)
		easy_add_header(list, file->headers.items[i]);
}

static void add_own(struct remote *remote, struct curl_slist **list)
{
	add_file(remote, &remote->headers, list);
	add_file(remote, &remote->key, list);
}

static const char *name_member(const struct rpc *rpc)
{
	if (jspan_is(rpc->method, "tools/call") || jspan_is(rpc->method, "prompts/get"))
		return "name";
	return jspan_is(rpc->method, "resources/read") ? "uri" : NULL;
}

static void add_modern(struct remote *remote, const struct post *post, struct curl_slist **list)
{
	const struct rpc *rpc = &post->rpc;
	const char *member = name_member(rpc);
	auto_strbuf version = { 0 };
	auto_strbuf method = { 0 };
	auto_strbuf name = { 0 };

	if (request_modern_version(rpc, &version))
		add(list, "MCP-Protocol-Version", strbuf_get(&version), version.len);
	else if (remote->modern_version)
		add(list, "MCP-Protocol-Version", remote->modern_version,
			strlen(remote->modern_version));
	if (jspan_get_str(rpc->method, &method))
		add(list, "Mcp-Method", strbuf_get(&method), method.len);
	if (member && jspan_get_str(jspan_member(rpc->params, member, NULL), &name))
		add(list, "Mcp-Name", strbuf_get(&name), name.len);
	if (jspan_is(rpc->method, "tools/call"))
		mirrors_each(&remote->mirrors, rpc->params, add_line, list);
}

static void add_session(struct remote *remote, struct curl_slist **list)
{
	if (remote->transport == TRANSPORT_SSE)
		return;
	if (remote->session_id) { /* visible ASCII, and its very bytes, whatever they look like */
		auto_free char *line = alloc_printf("Mcp-Session-Id: %s", remote->session_id);

		easy_add_header(list, line);
	}
	if (remote->version)
		add(list, "MCP-Protocol-Version", remote->version, strlen(remote->version));
}

struct curl_slist *request_headers(struct remote *remote, const struct post *post)
{
	struct curl_slist *list = NULL;

	easy_add_header(&list, "Content-Type: application/json");
	easy_add_header(&list, "Accept: application/json, text/event-stream");
	if (post && post->is_modern)
		add_modern(remote, post, &list);
	else
		add_session(remote, &list);
	add_own(remote, &list);
	return list;
}

struct curl_slist *request_stream_headers(struct remote *remote, const char *last_id)
{
	struct curl_slist *list = NULL;

	easy_add_header(&list, "Accept: text/event-stream");
	add_session(remote, &list);
	if (last_id) {
		auto_free char *line = alloc_printf("Last-Event-ID: %s", last_id);

		easy_add_header(&list, line);
	}
	add_own(remote, &list);
	return list;
}
