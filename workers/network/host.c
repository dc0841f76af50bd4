/* See host.h. */
#include "workers/network/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "shared/ascii.h"
#include "shared/quote.h"

enum { MAX_LABEL = 63 };

static bool is_name_char(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* Without a dot at the end. */
static size_t name_len(const char *host)
{
	size_t len = strlen(host);

	return len > 0 && host[len - 1] == '.' ? len - 1 : len;
}

bool host_is_name(const char *host)
{
	size_t len = name_len(host);
	size_t label = 0;

	if (len == 0 || len > HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (host[i] == '.' ? label == 0 : !is_name_char(host[i]) || label == MAX_LABEL)
			return false;
		label = host[i] == '.' ? 0 : label + 1;
	}

	return label > 0;
}

bool host_is_number(const char *host)
{
	size_t end = name_len(host);
	size_t at = end;
	size_t digits;

	while (at > 0 && host[at - 1] != '.')
		at--;
	if (at == end)
		return false;

	digits = strspn(host + at, "0123456789");
	if (at + digits == end)
		return true;
	if (host[at] != '0' || (host[at + 1] != 'x' && host[at + 1] != 'X'))
		return false;

	return at + 2 + strspn(host + at + 2, "0123456789abcdefABCDEF") == end;
}

/* Without the brackets, if it has them. False: too long, or only one of them. */
static bool strip_brackets(const char *host, char ret[INET6_ADDRSTRLEN], bool *ret_had)
{
	size_t len = strlen(host);
	bool had = *host == '[';

	if (had && (len < 2 || host[len - 1] != ']'))
		return false;
	host += had;
	len -= had ? 2 : 0;
	if (len >= INET6_ADDRSTRLEN)
		return false;
	memcpy(ret, host, len);
	ret[len] = '\0';
	*ret_had = had;
	return true;
}

bool host_get_address(const char *host, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	char text[INET6_ADDRSTRLEN];
	bool had_brackets = false;

	if (!strip_brackets(host, text, &had_brackets))
		return false;
	*ret = (struct sockaddr_storage){ 0 };
	if (!had_brackets && inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
		memcpy(ret, &in4, sizeof(in4));
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(ret, &in6, sizeof(in6));
		return true;
	}

	return false;
}

static int bad_host(struct failure *fail, const char *host, const char *why)
{
	char quoted[QUOTE_SIZE];

	return failure_set(fail, "invalid_url", "the host %s %s.", quote(quoted, host), why);
}

/* What no host has, whoever reads it. */
static int check_chars(const char *host, struct failure *fail)
{
	for (const char *at = host; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (c <= ' ' || c == 0x7f)
			return bad_host(fail, host, "has a blank or a control character");
		if (strchr("%\\/?#@<>^`{|}\"", *at))
			return bad_host(fail, host,
				"has a character that is not allowed in a host (like % or \\)");
	}

	return 0;
}

static int to_ascii(const char *host, char ret[HOST_MAX + 2], struct failure *fail)
{
	char *ascii = NULL;
	int rc = idn2_lookup_u8(
		(const uint8_t *)host, (uint8_t **)&ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	size_t len = rc == IDN2_OK ? strlen(ascii) : 0;

	if (rc == IDN2_OK && len <= HOST_MAX + 1)
		memcpy(ret, ascii, len + 1);
	idn2_free(ascii);
	if (rc != IDN2_OK)
		return bad_host(fail, host, "is no internationalized name");
	if (len > HOST_MAX + 1)
		return bad_host(fail, host, "is too long");

	return 0;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;

	return true;
}

static void write_address(const struct sockaddr_storage *address, char ret[HOST_MAX + 2])
{
	const char *bytes = (const char *)address;

	bytes += address->ss_family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
					       : offsetof(struct sockaddr_in6, sin6_addr);
	(void)inet_ntop(address->ss_family, bytes, ret, HOST_MAX + 2);
}

static int odd_number(struct failure *fail, const char *host)
{
	char quoted[QUOTE_SIZE];

	return failure_set(fail, "address_refused",
		"the host %s is an unusual spelling of an IPv4 address. Write four decimal numbers.",
		quote(quoted, host));
}

int host_normalize(const char *host, char ret[HOST_MAX + 2], struct failure *fail)
{
	struct sockaddr_storage address;
	char ascii[HOST_MAX + 2] = "";

	if (*host == '\0')
		return bad_host(fail, host, "is empty");
	if (check_chars(host, fail) < 0)
		return -EINVAL;
	if (host_get_address(host, 0, &address)) {
		write_address(&address, ret);
		return 0;
	}

	if (!is_ascii(host)) {
		if (to_ascii(host, ascii, fail) < 0)
			return -EINVAL;
	} else if (strlen(host) < sizeof(ascii)) {
		memcpy(ascii, host, strlen(host) + 1);
	} else {
		return bad_host(fail, host, "is too long");
	}

	/* What has become an address by IDNA was no plain spelling of it. */
	if (host_is_number(ascii))
		return odd_number(fail, host);
	if (!host_is_name(ascii))
		return bad_host(fail, host, "is neither a name nor an address");

	for (size_t i = 0; i <= strlen(ascii); i++)
		ret[i] = ascii_to_lower(ascii[i]);
	return 0;
}
