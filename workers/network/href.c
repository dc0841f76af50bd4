/* See href.h. Resolution is libcurl's, the same that fetches. Source: RFC 3986 section 5; WHATWG URL
 * (blanks around a link and line breaks within it do not count). */
#include "workers/network/href.h"

#include <curl/curl.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

struct href {
	CURLU *base;
};

/* Without blanks around it, and tabs and line breaks in it. */
static void clean(const char *link, struct strbuf *out)
{
	while (*link && (unsigned char)*link <= ' ')
		link++;
	for (; *link; link++)
		if (*link != '\t' && *link != '\n' && *link != '\r')
			strbuf_addc(out, *link);
	while (out->len > 0 && (unsigned char)out->data[out->len - 1] <= ' ')
		strbuf_cut(out, out->len - 1);
}

/* The length of "scheme" in "scheme:…"; 0: it has none. */
static size_t scheme_len(const char *link)
{
	size_t len = 0;

	if (!ascii_is_letter(*link))
		return 0;
	while (ascii_is_letter(link[len]) || ascii_is_digit(link[len]) || link[len] == '+' ||
		link[len] == '-' || link[len] == '.')
		len++;

	return link[len] == ':' ? len : 0;
}

static bool has_scheme(const char *link, size_t len, const char *const *schemes)
{
	for (; *schemes; schemes++)
		if (strlen(*schemes) == len && strncasecmp(link, *schemes, len) == 0)
			return true;

	return false;
}

static const char *const fetched[] = { "http", "https", "ftp", NULL };
static const char *const opaque[] = { "mailto", "tel", NULL };

/* What would end a link's target in Markdown, or a table's cell, is written as %XX. */
static void add_encoded(struct strbuf *out, const char *url)
{
	for (; *url; url++) {
		if ((unsigned char)*url <= ' ' || strchr("()<>\"\\|`\x7f", *url))
			strbuf_addf(out, "%%%02X", (unsigned char)*url);
		else
			strbuf_addc(out, *url);
	}
}

static CURLU *resolve(const struct href *href, const char *link)
{
	CURLU *url = href ? curl_url_dup(href->base) : curl_url();
	/* By libcurl, a fragment alone would lose the name and query of the page. */
	bool is_fragment = href && *link == '#';

	if (url && curl_url_set(url, is_fragment ? CURLUPART_FRAGMENT : CURLUPART_URL,
			   link + is_fragment, CURLU_URLENCODE) != CURLUE_OK) {
		curl_url_cleanup(url);
		return NULL;
	}

	return url;
}

struct href *href_new(const char *url)
{
	CURLU *base = url ? resolve(NULL, url) : NULL;
	struct href *href;

	if (!base)
		return NULL;

	href = alloc_zero(sizeof(*href));
	href->base = base;
	return href;
}

void href_free(struct href *href)
{
	if (!href)
		return;
	curl_url_cleanup(href->base);
	free(href);
}

void href_set_base(struct href *href, const char *base)
{
	auto_strbuf link = { 0 };
	size_t len;
	CURLU *url;

	if (strlen(base) > HREF_MAX_BYTES)
		return;
	clean(base, &link);
	len = scheme_len(strbuf_get(&link));
	if (len > 0 && !has_scheme(link.data, len, fetched))
		return;

	url = resolve(href, strbuf_get(&link));
	if (!url)
		return;
	curl_url_cleanup(href->base);
	href->base = url;
}

bool href_resolve(const struct href *href, const char *link, struct strbuf *out)
{
	auto_strbuf cleaned = { 0 };
	size_t before = out->len;
	char *text = NULL;
	size_t len;
	CURLU *url;

	if (strnlen(link, HREF_MAX_BYTES + 1) > HREF_MAX_BYTES)
		return false;
	clean(link, &cleaned);
	if (cleaned.len == 0)
		return false;
	len = scheme_len(cleaned.data);
	if (has_scheme(cleaned.data, len, opaque)) {
		add_encoded(out, cleaned.data);
		return true;
	}
	if (len > 0 ? !has_scheme(cleaned.data, len, fetched) : !href)
		return false;

	url = resolve(href, cleaned.data);
	if (url && curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK &&
		strlen(text) <= HREF_MAX_BYTES)
		add_encoded(out, text);
	curl_free(text);
	curl_url_cleanup(url);

	return out->len > before;
}
