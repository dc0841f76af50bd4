/* Remotes: see transport.h. */
#include "workers/git/transport.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/base64.h"
#include "shared/quote.h"
#include "shared/strbuf.h"
#include "workers/common/address.h"
#include "workers/git/out.h"

enum { MAX_URL = 4096, MAX_HOST = 253, HTTPS_PORT = 443, SSH_PORT = 22 };

static int refuse_url(struct refusal *why, const char *url, const char *reason)
{
	auto_free char *shown = out_url(url);
	char quoted[QUOTE_SIZE];

	return refuse(why, "remote_refused", "%s: %s. Use https://HOST/PATH or ssh://HOST/PATH.",
		quote(quoted, shown), reason);
}

void target_done(struct target *target)
{
	free(target->url);
	free(target->host);
	free(target->user);
	free(target->path);
	*target = (struct target){ 0 };
}

static bool is_alnum(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c);
}

static bool is_all_of(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(text[i]) && !strchr(more, text[i]))
			return false;

	return true;
}

/* Visible ASCII, and nothing that a shell at the other end or another reader of URLs may take for
 * something else. */
static bool is_clean_path(const char *path)
{
	for (; *path; path++)
		if (*path <= ' ' || *path > '~' || strchr("\"'\\`<>{}|^?#!$;&*()", *path))
			return false;

	return true;
}

/* Spellings of addresses that only some programs understand: 2130706433, 127.1, 0x7f.0.0.1. */
static bool is_odd_address(const char *host)
{
	const char *last = strrchr(host, '.');
	struct in_addr ignored;

	last = last ? last + 1 : host;
	return (*last == '\0' || ascii_is_digit(*last)) && inet_pton(AF_INET, host, &ignored) != 1;
}

static bool is_blocked_literal(const char *host)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	return inet_pton(AF_INET, host, &address.sin_addr) == 1 &&
	       !address_is_public((const struct sockaddr *)&address);
}

static int check_host(const struct target *target, const char *url, struct refusal *why)
{
	const char *host = target->host;
	size_t len = strlen(host);

	if (len == 0 || len > MAX_HOST || *host == '-' || *host == '.' ||
		!is_all_of(host, len, ".-_"))
		return refuse_url(why, url, "this is no name of a host");
	if (target->kind != TARGET_HTTPS)
		return 0;
	if (address_is_local_name(host) || is_odd_address(host) || is_blocked_literal(host))
		return refuse(why, "address_refused",
			"%s is not a public host, and this server connects to public ones only. "
			"Use a remote with a public address.",
			host);

	return 0;
}

static int check_user(const struct target *target, const char *url, struct refusal *why)
{
	const char *user = target->user;
	const char *more = target->kind == TARGET_SSH ? "._-" : "._-+%@~";

	if (!user)
		return 0;
	if (*user == '\0' || *user == '-' || !is_all_of(user, strlen(user), more))
		return refuse_url(why, url, "the user name is not usable");

	return 0;
}

/* [user[:password]@]host[:port]; the password is dropped. */
static int read_authority(
	struct target *target, const char *text, size_t len, const char *url, struct refusal *why)
{
	const char *end = text + len;
	const char *at = memrchr(text, '@', len);
	const char *host = at ? at + 1 : text;
	const char *colon = memchr(host, ':', (size_t)(end - host));

	if (at) {
		const char *secret = memchr(text, ':', (size_t)(at - text));

		target->user = alloc_mem(text, (size_t)((secret ? secret : at) - text));
	}
	target->host = alloc_mem(host, (size_t)((colon ? colon : end) - host));
	if (colon) {
		size_t n_digits = (size_t)(end - colon - 1);

		target->port = 0;
		if (n_digits > 5)
			return refuse_url(why, url, "the port is not usable");
		for (const char *digit = colon + 1; digit < end; digit++) {
			if (!ascii_is_digit(*digit))
				return refuse_url(why, url, "the port is not usable");
			target->port = target->port * 10 + (unsigned)(*digit - '0');
		}
		if (target->port == 0 || target->port > 65535)
			return refuse_url(why, url, "the port is not usable");
	}

	return check_user(target, url, why) < 0 ? -1 : check_host(target, url, why);
}

static int check_allowed(const struct git_settings *settings, const char *protocol, const char *url,
	struct refusal *why)
{
	auto_free char *shown = NULL;
	char quoted[QUOTE_SIZE];

	if (git_settings_allows(settings, protocol))
		return 0;

	shown = out_url(url);
	return refuse(why, "remote_refused",
		"%s: this server does not allow remotes by %s. "
		"Its operator decides (allowed_protocols).",
		quote(quoted, shown), protocol);
}

/* https://… or ssh://… from the first character after "://". */
static int read_network(
	struct target *target, const char *rest, const char *url, struct refusal *why)
{
	size_t len = strcspn(rest, "/");
	const char *path = rest + len;
	bool is_ssh = target->kind == TARGET_SSH;
	unsigned usual = is_ssh ? SSH_PORT : HTTPS_PORT;
	auto_strbuf clean = { 0 };

	target->port = usual;
	if (read_authority(target, rest, len, url, why) < 0)
		return -1;
	if (path[0] == '\0' || path[1] == '\0' || path[1] == '-' || !is_clean_path(path))
		return refuse_url(why, url, "the path is not usable");
	if (is_ssh && !target->user)
		target->user = alloc_str("git");

	strbuf_adds(&clean, is_ssh ? "ssh://" : "https://");
	if (is_ssh)
		strbuf_addf(&clean, "%s@", target->user);
	strbuf_adds(&clean, target->host);
	if (target->port != usual)
		strbuf_addf(&clean, ":%u", target->port);
	strbuf_adds(&clean, path);
	target->url = strbuf_take(&clean);
	return 0;
}

/* user@host:path. The path starts at the user's home there, so this cannot become an ssh:// URL. */
static int read_scp(struct target *target, const char *url, struct refusal *why)
{
	size_t len = strcspn(url, ":");
	const char *path = url + len + 1;

	target->kind = TARGET_SSH;
	target->port = SSH_PORT;
	if (read_authority(target, url, len, url, why) < 0)
		return -1;
	if (*path == '\0' || *path == '-' || strchr(path, ':') || !is_clean_path(path))
		return refuse_url(why, url, "the path is not usable");
	if (!target->user)
		target->user = alloc_str("git");

	target->url = alloc_printf("%s@%s:%s", target->user, target->host, path);
	return 0;
}

/* The bytes that %XX stand for; NULL: a broken one, or NUL. Yours to free. */
static char *decode(const char *text, size_t len)
{
	auto_strbuf bytes = { 0 };

	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (text[i] != '%') {
			strbuf_addc(&bytes, text[i]);
			continue;
		}
		high = len - i > 2 ? ascii_hex_value(text[i + 1]) : -1;
		low = len - i > 2 ? ascii_hex_value(text[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return NULL;
		strbuf_addc(&bytes, (char)(high * 16 + low));
		i += 2;
	}

	return strbuf_take(&bytes);
}

static int read_file(struct target *target, const char *url, struct refusal *why)
{
	static const char scheme[] = "file://";
	bool is_url = strncmp(url, scheme, strlen(scheme)) == 0;
	const char *path = is_url ? url + strlen(scheme) : url;

	target->kind = TARGET_FILE;
	if (is_url && *path != '/')
		return refuse_url(why, url, "a file URL starts with file:///");
	target->path = is_url ? decode(path, strlen(path)) : alloc_str(path);
	if (!target->path || *target->path == '\0' || *target->path == '-')
		return refuse_url(why, url, "the path is not usable");

	target->url = alloc_str(target->path);
	return 0;
}

int target_parse(const struct git_settings *settings, const char *url, struct target *ret,
	struct refusal *why)
{
	static const struct {
		const char *prefix;
		const char *protocol;
		enum target_kind kind;
	} schemes[] = {
		{ "https://", "https", TARGET_HTTPS },
		{ "ssh://", "ssh", TARGET_SSH },
		{ "file://", "file", TARGET_FILE },
	};
	size_t word = strcspn(url, ":/");

	if (*url == '\0' || strlen(url) > MAX_URL)
		return refuse(why, "remote_refused",
			"the URL is empty or longer than %d bytes. "
			"Shorten it.",
			MAX_URL);
	if (*url == '-' || strstr(url, "::"))
		return refuse_url(why, url, "URLs like this one run programs");

	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		const char *prefix = schemes[i].prefix;

		if (strncmp(url, prefix, strlen(prefix)) != 0)
			continue;
		if (check_allowed(settings, schemes[i].protocol, url, why) < 0)
			return -1;
		ret->kind = schemes[i].kind;
		return ret->kind == TARGET_FILE ? read_file(ret, url, why)
						: read_network(ret, url + strlen(prefix), url, why);
	}
	if (strstr(url, "://"))
		return refuse_url(why, url, "only https, ssh and file are spoken here");
	if (url[word] == ':')
		return check_allowed(settings, "ssh", url, why) < 0 ? -1 : read_scp(ret, url, why);

	return check_allowed(settings, "file", url, why) < 0 ? -1 : read_file(ret, url, why);
}

char *target_file_url(const char *path)
{
	auto_strbuf url = { 0 };

	strbuf_adds(&url, "file://");
	for (; *path; path++) {
		if (is_alnum(*path) || strchr("/._-~", *path))
			strbuf_addc(&url, *path);
		else
			strbuf_addf(&url, "%%%02X", (unsigned)(unsigned char)*path);
	}

	return strbuf_take(&url);
}

/* Credentials */

void credentials_done(struct credentials *credentials)
{
	free(credentials->user);
	if (credentials->password)
		explicit_bzero(credentials->password, strlen(credentials->password));
	free(credentials->password);
	*credentials = (struct credentials){ 0 };
}

/* Whether "host[:port]" up to a slash is the target's. */
static bool is_host_of(const struct target *target, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	auto_free char *with_port = alloc_printf("%s:%u", target->host, target->port);

	if (slash)
		len = (size_t)(slash - text);
	if (len == strlen(with_port) && strncasecmp(text, with_port, len) == 0)
		return true;

	return target->port == HTTPS_PORT && len == strlen(target->host) &&
	       strncasecmp(text, target->host, len) == 0;
}

static bool read_line(
	const char *line, size_t len, const struct target *target, struct credentials *ret)
{
	static const char scheme[] = "https://";
	const char *end = line + len;
	const char *user = line + strlen(scheme);
	const char *at, *colon;
	auto_credentials found = { 0 };

	if (len < strlen(scheme) || strncmp(line, scheme, strlen(scheme)) != 0)
		return false;
	at = memrchr(user, '@', (size_t)(end - user));
	colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
	if (!colon || !is_host_of(target, at + 1, (size_t)(end - at - 1)))
		return false;

	found.user = decode(user, (size_t)(colon - user));
	found.password = decode(colon + 1, (size_t)(at - colon - 1));
	if (!found.user || !found.password)
		return false;
	if (target->user) {
		auto_free char *asked = decode(target->user, strlen(target->user));

		if (!asked || !streq(asked, found.user))
			return false;
	}

	*ret = found;
	/* NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): its clean-up reads it */
	found = (struct credentials){ 0 };
	return true;
}

bool credentials_find(const char *text, const struct target *target, struct credentials *ret)
{
	if (target->kind != TARGET_HTTPS)
		return false;

	while (*text) {
		size_t len = strcspn(text, "\r\n");

		if (read_line(text, len, target, ret))
			return true;
		text += len;
		text += strspn(text, "\r\n");
	}

	return false;
}

/* Whether the comma-separated names have the target's. */
static bool names_have(const char *names, const struct target *target)
{
	auto_free char *with_port = alloc_printf("[%s]:%u", target->host, target->port);
	const char *wanted = target->port == SSH_PORT ? target->host : with_port;

	while (*names) {
		size_t len = strcspn(names, ",");

		if (len == strlen(wanted) && strncasecmp(names, wanted, len) == 0)
			return true;
		names += len;
		names += strspn(names, ",");
	}

	return false;
}

static bool key_is(const char *text, const void *key, size_t len)
{
	auto_strbuf bytes = { 0 };

	return base64_decode(BASE64_PLAIN, text, strlen(text), &bytes, NULL) == 0 &&
	       bytes.len == len && memcmp(bytes.data, key, len) == 0;
}

bool known_hosts_has(const char *text, const struct target *target, const void *key, size_t len)
{
	static const char blanks[] = " \t";
	auto_free char *copy = alloc_str(text);
	char *next_line = NULL;
	bool is_known = false;

	for (char *line = strtok_r(copy, "\r\n", &next_line); line;
		line = strtok_r(NULL, "\r\n", &next_line)) {
		char *next = NULL;
		const char *names = strtok_r(line, blanks, &next);
		bool is_revoked = names && streq(names, "@revoked");
		const char *type, *found;

		if (is_revoked)
			names = strtok_r(NULL, blanks, &next);
		type = strtok_r(NULL, blanks, &next);
		found = strtok_r(NULL, blanks, &next);
		if (!names || !type || !found || *names == '#' || *names == '@')
			continue;
		if (is_revoked && key && key_is(found, key, len))
			return false;
		if (!is_revoked && names_have(names, target) && (!key || key_is(found, key, len)))
			is_known = true;
	}

	return is_known;
}
