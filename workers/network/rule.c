/* See rule.h. */
#include "workers/network/rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/ascii.h"
#include "workers/network/host.h"

/* The parts of a rule's text, not yet understood. */
struct parts {
	char host[RULE_MAX_NAME + 1]; /* a name or an address, without brackets */
	char prefix[8];
	char port[8];
	bool has_prefix;
	bool has_port;
	bool bracketed;
};

static int bad(struct failure *fail, const char *why)
{
	return failure_set(fail, "invalid_argument", "%s", why);
}

static int take(char *to, size_t size, const char *from, size_t len, struct failure *fail)
{
	if (len >= size)
		return bad(fail, "it is too long");
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

/* "10.0.0.0/8" or "name": until the slash, and behind it. */
static int split_prefix(const char *text, size_t len, struct parts *parts, struct failure *fail)
{
	const char *slash = memchr(text, '/', len);
	size_t host_len = slash ? (size_t)(slash - text) : len;

	parts->has_prefix = slash != NULL;
	if (slash &&
		take(parts->prefix, sizeof(parts->prefix), slash + 1, len - host_len - 1, fail) < 0)
		return -EINVAL;

	return take(parts->host, sizeof(parts->host), text, host_len, fail);
}

static int split(const char *text, struct parts *parts, struct failure *fail)
{
	const char *start = text;
	const char *end = text + strlen(text);
	const char *colon = strrchr(text, ':');

	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] != '\0' && close[1] != ':'))
			return bad(fail, "expected ']', and perhaps ':' and a port behind it");
		parts->bracketed = true;
		colon = close[1] == ':' ? close + 1 : NULL;
		start = text + 1;
		end = close;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
	} else {
		colon = NULL; /* more than one: an IPv6 address without a port */
	}

	parts->has_port = colon != NULL;
	if (colon && take(parts->port, sizeof(parts->port), colon + 1, strlen(colon + 1), fail) < 0)
		return -EINVAL;

	return split_prefix(start, (size_t)(end - start), parts, fail);
}

/* Digits only, no leading zero, at most `max`. -1: it is none. */
static int read_number(const char *text, int max)
{
	int value = 0;

	if (*text == '\0' || (*text == '0' && text[1] != '\0'))
		return -1;
	for (; *text; text++) {
		if (!ascii_is_digit(*text))
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}

	return value;
}

static bool has_bits_behind(const struct rule *rule, int bits)
{
	for (int i = rule->prefix; i < bits; i++)
		if (rule->bytes[i / 8] & (0x80 >> i % 8))
			return true;

	return false;
}

static int read_addresses(const struct parts *parts, struct rule *rule, struct failure *fail)
{
	int bits = rule->family == AF_INET ? 32 : 128;

	rule->kind = RULE_ADDRESSES;
	rule->prefix = parts->has_prefix ? read_number(parts->prefix, bits) : bits;
	if (rule->prefix < 0)
		return bad(fail, "the length of the prefix is not a number from 0 to 32 (IPv4) or "
				 "128 (IPv6)");
	if (has_bits_behind(rule, bits))
		return bad(fail, "the address has bits set behind the prefix");

	return 0;
}

static int read_name(const struct parts *parts, struct rule *rule, struct failure *fail)
{
	bool is_suffix = parts->host[0] == '.';
	const char *name = parts->host + is_suffix;
	size_t len = strlen(name);

	if (parts->has_prefix)
		return bad(fail, "expected an IPv4 or IPv6 address before '/'");
	if (parts->bracketed)
		return bad(fail, "expected an IPv6 address in the brackets");
	if (host_is_number(name))
		return bad(fail, "an IPv4 address is written as four decimal numbers");
	if (!host_is_name(name))
		return bad(fail, "expected a host's name (in ASCII, as xn--…), or an address");

	rule->kind = is_suffix ? RULE_SUFFIX : RULE_NAME;
	for (size_t i = 0; i < len; i++)
		rule->name[i] = ascii_to_lower(name[i]);
	if (len > 0 && rule->name[len - 1] == '.')
		rule->name[len - 1] = '\0';
	return 0;
}

int rule_parse(const char *text, struct rule *ret, struct failure *fail)
{
	struct parts parts = { 0 };
	struct rule rule = { 0 };
	int r;

	if (split(text, &parts, fail) < 0)
		return -EINVAL;

	if (parts.has_port) {
		rule.port = read_number(parts.port, 65535);
		if (rule.port < 1)
			return bad(fail, "the port is not a number from 1 to 65535");
	}
	if (!parts.bracketed && inet_pton(AF_INET, parts.host, rule.bytes) == 1)
		rule.family = AF_INET;
	else if (inet_pton(AF_INET6, parts.host, rule.bytes) == 1)
		rule.family = AF_INET6;

	r = rule.family ? read_addresses(&parts, &rule, fail) : read_name(&parts, &rule, fail);
	if (r == 0)
		*ret = rule;
	return r;
}

static bool has_port(const struct rule *rule, int port)
{
	return rule->port == 0 || rule->port == port;
}

bool rule_has_name(const struct rule *rule, const char *name, int port)
{
	size_t len = strlen(name);
	size_t own_len = strlen(rule->name);
	const char *end;

	if (rule->kind == RULE_ADDRESSES || !has_port(rule, port))
		return false;
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < own_len)
		return false;

	end = name + (len - own_len);
	if (strncasecmp(end, rule->name, own_len) != 0)
		return false;

	return len == own_len || (rule->kind == RULE_SUFFIX && end[-1] == '.');
}

bool rule_has_address(const struct rule *rule, const struct sockaddr *address, int port)
{
	int whole = rule->prefix / 8;
	int rest = rule->prefix % 8;
	uint8_t bytes[16] = { 0 };

	if (rule->kind != RULE_ADDRESSES || address->sa_family != rule->family ||
		!has_port(rule, port))
		return false;

	if (rule->family == AF_INET)
		memcpy(bytes, (const char *)address + offsetof(struct sockaddr_in, sin_addr), 4);
	else
		memcpy(bytes, (const char *)address + offsetof(struct sockaddr_in6, sin6_addr), 16);
	if (memcmp(bytes, rule->bytes, (size_t)whole) != 0)
		return false;

	return rest == 0 || ((bytes[whole] ^ rule->bytes[whole]) >> (8 - rest)) == 0;
}

bool rule_is_one_address(const struct rule *rule)
{
	return rule->kind == RULE_ADDRESSES && rule->prefix == (rule->family == AF_INET ? 32 : 128);
}
