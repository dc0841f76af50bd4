/* JSON texts and JSON-RPC envelopes: ours and jansson's opinion of what is JSON agree, a text made
 * into one line means the same, an id that is sent back is the same id. */
#include <jansson.h>

#include "shared/limits.h"
#include "shared/rpc.h"
#include "tests/fuzz/fuzz.h"

enum { MEMBERS_TO_LOOK_UP = 8 };

static bool is_inside(struct jspan inner, struct jspan outer)
{
	return !inner.at || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len);
}

static bool is_checked(struct jspan value)
{
	struct jspan again;

	return jspan_check(value.at, value.len, &again, NULL) == 0 && again.at == value.at &&
	       again.len == value.len;
}

static size_t count(struct jspan text, const char *wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] && strchr(wanted, text.at[i]);
	return n;
}

/* Where jansson is known to take more: it nests deeper, and a NUL byte is its end of the text. */
static bool may_be_json_elsewhere(struct jspan text)
{
	return count(text, "[{") > LIMIT_JSON_DEPTH || memchr(text.at, '\0', text.len);
}

/* jansson's reading; NULL when it does not take the text, then *ret_known says whether it is known
 * to be narrower: numbers beyond int64 and double, NUL in names. */
static json_t *load(struct jspan text, bool *ret_known)
{
	json_error_t error;
	json_t *json = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	*ret_known = !json && (json_error_code(&error) == json_error_numeric_overflow ||
				      json_error_code(&error) == json_error_null_byte_in_key);
	return json;
}

static void compare(struct jspan value, const json_t *json);

static void compare_scalar(struct jspan value, const json_t *json)
{
	auto_strbuf text = { 0 };
	uint64_t number;
	bool flag = false;

	if (jspan_get_str(value, &text)) {
		CHECK(json_is_string(json) && text.len == json_string_length(json));
		CHECK(text.len == 0 || memcmp(text.data, json_string_value(json), text.len) == 0);
	}
	if (jspan_get_u64(value, &number))
		CHECK(json_is_integer(json) && (json_int_t)number == json_integer_value(json));
	if (jspan_type(value) == JSPAN_NUMBER)
		CHECK(jspan_is_integer(value) ? json_is_integer(json) : json_is_real(json));
	if (jspan_get_bool(value, &flag))
		CHECK(flag ? json_is_true(json) : json_is_false(json));
	CHECK((jspan_type(value) == JSPAN_NULL) == json_is_null(json));
}

static void compare_array(struct jspan value, const json_t *json)
{
	struct jspan item = { 0 };
	size_t cursor = 0;
	size_t n = 0;

	CHECK(json_is_array(json));
	while (jspan_next(value, &cursor, NULL, &item)) {
		CHECK(is_inside(item, value));
		compare(item, json_array_get(json, n++));
	}
	CHECK(n == json_array_size(json));
}

static void compare_object(struct jspan value, const json_t *json)
{
	struct jspan name = { 0 };
	struct jspan member = { 0 };
	size_t cursor = 0;
	size_t n = 0;

	CHECK(json_is_object(json));
	while (jspan_next(value, &cursor, &name, &member)) {
		auto_strbuf text = { 0 };
		struct jspan found;
		bool twice;

		CHECK(is_inside(name, value) && is_inside(member, value));
		CHECK(jspan_get_str(name, &text) && json_object_get(json, strbuf_get(&text)));
		if (n++ >= MEMBERS_TO_LOOK_UP)
			continue;
		found = jspan_member(value, strbuf_get(&text), &twice);
		CHECK(twice ? !found.at : found.at == member.at && found.len == member.len);
		if (!twice)
			compare(member, json_object_get(json, strbuf_get(&text)));
	}
	CHECK(n >= json_object_size(json) && (n == 0) == (json_object_size(json) == 0));
}

/* As deep as LIMIT_JSON_DEPTH at most. */
static void compare(struct jspan value, const json_t *json)
{
	CHECK(json);
	if (jspan_type(value) == JSPAN_ARRAY)
		compare_array(value, json);
	else if (jspan_type(value) == JSPAN_OBJECT)
		compare_object(value, json);
	else
		compare_scalar(value, json);
}

static void check_one_line(struct jspan value, const json_t *json)
{
	auto_free char *line = fuzz_copy(value.at, value.len);
	struct jspan again = { .at = line, .len = value.len };
	json_t *json_again;
	bool known;

	jspan_one_line(line, value.len);
	CHECK(!memchr(line, '\n', value.len) && !memchr(line, '\r', value.len));
	CHECK(is_checked(again));
	json_again = load(again, &known);
	CHECK(!json == !json_again);
	CHECK(!json || json_equal(json, json_again));
	json_decref(json_again);
}

static void check_json(struct jspan text, bool is_json, struct jspan value)
{
	bool known;
	json_t *json = load(text, &known);

	if (is_json) {
		CHECK(is_inside(value, text) && is_checked(value));
		CHECK(json || known);
		check_one_line(value, json);
		if (json)
			compare(value, json);
	} else {
		CHECK(!json || may_be_json_elsewhere(text));
	}
	json_decref(json);
}

static void check_answer(const struct strbuf *answer, struct jspan id, enum rpc_kind kind)
{
	struct rpc again;
	const char *why;

	CHECK(rpc_parse(answer->data, answer->len, &again, &why) == 0);
	CHECK(again.kind == kind);
	CHECK(id.at ? jspan_same(again.id, id) && again.id.len == id.len : !again.id.at);
}

static void check_answers(struct jspan id)
{
	auto_strbuf result = { 0 };
	auto_strbuf error = { 0 };

	rpc_add_error(&error, id, RPC_INTERNAL_ERROR, "say \"why\"\n");
	check_answer(&error, id, RPC_ERROR);
	if (!id.at)
		return;
	rpc_add_result(&result, id, "{}", 2);
	check_answer(&result, id, RPC_RESULT);
}

static void check_message(struct jspan text, const struct rpc *rpc)
{
	CHECK(is_inside(rpc->id, text) && is_inside(rpc->method, text));
	CHECK(is_inside(rpc->params, text) && is_inside(rpc->result, text));
	CHECK(is_inside(rpc->error, text));
	switch (rpc->kind) {
	case RPC_REQUEST:
	case RPC_NOTIFICATION:
		CHECK(jspan_type(rpc->method) == JSPAN_STRING && !rpc->result.at && !rpc->error.at);
		CHECK((rpc->kind == RPC_REQUEST) == (rpc->id.at != NULL));
		CHECK(!rpc->params.at || jspan_type(rpc->params) == JSPAN_OBJECT);
		break;
	case RPC_RESULT:
		CHECK(rpc->id.at && rpc->result.at && !rpc->error.at && !rpc->method.at);
		break;
	case RPC_ERROR:
		CHECK(jspan_type(rpc->error) == JSPAN_OBJECT && !rpc->result.at && !rpc->method.at);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jspan text = { .at = (const char *)data, .len = size };
	struct jspan value = { 0 };
	struct rpc rpc;
	const char *why;
	size_t error_at = SIZE_MAX;
	bool is_json = jspan_check(text.at, text.len, &value, &error_at) == 0;
	int r = rpc_parse(text.at, text.len, &rpc, &why);

	CHECK(is_json || error_at <= size);
	CHECK((r == RPC_PARSE_ERROR) == !is_json);
	CHECK((r == 0) == (why == NULL));
	check_json(text, is_json, value);
	if (r == 0)
		check_message(text, &rpc);
	check_answers(rpc.id);
	return 0;
}
