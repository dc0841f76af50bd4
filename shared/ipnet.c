/* See ipnet.h. */
#include "shared/ipnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { ALL_BITS = 128, V4_BITS = 32 };

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* "255" at most three digits, without a sign. */
static int parse_bits(const char *text, unsigned max, unsigned *ret)
{
	unsigned bits = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
		return -EINVAL;
	for (; *text; text++)
		bits = bits * 10 + (unsigned)(*text - '0');
	if (bits > max)
		return -EINVAL;
	*ret = bits;
	return 0;
}

static int parse_ip(const char *text, size_t len, uint8_t ret[16], bool *ret_v4)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret_v4 = inet_pton(AF_INET, copy, ret + sizeof(v4_prefix)) == 1;
	if (*ret_v4)
		memcpy(ret, v4_prefix, sizeof(v4_prefix));
	return *ret_v4 || inet_pton(AF_INET6, copy, ret) == 1 ? 0 : -EINVAL;
}

/* The bits of byte `i` that count. */
static uint8_t mask_of(unsigned bits, unsigned i)
{
	if (bits >= (i + 1) * 8)
		return 0xff;
	if (bits <= i * 8)
		return 0;
	return (uint8_t)(0xffU << (8 - (bits - i * 8)) & 0xffU);
}

int ipnet_parse(const char *text, struct ipnet *ret)
{
	struct ipnet net = { .bits = ALL_BITS };
	size_t len = strcspn(text, "/");
	bool is_v4 = false;

	if (parse_ip(text, len, net.ip, &is_v4) < 0)
		return -EINVAL;
	if (text[len] == '/') {
		if (parse_bits(text + len + 1, is_v4 ? V4_BITS : ALL_BITS, &net.bits) < 0)
			return -EINVAL;
		net.bits += is_v4 ? ALL_BITS - V4_BITS : 0;
	}
	for (unsigned i = 0; i < sizeof(net.ip); i++)
		if (net.ip[i] & ~mask_of(net.bits, i))
			return -EINVAL;
	*ret = net;
	return 0;
}

bool ipnet_has(const struct ipnet *net, const uint8_t ip[16])
{
	for (unsigned i = 0; i < sizeof(net->ip); i++)
		if ((net->ip[i] ^ ip[i]) & mask_of(net->bits, i))
			return false;
	return true;
}
