/* Tool ip_subnet_info. See ip.h. */
#include "workers/utils/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/utils/tools.h"

struct special {
	struct ip_block block;
	const char *kind;
};

#define V4(a, b, c, d, bits)                                                                       \
	{                                                                                          \
		AF_INET, (bits),                                                                   \
		{                                                                                  \
			(a), (b), (c), (d)                                                         \
		}                                                                                  \
	}
#define V6(bits, ...)                                                                              \
	{                                                                                          \
		AF_INET6, (bits),                                                                  \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* What lies in no block of this table is "global" in IPv4 and "reserved" in IPv6. */
static const struct special specials[] = {
	{ V4(0, 0, 0, 0, 8), "reserved" },
	{ V4(0, 0, 0, 0, 32), "unspecified" },
	{ V4(10, 0, 0, 0, 8), "private" },
	{ V4(100, 64, 0, 0, 10), "shared" },
	{ V4(127, 0, 0, 0, 8), "loopback" },
	{ V4(169, 254, 0, 0, 16), "link-local" },
	{ V4(172, 16, 0, 0, 12), "private" },
	{ V4(192, 0, 0, 0, 24), "reserved" },
	{ V4(192, 0, 2, 0, 24), "documentation" },
	{ V4(192, 88, 99, 0, 24), "reserved" },
	{ V4(192, 168, 0, 0, 16), "private" },
	{ V4(198, 18, 0, 0, 15), "benchmarking" },
	{ V4(198, 51, 100, 0, 24), "documentation" },
	{ V4(203, 0, 113, 0, 24), "documentation" },
	{ V4(224, 0, 0, 0, 4), "multicast" },
	{ V4(240, 0, 0, 0, 4), "reserved" },
	{ V4(255, 255, 255, 255, 32), "broadcast" },
	{ V6(128, 0), "unspecified" },
	{ V6(128, [15] = 1), "loopback" },
	{ V6(96, [10] = 0xff, [11] = 0xff), "ipv4-mapped" },
	{ V6(96, 0x00, 0x64, 0xff, 0x9b), "nat64" },
	{ V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), "nat64" },
	{ V6(64, 0x01), "discard" },
	{ V6(3, 0x20), "global" },
	{ V6(23, 0x20, 0x01), "reserved" },
	{ V6(32, 0x20, 0x01), "teredo" },
	{ V6(48, 0x20, 0x01, 0x00, 0x02), "benchmarking" },
	{ V6(32, 0x20, 0x01, 0x0d, 0xb8), "documentation" },
	{ V6(16, 0x20, 0x02), "6to4" },
	{ V6(20, 0x3f, 0xff), "documentation" },
	{ V6(16, 0x5f), "segment-routing" },
	{ V6(7, 0xfc), "private" },
	{ V6(10, 0xfe, 0x80), "link-local" },
	{ V6(10, 0xfe, 0xc0), "site-local" },
	{ V6(8, 0xff), "multicast" },
};

static int bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* Sets all bits from the prefix on to `value`. */
static void fill_host_bits(struct ip_block *block, bool value)
{
	for (int i = block->prefix; i < bits_of(block->family); i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if (value)
			block->bytes[i / 8] |= bit;
		else
			block->bytes[i / 8] &= (uint8_t)~bit;
	}
}

/* A number without sign, blanks and leading zeros. */
static bool parse_prefix(const char *text, int max, int *ret)
{
	size_t digits = strspn(text, "0123456789");
	int value = 0;

	if (digits == 0 || digits > 3 || text[digits] != '\0' || (digits > 1 && *text == '0'))
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	if (value > max)
		return false;
	*ret = value;
	return true;
}

int ip_parse(const char *text, struct ip_block *ret, const char **ret_why)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	struct ip_block block = { 0 };

	*ret_why = "expected an IPv4 or IPv6 address, and perhaps / and the length of the prefix";
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	block.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(block.family, address, block.bytes) != 1)
		return -EINVAL;
	block.prefix = bits_of(block.family);
	*ret_why = block.family == AF_INET ? "the prefix must be a number from 0 to 32"
					   : "the prefix must be a number from 0 to 128";
	if (slash && !parse_prefix(slash + 1, block.prefix, &block.prefix))
		return -EINVAL;
	fill_host_bits(&block, false);
	*ret = block;
	return 0;
}

void ip_format_first(const struct ip_block *block, char ret[INET6_ADDRSTRLEN])
{
	(void)inet_ntop(block->family, block->bytes, ret, INET6_ADDRSTRLEN);
}

void ip_format_last(const struct ip_block *block, char ret[INET6_ADDRSTRLEN])
{
	struct ip_block last = *block;

	fill_host_bits(&last, true);
	ip_format_first(&last, ret);
}

void ip_format_block(const struct ip_block *block, char ret[IP_BLOCK_TEXT_SIZE])
{
	char first[INET6_ADDRSTRLEN];

	ip_format_first(block, first);
	(void)snprintf(ret, IP_BLOCK_TEXT_SIZE, "%s/%d", first, block->prefix);
}

/* Doubles a decimal number once for each host bit, lowest digit first, then turns it round. */
void ip_format_count(const struct ip_block *block, char ret[IP_COUNT_TEXT_SIZE])
{
	uint8_t digits[IP_COUNT_TEXT_SIZE] = { 1 };
	size_t n = 1;

	for (int i = block->prefix; i < bits_of(block->family); i++) {
		uint8_t carry = 0;

		for (size_t k = 0; k < n; k++) {
			uint8_t doubled = (uint8_t)(digits[k] * 2 + carry);

			digits[k] = doubled % 10;
			carry = doubled / 10;
		}
		if (carry)
			digits[n++] = carry;
	}
	for (size_t k = 0; k < n; k++)
		ret[k] = (char)('0' + digits[n - 1 - k]);
	ret[n] = '\0';
}

/* Whether `inner` lies in `outer`, or is equal to it. */
static bool contains(const struct ip_block *outer, const struct ip_block *inner)
{
	struct ip_block cut = *inner;

	if (outer->family != inner->family || outer->prefix > inner->prefix)
		return false;
	cut.prefix = outer->prefix;
	fill_host_bits(&cut, false);
	return memcmp(cut.bytes, outer->bytes, sizeof(cut.bytes)) == 0;
}

/* The smallest block of the table around it decides, unless a smaller one of another kind is within. */
const char *ip_kind(const struct ip_block *block)
{
	const char *kind = block->family == AF_INET ? "global" : "reserved";
	int best = -1;

	for (size_t i = 0; i < N_ELEMENTS(specials); i++) {
		const struct special *special = &specials[i];

		if (!contains(&special->block, block) || special->block.prefix <= best)
			continue;
		best = special->block.prefix;
		kind = special->kind;
	}
	if (best == block->prefix)
		return kind;
	for (size_t i = 0; i < N_ELEMENTS(specials); i++) {
		if (contains(block, &specials[i].block) && !streq(specials[i].kind, kind))
			return "mixed";
	}
	return kind;
}

struct ip_subnet_info_args {
	const char *cidr;
};

static const struct param ip_subnet_info_params[] = {
	PARAM(ip_subnet_info_args, cidr, .required = true, RANGE(2, 64),
		.doc = "Address or block, like 10.1.2.3/8 or 2001:db8::/32"),
	{ 0 },
};

static int ip_subnet_info(struct call *call, const void *args)
{
	const struct ip_subnet_info_args *a = args;
	char network[IP_BLOCK_TEXT_SIZE];
	char count[IP_COUNT_TEXT_SIZE];
	char first[INET6_ADDRSTRLEN];
	char last[INET6_ADDRSTRLEN];
	const char *why = NULL;
	struct ip_block block;

	if (ip_parse(a->cidr, &block, &why) < 0) {
		char quoted[QUOTE_SIZE];

		return call_fail(call, "invalid_argument",
			"'cidr' is %s: %s. Write it like 10.1.2.0/24 or 2001:db8::/32.",
			quote(quoted, a->cidr), why);
	}
	ip_format_block(&block, network);
	ip_format_count(&block, count);
	ip_format_first(&block, first);
	ip_format_last(&block, last);
	return call_json(call, json_pack("{s:b, s:s, s:s, s:s, s:i, s:s, s:s}", "success", 1,
				       "network", network, "first", first, "last", last, "prefix",
				       block.prefix, "addresses", count, "kind", ip_kind(&block)));
}

const struct tool ip_tools[] = {
	TOOL(ip_subnet_info, "Subnet of an IP address", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Tell the network, first and last address, number of addresses and kind "
		       "(private, loopback, global, mixed …) of an IP address or CIDR block.",
		.out = "success boolean, network string, first string, last string, "
		       "prefix integer, addresses string, kind string"),
	{ 0 },
};
