/* X-Forwarded-For as anybody may write it, behind a trusted proxy; what is
 * found is an address that can be written and read again, and is the peer or was in the text. */
#include "supervisor/front/forwarded.h"
#include "tests/fuzz/fuzz.h"

static const struct client_addr proxy = { .ip = { [10] = 0xff, 0xff, 10, 0, 0, 1 }, .port = 7 };

static void check_round_trip(const struct client_addr *addr)
{
	char text[CLIENT_ADDR_TEXT_SIZE];
	struct client_addr again;
	struct span span = { .at = client_addr_format(addr, text), .len = strlen(text) };

	CHECK(client_addr_parse(span, &again) == 0);
	CHECK(client_addr_same_ip(addr, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *copy = fuzz_copy(data, size);
	char block[] = "10.0.0.0/8";
	char *const blocks[] = { block };
	struct http1_request req = { 0 };
	struct forwarded_trust trusted;
	struct client_origin origin;
	struct client_addr addr;
	const char *end = memchr(copy, '\n', size);
	size_t first_len = end ? (size_t)(end - copy) : size;

	forwarded_trust_init(&trusted, blocks, 1);
	req.fields[req.n_fields++] =
		(struct http1_field){ .name = { .at = "X-Forwarded-For", .len = 15 },
			.value = { copy, first_len } };
	if (end)
		req.fields[req.n_fields++] =
			(struct http1_field){ .name = { .at = "x-forwarded-for", .len = 15 },
				.value = { end + 1, size - first_len - 1 } };
	forwarded_find_client(&proxy, true, &req, &trusted, &origin);
	CHECK(origin.is_proxied && origin.is_https);
	check_round_trip(&origin.addr);
	if (client_addr_parse(req.fields[0].value, &addr) == 0 && !client_addr_is_none(&addr))
		check_round_trip(&addr);
	forwarded_trust_done(&trusted);
	return 0;
}
