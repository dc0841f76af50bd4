/* Tools uuid_*. See uuid.h. */
#include "workers/utils/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "shared/ascii.h"
#include "shared/limits.h"
#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/digest.h"
#include "workers/utils/random.h"
#include "workers/utils/tools.h"

/* From 1582-10-15 to 1970-01-01, in ticks of 100 ns. */
#define GREGORIAN_TICKS UINT64_C(0x01b21dd213814000)

enum {
	MAX_COUNT = 100,
	NAME_MAX_CHARS = 1 * MIB,
	COUNTER_MAX = 0xfff,
	COUNTER_START = 0x7ff, /* half of the room is left for rising */
	NS_PER_MS = 1000000,
	HEX_DIGITS = 2 * UUID_BYTES,
};

static void put_big_endian(uint8_t *at, uint64_t value, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		at[i] = (uint8_t)value;
		value >>= 8;
	}
}

static struct uuid stamped(struct uuid uuid, int version)
{
	uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | version << 4);
	uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
	return uuid;
}

struct uuid uuid_make_v4(const uint8_t random[UUID_BYTES])
{
	struct uuid uuid;

	memcpy(uuid.bytes, random, sizeof(uuid.bytes));
	return stamped(uuid, 4);
}

struct uuid uuid_make_v1(struct uuid_state *state, int64_t unix_ns, const uint8_t random[8])
{
	uint64_t ticks = (uint64_t)(unix_ns / 100) + GREGORIAN_TICKS;
	struct uuid uuid;

	if (!state->is_seeded) {
		memcpy(state->node, random, sizeof(state->node));
		state->node[0] |= 1;
		state->clock_seq = (uint16_t)((random[6] << 8 | random[7]) & 0x3fff);
		state->is_seeded = true;
	}
	if (ticks <= state->last_ticks)
		ticks = state->last_ticks + 1;
	state->last_ticks = ticks;
	put_big_endian(uuid.bytes, ticks & UINT32_MAX, 4);
	put_big_endian(uuid.bytes + 4, ticks >> 32 & UINT16_MAX, 2);
	put_big_endian(uuid.bytes + 6, ticks >> 48, 2);
	put_big_endian(uuid.bytes + 8, state->clock_seq, 2);
	memcpy(uuid.bytes + 10, state->node, sizeof(state->node));
	return stamped(uuid, 1);
}

struct uuid uuid_make_v7(
	struct uuid_state *state, int64_t unix_ms, const uint8_t random[UUID_BYTES])
{
	uint64_t ms = (uint64_t)unix_ms;
	struct uuid uuid;

	memcpy(uuid.bytes, random, sizeof(uuid.bytes));
	if (ms > state->last_ms) {
		state->last_ms = ms;
		state->counter = (uint16_t)((random[6] << 8 | random[7]) & COUNTER_START);
	} else if (state->counter < COUNTER_MAX) {
		state->counter++;
	} else {
		state->last_ms++;
		state->counter = 0;
	}
	put_big_endian(uuid.bytes, state->last_ms, 6);
	put_big_endian(uuid.bytes + 6, state->counter, 2);
	return stamped(uuid, 7);
}

int uuid_make_v5(const struct uuid *space, const char *name, struct uuid *ret)
{
	uint8_t digest[DIGEST_MAX_BYTES];
	auto_strbuf input = { 0 };
	size_t n = 0;
	int r;

	strbuf_add(&input, space->bytes, sizeof(space->bytes));
	strbuf_adds(&input, name);
	r = digest_compute("sha1", strbuf_get(&input), input.len, digest, &n);
	if (r < 0)
		return r;
	memcpy(ret->bytes, digest, sizeof(ret->bytes));
	*ret = stamped(*ret, 5);
	return 0;
}

void uuid_format(const struct uuid *uuid, char ret[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *at = ret;

	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[uuid->bytes[i] >> 4];
		*at++ = digits[uuid->bytes[i] & 15];
	}
	*at = '\0';
}

/* Reads the digits with their hyphens; where it stopped, NULL: something else was there. */
static const char *parse_digits(const char *text, struct uuid *ret, const char **ret_why)
{
	for (int i = 0; i < HEX_DIGITS; i++) {
		int value;

		if ((i == 8 || i == 12 || i == 16 || i == 20) && *text == '-')
			text++;
		value = ascii_hex_value(*text);
		if (value < 0) {
			*ret_why = *text == '\0' || *text == '}'
					   ? "there are fewer than 32 hexadecimal digits"
				   : *text == '-' ? "a hyphen is in the wrong place"
						  : "a character is no hexadecimal digit";
			return NULL;
		}
		text++;
		ret->bytes[i / 2] = (uint8_t)(ret->bytes[i / 2] << 4 | value);
	}
	return text;
}

int uuid_parse(const char *text, struct uuid *ret, const char **ret_why)
{
	static const char urn[] = "urn:uuid:";
	struct uuid uuid = { { 0 } };
	bool has_brace;

	if (strncasecmp(text, urn, strlen(urn)) == 0)
		text += strlen(urn);
	has_brace = *text == '{';
	text = parse_digits(text + has_brace, &uuid, ret_why);
	if (!text)
		return -EINVAL;
	if (has_brace && *text++ != '}') {
		*ret_why = "the closing brace is missing";
		return -EINVAL;
	}
	if (*text != '\0') {
		*ret_why = "something follows the 32 hexadecimal digits";
		return -EINVAL;
	}
	*ret = uuid;
	return 0;
}

bool uuid_namespace(const char *name, struct uuid *ret)
{
	static const struct {
		const char *name;
		uint8_t last_of_first; /* the four differ in this byte only */
	} spaces[] = { { "dns", 0x10 }, { "url", 0x11 }, { "oid", 0x12 }, { "x500", 0x14 } };

	for (size_t i = 0; i < N_ELEMENTS(spaces); i++) {
		if (!streq(spaces[i].name, name))
			continue;
		*ret = (struct uuid){ { 0x6b, 0xa7, 0xb8, spaces[i].last_of_first, 0x9d, 0xad, 0x11,
			0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 } };
		return true;
	}
	return false;
}

const char *uuid_variant(const struct uuid *uuid)
{
	uint8_t bits = uuid->bytes[8];

	if (bits < 0x80)
		return "NCS";
	if (bits < 0xc0)
		return "RFC 9562";
	return bits < 0xe0 ? "Microsoft" : "reserved";
}

bool uuid_is_rfc(const struct uuid *uuid)
{
	return (uuid->bytes[8] & 0xc0) == 0x80;
}

int uuid_version(const struct uuid *uuid)
{
	return uuid->bytes[6] >> 4;
}

/* What this process made before. */
static struct uuid_state state;

static json_t *uuid_result(const struct uuid *uuid)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(uuid, text);
	return json_pack(
		"{s:b, s:s, s:i}", "success", 1, "uuid", text, "version", uuid_version(uuid));
}

struct uuid_generate_uuid4_args {
	int64_t count;
};

static const struct param uuid_generate_uuid4_params[] = {
	PARAM(uuid_generate_uuid4_args, count, RANGE(1, MAX_COUNT), .def_int = 1,
		.doc = "How many; all of them are in uuids when there are more than one"),
	{ 0 },
};

static int uuid_generate_uuid4(struct call *call, const void *args)
{
	const struct uuid_generate_uuid4_args *a = args;
	uint8_t random[MAX_COUNT][UUID_BYTES];
	struct uuid first;
	json_t *result;
	json_t *list;
	int r = random_fill(random, (size_t)a->count * UUID_BYTES);

	if (r < 0)
		return r;
	first = uuid_make_v4(random[0]);
	result = uuid_result(&first);
	if (a->count == 1)
		return call_json(call, result);
	list = json_array();
	for (int64_t i = 0; i < a->count; i++) {
		struct uuid uuid = uuid_make_v4(random[i]);
		char text[UUID_TEXT_SIZE];

		uuid_format(&uuid, text);
		(void)json_array_append_new(list, json_string(text));
	}
	(void)json_object_set_new(result, "uuids", list);
	return call_json(call, result);
}

static int uuid_generate_uuid1(struct call *call, const void *args)
{
	uint8_t random[8];
	struct timespec now;
	struct uuid uuid;
	int r = random_fill(random, sizeof(random));

	if (r < 0)
		return r;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	uuid = uuid_make_v1(&state, now.tv_sec * INT64_C(1000000000) + now.tv_nsec, random);
	return call_json(call, uuid_result(&uuid));
}

static int uuid_generate_uuid7(struct call *call, const void *args)
{
	uint8_t random[UUID_BYTES];
	struct timespec now;
	struct uuid uuid;
	int r = random_fill(random, sizeof(random));

	if (r < 0)
		return r;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	uuid = uuid_make_v7(&state, now.tv_sec * INT64_C(1000) + now.tv_nsec / NS_PER_MS, random);
	return call_json(call, uuid_result(&uuid));
}

struct uuid_generate_uuid5_args {
	const char *space;
	const char *name;
};

static const struct param uuid_generate_uuid5_params[] = {
	PARAM_NAMED("namespace", uuid_generate_uuid5_args, space, .required = true, RANGE(2, 64),
		.doc = "dns, url, oid, x500 or a UUID"),
	PARAM(uuid_generate_uuid5_args, name, .required = true, AT_MOST(NAME_MAX_CHARS),
		.doc = "Name within the namespace"),
	{ 0 },
};

static int uuid_generate_uuid5(struct call *call, const void *args)
{
	const struct uuid_generate_uuid5_args *a = args;
	const char *why = NULL;
	struct uuid space;
	struct uuid uuid;
	int r;

	if (!uuid_namespace(a->space, &space) && uuid_parse(a->space, &space, &why) < 0)
		return call_fail(call, "invalid_argument",
			"'namespace' is none of dns, url, oid and x500, and as a UUID %s. Give one of these.",
			why);
	r = uuid_make_v5(&space, a->name, &uuid);
	if (r == -ENOTSUP)
		return call_fail(call, "invalid_argument",
			"this system's cryptographic policy does not allow SHA-1, which version 5 "
			"is made with. Use version 4 or 7.");
	return r < 0 ? r : call_json(call, uuid_result(&uuid));
}

struct uuid_validate_uuid_args {
	const char *uuid_string;
};

static const struct param uuid_validate_uuid_params[] = {
	PARAM(uuid_validate_uuid_args, uuid_string, .required = true, AT_MOST(256),
		.doc = "Text to check"),
	{ 0 },
};

static int uuid_validate_uuid(struct call *call, const void *args)
{
	const struct uuid_validate_uuid_args *a = args;
	char text[UUID_TEXT_SIZE];
	const char *why = NULL;
	struct uuid uuid;
	json_t *result;

	if (uuid_parse(a->uuid_string, &uuid, &why) < 0)
		return call_json(
			call, json_pack("{s:b, s:b, s:s}", "success", 1, "valid", 0, "error", why));
	uuid_format(&uuid, text);
	result = json_pack("{s:b, s:b, s:s, s:s}", "success", 1, "valid", 1, "uuid", text,
		"variant", uuid_variant(&uuid));
	if (uuid_is_rfc(&uuid))
		(void)json_object_set_new(result, "version", json_integer(uuid_version(&uuid)));
	return call_json(call, result);
}

#define UUID_OUT "success boolean, uuid string, version integer"

const struct tool uuid_tools[] = {
	TOOL(uuid_generate_uuid4, "Random UUID", .hints = TOOL_READ_ONLY,
		.doc = "Make random UUIDs (version 4).", .out = UUID_OUT ", uuids? string[]"),
	TOOL_PLAIN(uuid_generate_uuid1, "Time-based UUID", .hints = TOOL_READ_ONLY,
		.doc = "Make a time-based UUID (version 1). Its node is random: the machine's address "
		       "is never told.",
		.out = UUID_OUT),
	TOOL_PLAIN(uuid_generate_uuid7, "Time-ordered UUID", .hints = TOOL_READ_ONLY,
		.doc = "Make a time-ordered UUID (version 7), fit for keys of databases.",
		.out = UUID_OUT),
	TOOL(uuid_generate_uuid5, "Name-based UUID", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Make the UUID of a name in a namespace (version 5, SHA-1): always the same for "
		       "the same name.",
		.out = UUID_OUT),
	TOOL(uuid_validate_uuid, "Check a UUID", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Check whether a text is a UUID, and normalise it. Braces, urn:uuid:, capitals "
		       "and missing hyphens are accepted. Not valid is an answer, not an error.",
		.out = "success boolean, valid boolean, uuid? string, version? integer, "
		       "variant? string, error? string"),
	{ 0 },
};
