/* See slug.h. */
#include "workers/registrar/slug.h"

#include "shared/alloc.h"
#include "shared/ascii.h"

char *slug_make(const char *name)
{
	auto_strbuf slug = { 0 };
	bool is_gap = false;

	for (const char *c = name; *c; c++) {
		char lower = ascii_to_lower(*c);

		if (!ascii_is_letter(lower) && !ascii_is_digit(lower)) {
			is_gap = slug.len > 0;
			continue;
		}
		if (is_gap)
			strbuf_addc(&slug, '-');
		is_gap = false;
		strbuf_addc(&slug, lower);
	}
	return strbuf_take(&slug);
}

/* Where the host begins; NULL: it has none. */
static const char *find_host(const char *url, const char **ret_end)
{
	const char *host = strstr(url, "://");
	const char *at;

	if (!host)
		return NULL;
	host += 3;
	*ret_end = host + strcspn(host, "/?#");
	at = memchr(host, '@', (size_t)(*ret_end - host));
	return at ? at + 1 : host;
}

char *slug_url(const char *url)
{
	static const char numeric[] = "127.0.0.1";
	size_t len = strlen(numeric);
	const char *end = NULL;
	const char *host = find_host(url, &end);
	const char *scheme_end;

	if (!host || strncmp(host, numeric, len) != 0 || (host + len != end && host[len] != ':'))
		return alloc_str(url);
	scheme_end = strstr(url, "://") + 3;
	return alloc_printf("%.*slocalhost%s", (int)(scheme_end - url), url, host + len);
}
