/* See reverse.h. */
#include "workers/network/reverse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/ascii.h"

static const char zone4[] = ".in-addr.arpa";
static const char zone6[] = ".ip6.arpa";

void reverse_write(const struct sockaddr_storage *address, char ret[REVERSE_MAX_NAME + 1])
{
	static const char digits[] = "0123456789abcdef";
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	char *at = ret;

	if (address->ss_family == AF_INET) {
		uint32_t host;

		memcpy(&in4, address, sizeof(in4));
		host = ntohl(in4.sin_addr.s_addr);
		(void)snprintf(ret, REVERSE_MAX_NAME + 1, "%u.%u.%u.%u%s", host & 0xff,
			host >> 8 & 0xff, host >> 16 & 0xff, host >> 24, zone4);
		return;
	}
	memcpy(&in6, address, sizeof(in6));
	for (size_t i = sizeof(in6.sin6_addr.s6_addr); i > 0; i--) {
		unsigned byte = in6.sin6_addr.s6_addr[i - 1];

		*at++ = digits[byte & 0xf];
		*at++ = '.';
		*at++ = digits[byte >> 4];
		*at++ = '.';
	}
	memcpy(at - 1, zone6, sizeof(zone6)); /* it brings its dot */
}

/* Length of `name` before the zone; 0: it is not in the zone. */
static size_t find_zone(const char *name, const char *zone)
{
	size_t len = strlen(name);
	size_t zone_len = strlen(zone);

	len -= len > 0 && name[len - 1] == '.';
	if (len <= zone_len || strncasecmp(name + len - zone_len, zone, zone_len) != 0)
		return 0;

	return len - zone_len;
}

static bool parse4(const char *name, size_t len, struct sockaddr_storage *ret)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	char text[INET_ADDRSTRLEN];
	uint32_t backwards;

	if (len >= sizeof(text))
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &in4.sin_addr) != 1)
		return false;

	backwards = ntohl(in4.sin_addr.s_addr);
	in4.sin_addr.s_addr = htonl(backwards << 24 | (backwards & 0xff00) << 8 |
				    (backwards >> 8 & 0xff00) | backwards >> 24);
	*ret = (struct sockaddr_storage){ 0 };
	memcpy(ret, &in4, sizeof(in4));
	return true;
}

static bool parse6(const char *name, size_t len, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	size_t n = 2 * sizeof(in6.sin6_addr.s6_addr);

	if (len != 2 * n - 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = ascii_hex_value(name[2 * i]);
		uint8_t *byte = &in6.sin6_addr.s6_addr[(n - 1 - i) / 2];

		if (digit < 0 || (i + 1 < n && name[2 * i + 1] != '.'))
			return false;
		*byte = (uint8_t)(*byte | (i % 2 ? digit << 4 : digit));
	}

	*ret = (struct sockaddr_storage){ 0 };
	memcpy(ret, &in6, sizeof(in6));
	return true;
}

bool reverse_parse(const char *name, struct sockaddr_storage *ret)
{
	size_t len = find_zone(name, zone4);

	if (len > 0)
		return parse4(name, len, ret);

	len = find_zone(name, zone6);
	return len > 0 && parse6(name, len, ret);
}
