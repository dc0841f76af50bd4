/* See url.h. */
#include "workers/network/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/quote.h"
#include "shared/span.h"
#include "workers/network/policy.h"

/* Any scheme, so that it can be named when it is refused; blanks and bytes that are not ASCII in paths
 * are encoded, as everybody does. */
enum { PARSE_FLAGS = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE };

void url_done(struct url *url)
{
	curl_url_cleanup(url->curl);
	free(url->scheme);
	free(url->text);
	free(url->fragment);
	*url = (struct url){ 0 };
}

/* The URL is shown unless it may hold a password. */
static int bad_url(struct failure *fail, const char *text, const char *why)
{
	char quoted[QUOTE_SIZE];

	if (strchr(text, '@'))
		return failure_set(fail, "invalid_url", "the URL %s.", why);

	return failure_set(fail, "invalid_url", "the URL %s %s.", quote(quoted, text), why);
}

char *url_part(const struct url *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;

	if (curl_url_get(url->curl, part, &text, flags) != CURLUE_OK)
		return NULL;

	return text;
}

/* A part in memory of our own; NULL: there is none. */
static char *copy_part(const struct url *url, CURLUPart part, unsigned flags)
{
	char *text = url_part(url, part, flags);
	char *copy = alloc_str(text);

	curl_free(text);
	return copy;
}

/* Length of the scheme at the start; 0: there is none. */
static size_t scheme_len(const char *text)
{
	size_t len = 0;

	if (!ascii_is_letter(*text))
		return 0;
	while (ascii_is_letter(text[len]) || ascii_is_digit(text[len]) ||
		(text[len] && strchr("+-.", text[len])))
		len++;

	return text[len] == ':' ? len : 0;
}

static bool is_http(const char *scheme, size_t len)
{
	struct span span = { .at = scheme, .len = len };

	return span_is_nocase(span, "http") || span_is_nocase(span, "https");
}

static int refuse_scheme(struct failure *fail, const char *scheme, size_t len)
{
	auto_free char *copy = alloc_mem(scheme, len);
	char quoted[QUOTE_SIZE];

	return failure_set(fail, "scheme_refused",
		"only http and https URLs are fetched, and this one starts with %s.",
		quote(quoted, copy));
}

/* The host as it is written: behind the user, before the port. */
static struct span written_host(struct span authority)
{
	const char *at = memrchr(authority.at, '@', authority.len);
	struct span host = authority;
	const char *end;

	if (at)
		host = (struct span){ .at = at + 1,
			.len = authority.len - (size_t)(at + 1 - authority.at) };
	end = host.len > 0 && *host.at == '[' ? memchr(host.at, ']', host.len)
					      : memchr(host.at, ':', host.len);
	if (end)
		host.len = (size_t)(end - host.at) + (*end == ']');
	return host;
}

/* What stands between the slashes, before anybody has read it. */
static int check_authority(const char *text, struct span authority, struct failure *fail)
{
	for (size_t i = 0; i < authority.len; i++) {
		unsigned char c = (unsigned char)authority.at[i];

		if (c <= ' ' || c == 0x7f || c == '\\')
			return bad_url(fail, text,
				"has a blank, a backslash or a control character in its host");
	}
	if (memchr(written_host(authority).at, '%', written_host(authority).len))
		return bad_url(fail, text, "has a percent sign in its host");

	return 0;
}

/* Finds the authority: exactly two slashes, then all before / ? #. Absent: it has none. */
static struct span find_authority(const char *text, size_t len_of_scheme)
{
	const char *at = text + len_of_scheme + 1;

	if (at[0] != '/' || at[1] != '/')
		return (struct span){ 0 };

	at += 2;
	return (struct span){ .at = at, .len = strcspn(at, "/?#") };
}

/* Whether libcurl read the same host. */
static bool is_understood(const struct url *url)
{
	auto_free char *host = copy_part(url, CURLUPART_HOST, 0);
	char normal[HOST_MAX + 2];
	struct failure ignored;

	return host && host_normalize(host, normal, &ignored) == 0 && streq(normal, url->host);
}

static int set_host(struct url *url, const char *text, struct failure *fail)
{
	bool is_v6 = strchr(url->host, ':') != NULL;
	auto_free char *host = alloc_printf(is_v6 ? "[%s]" : "%s", url->host);

	if (!is_understood(url) || curl_url_set(url->curl, CURLUPART_HOST, host, 0) != CURLUE_OK)
		return bad_url(fail, text, "has an unusable host");

	return 0;
}

static int read_host(struct url *url, struct span written, const char *text, struct failure *fail)
{
	auto_free char *host = alloc_mem(written.at, written.len);
	struct failure why;

	if (host_normalize(host, url->host, &why) == 0)
		return set_host(url, text, fail);
	if (!streq(why.code, "address_refused"))
		return strchr(text, '@') ? bad_url(fail, text, "has an unusable host")
					 : failure_set(fail, why.code, "%s", why.text);
	if (written.len >= sizeof(url->host))
		return bad_url(fail, text, "has a host that is too long");

	memcpy(url->host, host, written.len + 1);
	url->odd = why;
	return 0;
}

static int read_port(struct url *url, const char *text, struct failure *fail)
{
	auto_free char *port = copy_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	auto_free char *own = copy_part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);

	url->port = port ? (int)strtol(port, NULL, 10) : 0; /* libcurl has checked it */
	url->has_port = own != NULL;
	if (own && url->port == 0)
		return bad_url(fail, text, "has the port 0");

	return 0;
}

static void drop_user(struct url *url)
{
	auto_free char *user = copy_part(url, CURLUPART_USER, 0);
	auto_free char *password = copy_part(url, CURLUPART_PASSWORD, 0);

	url->has_user = user || password;
	(void)curl_url_set(url->curl, CURLUPART_USER, NULL, 0);
	(void)curl_url_set(url->curl, CURLUPART_PASSWORD, NULL, 0);
	(void)curl_url_set(url->curl, CURLUPART_OPTIONS, NULL, 0);
}

static int read_parts(struct url *url, struct span written, const char *text, struct failure *fail)
{
	drop_user(url);
	url->fragment = copy_part(url, CURLUPART_FRAGMENT, 0);
	(void)curl_url_set(url->curl, CURLUPART_FRAGMENT, NULL, 0);
	url->scheme = copy_part(url, CURLUPART_SCHEME, 0);
	if (!url->scheme)
		return bad_url(fail, text, "has no scheme");
	if (written.len > 0 && read_host(url, written, text, fail) < 0)
		return -EINVAL;
	if (written.len == 0 && is_http(url->scheme, strlen(url->scheme)))
		return bad_url(fail, text, "has no host");
	if (read_port(url, text, fail) < 0)
		return -EINVAL;

	url->text = copy_part(url, CURLUPART_URL, CURLU_NO_DEFAULT_PORT);
	return url->text ? 0 : bad_url(fail, text, "cannot be written again");
}

static int refuse_parse(const char *text, size_t len_of_scheme, CURLUcode rc, struct failure *fail)
{
	char why[128];

	if (!is_http(text, len_of_scheme))
		return refuse_scheme(fail, text, len_of_scheme);

	(void)snprintf(why, sizeof(why), "is not valid (%s)", curl_url_strerror(rc));
	return bad_url(fail, text, why);
}

int url_parse(const char *text, struct url *ret, struct failure *fail)
{
	size_t len = scheme_len(text);
	struct span authority;
	CURLUcode rc;

	if (len == 0)
		return bad_url(fail, text,
			"does not start with a scheme. Give a whole one, like https://example.org/");
	if (strlen(text) > URL_MAX_BYTES)
		return failure_set(
			fail, "invalid_url", "the URL is longer than %d bytes.", URL_MAX_BYTES);

	authority = find_authority(text, len);
	if (is_http(text, len) && authority.len == 0)
		return bad_url(fail, text, "has no host behind two slashes");
	if (authority.at && check_authority(text, authority, fail) < 0)
		return -EINVAL;

	ret->curl = curl_url();
	if (!ret->curl)
		abort(); /* no memory */
	rc = curl_url_set(ret->curl, CURLUPART_URL, text, PARSE_FLAGS);
	if (rc != CURLUE_OK)
		return refuse_parse(text, len, rc, fail);

	return read_parts(ret, authority.at ? written_host(authority) : authority, text, fail);
}

/* For what has neither scheme nor host: both stay as they are. */
static int resolve_path(
	const struct url *from, const char *location, struct url *ret, struct failure *fail)
{
	struct url joined = { .curl = curl_url_dup(from->curl) };
	auto_free char *text = NULL;

	if (joined.curl && curl_url_set(joined.curl, CURLUPART_URL, location, PARSE_FLAGS) == 0)
		text = copy_part(&joined, CURLUPART_URL, CURLU_NO_DEFAULT_PORT);
	curl_url_cleanup(joined.curl);
	if (!text)
		return bad_url(fail, location, "is not valid");
	if (url_parse(text, ret, fail) < 0)
		return -EINVAL;

	return url_same_origin(from, ret) ? 0 : bad_url(fail, location, "is not valid");
}

int url_resolve(const struct url *from, const char *location, struct url *ret, struct failure *fail)
{
	auto_free char *whole = NULL;

	if (scheme_len(location) > 0)
		return url_parse(location, ret, fail);
	if (strncmp(location, "//", 2) != 0)
		return resolve_path(from, location, ret, fail);

	whole = alloc_printf("%s:%s", from->scheme, location);
	return url_parse(whole, ret, fail);
}

int url_check(const struct url *url, struct failure *fail)
{
	struct sockaddr_storage address;

	if (!is_http(url->scheme, strlen(url->scheme)))
		return refuse_scheme(fail, url->scheme, strlen(url->scheme));
	if (url->odd.code) {
		*fail = url->odd;
		return -EINVAL;
	}
	if (host_get_address(url->host, url->port, &address))
		return policy_check_address(
			(const struct sockaddr *)&address, url->host, url->port, fail);

	return policy_check_name(url->host, url->port, fail);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return streq(a->scheme, b->scheme) && streq(a->host, b->host) && a->port == b->port;
}
