/* See client_roots.h. */
#include "workers/filesystem/client_roots.h"

#include "shared/alloc.h"
#include "shared/uri.h"
#include "workers/common/roots.h"
#include "workers/filesystem/settings.h"

enum { MAX_ROOTS = 64 };

bool client_roots_read_uri(const char *uri, size_t len, struct strbuf *ret)
{
	static const char scheme[] = "file://";
	const size_t skip = sizeof(scheme) - 1;
	struct span host, path;

	if (len < skip || strncasecmp(uri, scheme, skip) != 0)
		return false;
	path.at = memchr(uri + skip, '/', len - skip);
	if (!path.at)
		return false;
	host = (struct span){ uri + skip, (size_t)(path.at - uri) - skip };
	path.len = len - skip - host.len;
	if (host.len > 0 && !span_is_nocase(host, "localhost"))
		return false;
	if (memchr(path.at, '?', path.len) || memchr(path.at, '#', path.len))
		return false;
	return uri_decode_path(path, ret) == 0;
}

/* Whatever is no path of a root counts for nothing: the set is narrower by that. */
static void narrow(struct jspan uris)
{
	char *paths[MAX_ROOTS];
	struct jspan item;
	size_t cursor = 0;
	size_t n = 0;

	while (jspan_type(uris) == JSPAN_ARRAY && n < MAX_ROOTS &&
		jspan_next(uris, &cursor, NULL, &item)) {
		auto_strbuf uri = { 0 };
		auto_strbuf path = { 0 };

		if (jspan_get_str(item, &uri) &&
			client_roots_read_uri(strbuf_get(&uri), uri.len, &path))
			paths[n++] = strbuf_take(&path);
	}
	roots_narrow((const char *const *)paths, n);
	while (n > 0)
		free(paths[--n]);
}

void client_roots_begin(const void *settings, struct jspan meta)
{
	const struct filesystem_settings *s = settings;
	bool is_twice = false;
	struct jspan uris = jspan_member(meta, "mcp-fleet/roots", &is_twice);

	if (s->use_client_roots && (uris.at || is_twice))
		narrow(uris);
}

void client_roots_end(void)
{
	roots_widen();
}
