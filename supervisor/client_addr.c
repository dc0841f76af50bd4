/* See client_addr.h. */
#include "supervisor/client_addr.h"

#include <arpa/inet.h>
#include <errno.h>

enum {
	MAPPED_BYTES = 12, /* ::ffff: */
	MAX_PORT = 65535,
};

static const uint8_t mapped[MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };

static bool is_ipv4(const uint8_t ip[16])
{
	return memcmp(ip, mapped, MAPPED_BYTES) == 0;
}

static void set_ipv4(uint8_t ret[16], const struct in_addr *in)
{
	memcpy(ret, mapped, MAPPED_BYTES);
	memcpy(ret + MAPPED_BYTES, in, sizeof(*in));
}

struct client_addr client_addr_of(const struct sockaddr_storage *addr)
{
	struct client_addr ret = { 0 };

	if (addr->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		set_ipv4(ret.ip, &in->sin_addr);
		ret.port = ntohs(in->sin_port);
	} else if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		memcpy(ret.ip, &in6->sin6_addr, sizeof(ret.ip));
		ret.port = ntohs(in6->sin6_port);
	}
	return ret;
}

/* --- reading ------------------------------------------------------------------------------------- */

static int parse_ip(struct span text, uint8_t ret[16])
{
	char copy[CLIENT_ADDR_TEXT_SIZE];
	struct in6_addr in6;
	struct in_addr in;

	if (text.len >= sizeof(copy) || memchr(text.at, '\0', text.len))
		return -EINVAL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, &in) == 1)
		set_ipv4(ret, &in);
	else if (inet_pton(AF_INET6, copy, &in6) == 1)
		memcpy(ret, &in6, sizeof(in6));
	else
		return -EINVAL;
	return 0;
}

/* Digits only, at most `max`; an empty text is none. */
static int parse_number(struct span text, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	if (text.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text.at[i] - '0');
		if (value > max)
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* Takes ":80" off the end of "address:80" and "[address]:80", and the brackets. */
static int split_port(struct span *text, unsigned *ret_port)
{
	const char *colon = memchr(text->at, ':', text->len);
	size_t address_len;

	*ret_port = 0;
	if (text->at[0] == '[') {
		const char *end = memchr(text->at, ']', text->len);

		if (!end)
			return -EINVAL;
		colon = end + 1 < text->at + text->len ? end + 1 : NULL;
		address_len = (size_t)(end - text->at) - 1;
	} else if (colon && !memchr(colon + 1, ':', text->len - (size_t)(colon + 1 - text->at))) {
		address_len = (size_t)(colon - text->at);
	} else {
		return 0; /* IPv6 without brackets, or no port */
	}
	if (colon && (*colon != ':' || parse_number((struct span){ .at = colon + 1,
							    .len = text->len -
								   (size_t)(colon + 1 - text->at) },
					       MAX_PORT, ret_port) < 0))
		return -EINVAL;
	*text = (struct span){ .at = text->at + (text->at[0] == '['), .len = address_len };
	return 0;
}

int client_addr_parse(struct span text, struct client_addr *ret)
{
	struct client_addr addr = { 0 };
	bool has_brackets = text.len > 0 && text.at[0] == '[';
	unsigned port;

	if (text.len == 0 || split_port(&text, &port) < 0 || parse_ip(text, addr.ip) < 0)
		return -EINVAL;
	if (has_brackets && !memchr(text.at, ':', text.len))
		return -EINVAL;
	addr.port = (uint16_t)port;
	*ret = addr;
	return 0;
}

/* --- questions ----------------------------------------------------------------------------------- */

const char *client_addr_format(const struct client_addr *addr, char ret[CLIENT_ADDR_TEXT_SIZE])
{
	ret[0] = '\0';
	if (client_addr_is_none(addr))
		return ret;
	if (is_ipv4(addr->ip))
		(void)inet_ntop(AF_INET, addr->ip + MAPPED_BYTES, ret, CLIENT_ADDR_TEXT_SIZE);
	else
		(void)inet_ntop(AF_INET6, addr->ip, ret, CLIENT_ADDR_TEXT_SIZE);
	return ret;
}

bool client_addr_is_none(const struct client_addr *addr)
{
	static const uint8_t none[16];

	return memcmp(addr->ip, none, sizeof(none)) == 0;
}

bool client_addr_is_loopback(const struct client_addr *addr)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	if (is_ipv4(addr->ip))
		return addr->ip[MAPPED_BYTES] == 127;
	return memcmp(addr->ip, loopback, sizeof(loopback)) == 0;
}

bool client_addr_same_ip(const struct client_addr *a, const struct client_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}
