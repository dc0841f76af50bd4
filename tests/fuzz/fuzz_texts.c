/* Texts that the utils worker reads by itself: encodings, UUIDs, addresses, instants, tokens. What is
 * taken can be written, and reads as the same again; what is refused says where or why. */
#include <errno.h>

#include "shared/base64.h"
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/utils/encoding.h"
#include "workers/utils/ip.h"
#include "workers/utils/iso8601.h"
#include "workers/utils/jwt.h"
#include "workers/utils/uuid.h"

static void check_base64(enum base64_kind kind, const char *text, size_t len)
{
	auto_strbuf bytes = { 0 };
	auto_strbuf again = { 0 };
	size_t wrong = SIZE_MAX;

	if (base64_decode(kind, text, len, &bytes, &wrong) < 0) {
		CHECK(wrong <= len && bytes.len == 0);
		return;
	}
	base64_encode(kind, strbuf_get(&bytes), bytes.len, &again);
	CHECK(again.len <= len && memcmp(strbuf_get(&again), text, again.len) == 0);
	CHECK(again.len == len || (kind == BASE64_URL && text[again.len] == '='));
}

/* Any bytes can be encoded, and come back. */
static void check_encoding(const char *encoding, const char *bytes, size_t len)
{
	auto_strbuf encoded = { 0 };
	auto_strbuf again = { 0 };
	auto_strbuf decoded = { 0 };
	size_t wrong = SIZE_MAX;

	encoding_encode_bytes(encoding, bytes, len, &encoded);
	CHECK(encoding_decode_text(encoding, strbuf_get(&encoded), encoded.len, &again, &wrong) ==
		0);
	CHECK(again.len == len && memcmp(strbuf_get(&again), bytes, len) == 0);
	if (encoding_decode_text(encoding, bytes, len, &decoded, &wrong) < 0)
		CHECK(wrong <= len && decoded.len == 0);
	else if (streq(encoding, "html") && utf8_valid(bytes, len))
		CHECK(utf8_valid(strbuf_get(&decoded), decoded.len));
}

static void check_uuid(const char *text)
{
	char written[UUID_TEXT_SIZE];
	const char *why = NULL;
	struct uuid uuid;
	struct uuid again;

	if (uuid_parse(text, &uuid, &why) < 0) {
		CHECK(why);
		return;
	}
	uuid_format(&uuid, written);
	CHECK(uuid_parse(written, &again, &why) == 0);
	CHECK(memcmp(&uuid, &again, sizeof(uuid)) == 0);
}

static void check_ip(const char *text)
{
	char written[IP_BLOCK_TEXT_SIZE];
	char count[IP_COUNT_TEXT_SIZE];
	const char *why = NULL;
	struct ip_block block;
	struct ip_block again;

	if (ip_parse(text, &block, &why) < 0) {
		CHECK(why);
		return;
	}
	ip_format_block(&block, written);
	ip_format_count(&block, count);
	CHECK(ip_parse(written, &again, &why) == 0);
	CHECK(block.family == again.family && block.prefix == again.prefix);
	CHECK(memcmp(block.bytes, again.bytes, sizeof(block.bytes)) == 0);
	CHECK(ip_kind(&block) && strlen(count) < sizeof(count));
}

static void check_instant(const char *text)
{
	auto_strbuf out = { 0 };
	struct instant instant;
	const char *why = NULL;
	struct wall wall;

	if (iso8601_parse_clock(text, &wall, &why) < 0)
		CHECK(why);
	if (iso8601_parse_instant(text, &instant, &why) < 0) {
		CHECK(why);
		return;
	}
	CHECK(instant.s >= ISO8601_MIN_SECONDS && instant.s <= ISO8601_MAX_SECONDS);
	CHECK(instant.ns >= 0 && instant.ns < 1000000000);
	iso8601_add_duration(&out, instant);
	iso8601_add_words(&out, iso8601_subtract((struct instant){ 0 }, instant));
	CHECK(out.len > 0);
}

static void check_token(const char *text)
{
	json_auto_t *header = NULL;
	json_auto_t *payload = NULL;
	struct fail fail = { 0 };

	if (jwt_read(text, &header, &payload, &fail) < 0)
		CHECK(!header && !payload && *fail.text);
	else
		CHECK(json_is_object(header) && json_is_object(payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *bytes = fuzz_copy(data, size);
	auto_free char *text = alloc_mem(data, size);

	check_base64(BASE64_PLAIN, bytes, size);
	check_base64(BASE64_URL, bytes, size);
	for (size_t i = 0; encoding_names[i]; i++)
		check_encoding(encoding_names[i], bytes, size);
	check_uuid(text);
	check_ip(text);
	check_instant(text);
	check_token(text);
	return 0;
}
