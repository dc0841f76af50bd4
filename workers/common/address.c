/* The special-purpose blocks of IPv4 and IPv6.
 *
 * Source: the IANA registries of special-purpose addresses (RFC 6890) and of IPv6 unicast addresses,
 * RFC 6761 for localhost, RFC 6052 and 8215 (NAT64), 3056 (6to4), 4380 (Teredo). */
#include "workers/common/address.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "shared/cleanup.h"

struct block {
	uint8_t bytes[16];
	unsigned bits;
	const char *what;
};

static const struct block blocks4[] = {
	{ { 0 }, 8, "an address of this network" },
	{ { 10 }, 8, "a private address" },
	{ { 100, 64 }, 10, "an address behind a carrier's NAT" },
	{ { 127 }, 8, "a loopback address" },
	{ { 169, 254 }, 16, "a link-local address" },
	{ { 172, 16 }, 12, "a private address" },
	{ { 192, 0, 0 }, 24, "a reserved address" },
	{ { 192, 0, 2 }, 24, "an address for documentation" },
	{ { 192, 88, 99 }, 24, "a reserved address" },
	{ { 192, 168 }, 16, "a private address" },
	{ { 198, 18 }, 15, "an address for benchmarks" },
	{ { 198, 51, 100 }, 24, "an address for documentation" },
	{ { 203, 0, 113 }, 24, "an address for documentation" },
	{ { 224 }, 4, "a multicast address" },
	{ { 240 }, 4, "a reserved address" },
};

/* The first that holds counts. */
static const struct block blocks6[] = {
	{ { 0 }, 128, "an unspecified address" },
	{ { [15] = 1 }, 128, "a loopback address" },
	{ { 0 }, 96, "an IPv4-compatible address" },
	{ { [10] = 0xff, [11] = 0xff }, 96, "an IPv4-mapped address" },
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, "a NAT64 address" },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "a NAT64 address" },
	{ { 0x01, 0x00 }, 64, "an address that discards" },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32, "a Teredo address" },
	{ { 0x20, 0x01, 0x00, 0x00 }, 23, "a reserved address" },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, "an address for documentation" },
	{ { 0x20, 0x02 }, 16, "a 6to4 address" },
	{ { 0x3f, 0xff }, 20, "an address for documentation" },
	{ { 0xfc }, 7, "a private address" },
	{ { 0xfe, 0x80 }, 10, "a link-local address" },
	{ { 0xfe, 0xc0 }, 10, "a site-local address" },
	{ { 0xff }, 8, "a multicast address" },
};

/* The only block from which unicast addresses were ever given out. */
static const struct block global6 = { { 0x20 }, 3, NULL };

static bool is_in(const uint8_t *address, const struct block *block)
{
	unsigned whole = block->bits / 8;
	unsigned rest = block->bits % 8;

	if (memcmp(address, block->bytes, whole) != 0)
		return false;

	return rest == 0 || ((address[whole] ^ block->bytes[whole]) >> (8 - rest)) == 0;
}

static const char *find(const uint8_t *address, const struct block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(address, &blocks[i]))
			return blocks[i].what;

	return NULL;
}

static const char *refusal6(const uint8_t *address)
{
	const char *what = find(address, blocks6, N_ELEMENTS(blocks6));

	if (!what && !is_in(address, &global6))
		return "a reserved address";

	return what;
}

const char *address_refusal(const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		return find((const uint8_t *)&in4.sin_addr, blocks4, N_ELEMENTS(blocks4));
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return refusal6(in6.sin6_addr.s6_addr);
	}

	return "no IP address";
}

bool address_is_public(const struct sockaddr *address)
{
	return !address_refusal(address);
}

static size_t add_inner(const uint8_t bytes[4], uint8_t mask, struct sockaddr_in *ret)
{
	uint8_t plain[4];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = bytes[i] ^ mask;
	*ret = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&ret->sin_addr, plain, sizeof(plain));
	return 1;
}

/* With a prefix of 48 bits the address goes around octet 8, with one of 96 it comes last. Which of
 * the two a network uses it alone knows; what is left out is zero. */
static size_t add_local_nat64(const uint8_t *at, struct sockaddr_in ret[ADDRESS_MAX_INNER])
{
	const uint8_t around[] = { at[6], at[7], at[9], at[10] };
	static const uint8_t none[4];
	size_t n = 0;

	if (memcmp(around, none, sizeof(none)) != 0)
		n += add_inner(around, 0, &ret[n]);
	if (memcmp(at + 12, none, sizeof(none)) != 0)
		n += add_inner(at + 12, 0, &ret[n]);
	return n > 0 ? n : add_inner(none, 0, ret);
}

size_t address_inner(const struct sockaddr *address, struct sockaddr_in ret[ADDRESS_MAX_INNER])
{
	struct sockaddr_in6 in6;
	const uint8_t *at = in6.sin6_addr.s6_addr;

	if (address->sa_family != AF_INET6)
		return 0;

	memcpy(&in6, address, sizeof(in6));
	if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr) || IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr))
		return 0;
	if (is_in(at, &(struct block){ { 0 }, 96, NULL }) ||
		is_in(at, &(struct block){ { [10] = 0xff, [11] = 0xff }, 96, NULL }) ||
		is_in(at, &(struct block){ { 0x00, 0x64, 0xff, 0x9b }, 96, NULL }))
		return add_inner(at + 12, 0, ret);
	if (is_in(at, &(struct block){ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, NULL }))
		return add_local_nat64(at, ret);
	if (is_in(at, &(struct block){ { 0x20, 0x02 }, 16, NULL }))
		return add_inner(at + 2, 0, ret);
	if (is_in(at, &(struct block){ { 0x20, 0x01, 0x00, 0x00 }, 32, NULL }))
		return add_inner(at + 4, 0, &ret[0]) + add_inner(at + 12, 0xff, &ret[1]);

	return 0;
}

static bool is_same4(const struct sockaddr *a, const struct sockaddr *b)
{
	struct sockaddr_in x;
	struct sockaddr_in y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x.sin_addr.s_addr == y.sin_addr.s_addr && x.sin_port == y.sin_port;
}

static bool is_same6(const struct sockaddr *a, const struct sockaddr *b)
{
	struct sockaddr_in6 x;
	struct sockaddr_in6 y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0 &&
	       x.sin6_port == y.sin6_port;
}

bool address_is_same(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return is_same4(a, b);

	return a->sa_family == AF_INET6 && is_same6(a, b);
}

bool address_is_local_name(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);

	while (len > 0 && host[len - 1] == '.')
		len--;
	if (len < strlen(name))
		return false;

	host += len - strlen(name);
	return strncasecmp(host, name, strlen(name)) == 0 &&
	       (len == strlen(name) || host[-1] == '.');
}
