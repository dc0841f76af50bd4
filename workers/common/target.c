/* See target.h. */
#include "workers/common/target.h"

#include <curl/curl.h>
#include <errno.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/uri.h"

DEFINE_FREEP(CURLU, curl_url_cleanup)

void target_done(struct target *target)
{
	free(target->url);
	free(target->scheme);
	free(target->host);
	free(target->port);
	free(target->shown);
	*target = (struct target){ 0 };
}

static void move(struct target *to, struct target *from)
{
	target_done(to);
	*to = *from;
	*from = (struct target){ 0 };
}

void target_copy(const struct target *from, struct target *ret)
{
	*ret = (struct target){
		.url = alloc_str(from->url),
		.scheme = alloc_str(from->scheme),
		.host = alloc_str(from->host),
		.port = alloc_str(from->port),
		.shown = alloc_str(from->shown),
	};
}

/* In memory of our own; NULL: there is none. */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;
	char *copy;

	if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
		return NULL;
	copy = alloc_str(text);
	curl_free(text);
	return copy;
}

/* Visible ASCII: what else is there could be read in two ways. */
static bool is_plain(const char *text)
{
	size_t len = 0;

	for (; text[len]; len++)
		if (text[len] <= ' ' || text[len] == 0x7f || (unsigned char)text[len] > 0x7f)
			return false;
	return len > 0 && len <= TARGET_MAX_BYTES;
}

static bool refuse(struct fail *fail, const char *why)
{
	(void)fail_set(fail, -EINVAL, "%s", why);
	return false;
}

static bool take(CURLU *url, struct target *ret, struct fail *fail)
{
	auto_free char *user = part_of(url, CURLUPART_USER, 0);
	auto_free char *password = part_of(url, CURLUPART_PASSWORD, 0);
	auto_free char *path = NULL;
	auto_target found = { 0 };

	if (user || password)
		return refuse(
			fail, "the URL has a user name in it: give credentials in headers_file");
	(void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	path = part_of(url, CURLUPART_PATH, 0);
	found = (struct target){
		.url = part_of(url, CURLUPART_URL, 0),
		.scheme = part_of(url, CURLUPART_SCHEME, 0),
		.host = part_of(url, CURLUPART_HOST, 0),
		.port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT),
	};
	if (!found.url || !found.scheme || !found.host || !*found.host || !found.port)
		return refuse(fail, "the URL names no host");
	if (strcasecmp(found.scheme, "http") != 0 && strcasecmp(found.scheme, "https") != 0)
		return refuse(fail, "the URL is neither http nor https");
	found.shown = alloc_printf(
		"%s://%s:%s%s", found.scheme, found.host, found.port, path ? path : "/");
	move(ret, &found);
	return true;
}

int target_parse(const char *text, struct target *ret, struct fail *fail)
{
	auto_(curl_url_cleanupp) CURLU *url = curl_url();
	struct uri_target parts;
	struct uri_authority authority;

	if (!url)
		abort(); /* out of memory */
	if (!is_plain(text) || uri_split(text, strlen(text), &parts) < 0 || !parts.authority.at ||
		uri_split_authority(parts.authority.at, parts.authority.len, &authority) < 0)
		return fail_set(fail, -EINVAL,
			"the URL cannot be read: it must be http://HOST/PATH or https://HOST/PATH");
	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return fail_set(fail, -EINVAL, "the URL cannot be read");
	return take(url, ret, fail) ? 0 : -EINVAL;
}

static int resolve(
	const struct target *base, const char *reference, struct target *ret, struct fail *fail)
{
	auto_(curl_url_cleanupp) CURLU *url = curl_url();

	if (!url || curl_url_set(url, CURLUPART_URL, base->url, 0) != CURLUE_OK)
		abort(); /* out of memory: it was read before */
	if (!is_plain(reference) ||
		curl_url_set(url, CURLUPART_URL, reference, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return fail_set(fail, -EINVAL, "it cannot be read");
	return take(url, ret, fail) ? 0 : -EINVAL;
}

int target_resolve(
	const struct target *base, const char *reference, struct target *ret, struct fail *fail)
{
	auto_target found = { 0 };
	int r = resolve(base, reference, &found, fail);

	if (r < 0)
		return r;
	if (!target_same_origin(base, &found))
		return fail_set(fail, -EPERM, "it has another origin, %s://%s:%s", found.scheme,
			found.host, found.port);
	move(ret, &found);
	return 0;
}

int target_resolve_any(
	const struct target *base, const char *reference, struct target *ret, struct fail *fail)
{
	auto_target found = { 0 };
	int r = resolve(base, reference, &found, fail);

	if (r < 0)
		return r;
	if (strcasecmp(base->scheme, "https") == 0 && strcasecmp(found.scheme, "https") != 0)
		return fail_set(fail, -EPERM, "it leads from https to http");
	move(ret, &found);
	return 0;
}

bool target_same_origin(const struct target *a, const struct target *b)
{
	return strcasecmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
	       streq(a->port, b->port);
}
