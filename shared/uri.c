/* See uri.h. */
#include "shared/uri.h"

#include <arpa/inet.h>
#include <errno.h>

#include "shared/ascii.h"
#include "shared/utf8.h"

enum { PORT_MAX = 65535 };

/* Visible ASCII that RFC 3986 keeps out of paths. ('#' is handled before.) */
static const char not_in_paths[] = "\"<>\\^`{|}[]";

/* The byte of "%XX" at `at`, or -1. */
static int escaped_byte(const char *at, const char *end)
{
	int high;
	int low;

	if (end - at < 3)
		return -1;
	high = ascii_hex_value(at[1]);
	low = ascii_hex_value(at[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* All bytes may stand in a target, and no '%' stands alone. */
static bool is_clean(const char *at, const char *end, const char *unwanted)
{
	for (; at < end; at++) {
		if (*at <= 0x20 || *at >= 0x7f || *at == '#' || strchr(unwanted, *at))
			return false;
		if (*at == '%' && escaped_byte(at, end) < 0)
			return false;
	}
	return true;
}

/* The length of "http://" or "https://" at `at`; 0: neither. */
static size_t scheme_length(const char *at, size_t len)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (len >= n && strncasecmp(at, schemes[i], n) == 0)
			return n;
	}
	return 0;
}

static const char *find_any(const char *at, const char *end, const char *wanted)
{
	while (at < end && !(*at && strchr(wanted, *at)))
		at++;
	return at;
}

static int split_path_and_query(const char *at, const char *end, struct uri_target *ret)
{
	const char *mark = find_any(at, end, "?");

	if (!is_clean(at, mark, not_in_paths))
		return -EINVAL;
	ret->path = (struct span){ .at = at, .len = (size_t)(mark - at) };
	if (mark == end)
		return 0;
	if (!is_clean(mark + 1, end, ""))
		return -EINVAL;
	ret->query = (struct span){ .at = mark + 1, .len = (size_t)(end - mark - 1) };
	return 0;
}

int uri_split(const char *target, size_t len, struct uri_target *ret)
{
	const char *end = target + len;
	size_t skip = scheme_length(target, len);
	struct uri_target split = { 0 };
	struct uri_authority authority;
	int r;

	if (!skip && (len == 0 || target[0] != '/'))
		return -EINVAL;
	if (skip) {
		const char *from = target + skip;

		target = find_any(from, end, "/?#");
		split.authority = (struct span){ .at = from, .len = (size_t)(target - from) };
		if (uri_split_authority(from, split.authority.len, &authority) < 0)
			return -EINVAL;
	}
	r = split_path_and_query(target, end, &split);
	if (r < 0)
		return r;
	if (split.path.len == 0)
		split.path = (struct span){ .at = "/", .len = 1 };
	*ret = split;
	return 0;
}

static bool is_host_char(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_';
}

/* The length of the host at the beginning; 0 when there is no valid one. */
static size_t host_length(const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr ignored;
	const char *close;
	size_t n = 0;

	if (len == 0 || text[0] != '[') {
		while (n < len && is_host_char(text[n]))
			n++;
		return n;
	}
	close = memchr(text, ']', len);
	n = close ? (size_t)(close - text) - 1 : 0;
	if (n == 0 || n >= sizeof(address))
		return 0;
	memcpy(address, text + 1, n);
	address[n] = '\0';
	if (strlen(address) != n || inet_pton(AF_INET6, address, &ignored) != 1)
		return 0;
	return n + 2;
}

int uri_split_authority(const char *text, size_t len, struct uri_authority *ret)
{
	size_t at = host_length(text, len);
	struct uri_authority split = { .host = { .at = text, .len = at }, .port = -1 };

	if (at == 0)
		return -EINVAL;
	if (at < len && text[at] != ':')
		return -EINVAL;
	for (at++; at < len; at++) {
		if (text[at] < '0' || text[at] > '9')
			return -EINVAL;
		split.port = (split.port < 0 ? 0 : split.port * 10) + (text[at] - '0');
		if (split.port > PORT_MAX)
			return -EINVAL;
	}
	*ret = split;
	return 0;
}

/* Appends [at, end) decoded. False: something in it does not decode to text. */
static bool add_decoded(const char *at, const char *end, bool is_query, struct strbuf *ret)
{
	size_t from = ret->len;

	while (at < end) {
		bool is_escaped = *at == '%';
		int byte = is_escaped ? escaped_byte(at, end) : (unsigned char)*at;

		if (is_query && *at == '+')
			byte = ' ';
		if (byte < 0x20 || byte == 0x7f || (is_escaped && byte == '/' && !is_query))
			return false;
		strbuf_addc(ret, (char)byte);
		at += is_escaped ? 3 : 1;
	}
	return ret->len == from || utf8_valid(ret->data + from, ret->len - from);
}

/* The same, which adds nothing on failure. */
static int decode(struct span text, bool is_query, struct strbuf *ret)
{
	size_t from = ret->len;

	if (add_decoded(text.at, text.at + text.len, is_query, ret))
		return 0;
	strbuf_cut(ret, from);
	return -EINVAL;
}

int uri_decode_path(struct span path, struct strbuf *ret)
{
	if (!path.at)
		return -EINVAL;
	return decode(path, false, ret);
}

static bool is_name(const char *at, const char *end, const char *name)
{
	auto_strbuf decoded = { 0 };

	if ((size_t)(end - at) < strlen(name))
		return false; /* decoding makes nothing longer */
	return add_decoded(at, end, true, &decoded) && streq(strbuf_get(&decoded), name);
}

int uri_query_get(struct span query, const char *name, struct strbuf *ret)
{
	const char *at = query.at;
	const char *end = query.at ? query.at + query.len : NULL;
	struct span found = { 0 };

	while (at && at < end) {
		const char *next = find_any(at, end, "&");
		const char *equals = find_any(at, next, "=");

		if (is_name(at, equals, name)) {
			const char *value = equals < next ? equals + 1 : next;

			if (found.at)
				return -EINVAL;
			found = (struct span){ .at = value, .len = (size_t)(next - value) };
		}
		at = next < end ? next + 1 : end;
	}
	if (!found.at)
		return -ENOENT;
	return decode(found, true, ret);
}
