/* What answers of the gateway mean; entries and tools that it lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/alloc.h"
#include "workers/registrar/answer.h"
#include "workers/registrar/record.h"
#include "workers/registrar/toolset.h"

static const struct {
	int status;
	const char *body;
	enum answer_kind kind;
	bool is_global;
	const char *word; /* of the error; NULL: none */
} answers[] = {
	{ 200, "[]", ANSWER_OK, false, NULL },
	{ 201, "{}", ANSWER_OK, false, NULL },
	{ 202, "{}", ANSWER_PENDING, false, NULL },
	{ 204, "", ANSWER_OK, false, NULL },
	{ 200, "<html>", ANSWER_TROUBLE, false, "not in JSON" },
	{ 404, "<html>", ANSWER_TROUBLE, false, "not in JSON" },
	{ 301, "", ANSWER_TROUBLE, false, "HTTP 301" },
	{ 400, "{\"message\":\"Unable to process input\"}", ANSWER_REFUSED, false, "Unable" },
	{ 401, "{\"detail\":\"Token has been revoked\"}", ANSWER_AUTH, true, "revoked" },
	{ 403, "{\"message\":\"Public-only tokens cannot\"}", ANSWER_AUTH, true, "Public-only" },
	{ 404, "{\"message\":\"Gateway not found\"}", ANSWER_MISSING, false, "not found" },
	{ 409, "{\"detail\":{\"message\":\"exists\"}}", ANSWER_CONFLICT, false, "exists" },
	{ 408, "{}", ANSWER_TROUBLE, false, "no reason" },
	{ 422, "{\"detail\":[{\"loc\":[\"body\",\"url\"],\"msg\":\"bad\",\"input\":\"hush-hush\"},5]}",
		ANSWER_REFUSED, false, "body.url: bad" },
	{ 422, "{\"detail\":[{\"loc\":5,\"msg\":[]}]}", ANSWER_REFUSED, false, "refused" },
	{ 422, "{\"detail\":\"it said hush-hush\"}", ANSWER_REFUSED, false, "[hidden]" },
	{ 429, "{\"error\":\"Account locked\"}", ANSWER_LIMITED, true, "locked" },
	{ 500, "{\"message\":\"Unexpected error\"}", ANSWER_TROUBLE, false, "Unexpected" },
	{ 502, "{\"message\":\"Failed to initialize\"}", ANSWER_PEER, false, "Failed" },
	{ 503, "", ANSWER_TROUBLE, false, "503" },
};

static void read_answer(struct http_answer *from, struct answer *ret)
{
	static const char *const secrets[] = { "hush-hush", NULL };

	answer_read(from, secrets, N_ELEMENTS(secrets), ret);
	http_answer_done(from);
}

static void test_answers(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
		struct http_answer from = { .end = HTTP_ANSWERED, .status = answers[i].status };
		auto_(answer_done) struct answer answer = { 0 };
		const char *error;

		strbuf_adds(&from.body, answers[i].body);
		read_answer(&from, &answer);
		error = answer.error ? answer.error : "";
		print_message("# %d %s: %s\n", answers[i].status, answers[i].body, error);
		assert_int_equal(answer.kind, answers[i].kind);
		assert_int_equal(answer_is_global(&answer), answers[i].is_global);
		assert_int_equal(answer.error != NULL, answers[i].word != NULL);
		if (answers[i].word)
			assert_non_null(strstr(error, answers[i].word));
		assert_null(strstr(error, "hush-hush"));
	}
}

static void test_ends(void **unused)
{
	static const struct {
		enum http_end end;
		enum answer_kind kind;
	} ends[] = { { HTTP_UNREACHED, ANSWER_UNREACHED }, { HTTP_BROKEN, ANSWER_TROUBLE },
		{ HTTP_LATE, ANSWER_LATE }, { HTTP_REFUSED, ANSWER_TROUBLE },
		{ HTTP_STOPPED, ANSWER_STOPPED } };

	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		struct http_answer from = { .end = ends[i].end, .cause = "words with hush-hush" };
		auto_(answer_done) struct answer answer = { 0 };

		read_answer(&from, &answer);
		assert_int_equal(answer.kind, ends[i].kind);
		assert_string_equal(answer.error, "words with [hidden]");
	}
}

/* 503 with words on when to come again concerns the gateway as a whole; nothing else does so by that. */
static void test_busy(void **unused)
{
	static const int statuses[] = { 503, 500 };
	static const enum answer_kind kinds[] = { ANSWER_BUSY, ANSWER_TROUBLE };

	for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
		struct http_answer from = {
			.end = HTTP_ANSWERED, .status = statuses[i], .retry_after_ms = 5000
		};
		auto_(answer_done) struct answer answer = { 0 };

		read_answer(&from, &answer);
		assert_int_equal(answer.kind, kinds[i]);
		assert_int_equal(answer.retry_after_ms, 5000);
		assert_int_equal(answer_is_global(&answer), i == 0);
	}
}

static void test_remedies_of_connections(void **unused)
{
	static const struct {
		enum http_end end;
		const char *cause;
		const char *word;
	} causes[] = {
		{ HTTP_UNREACHED, "Connection refused", "runs" },
		{ HTTP_UNREACHED, "SSL certificate problem: self-signed certificate", "ca_file" },
		{ HTTP_UNREACHED, "could not load PEM client certificate from x", "client_cert" },
		{ HTTP_BROKEN, "OpenSSL SSL_read: tlsv13 alert certificate required",
			"client_cert" },
		{ HTTP_BROKEN, "Empty reply from server", "runs" },
	};

	for (size_t i = 0; i < N_ELEMENTS(causes); i++) {
		struct http_answer from = { .end = causes[i].end };
		auto_(answer_done) struct answer answer = { 0 };

		(void)snprintf(from.cause, sizeof(from.cause), "%s", causes[i].cause);
		read_answer(&from, &answer);
		assert_non_null(strstr(answer.remedy, causes[i].word));
	}
}

/* A tree of it would have many times its length. */
static void test_too_many_values(void **unused)
{
	static const char *const items[] = { "[],", "{},", "0," };
	static const size_t most[] = { 300000 - 1, 300000 - 1, 2000000 };

	for (size_t i = 0; i < N_ELEMENTS(items); i++)
		for (size_t over = 0; over < 2; over++) {
			struct http_answer from = { .end = HTTP_ANSWERED, .status = 200 };
			auto_(answer_done) struct answer answer = { 0 };

			strbuf_adds(&from.body, "[");
			for (size_t n = 0; n < most[i] + over; n++)
				strbuf_adds(&from.body, items[i]);
			strbuf_adds(&from.body, "0]");
			read_answer(&from, &answer);
			assert_int_equal(answer.kind, over ? ANSWER_TROUBLE : ANSWER_OK);
		}
}

static void test_records(void **unused)
{
	json_auto_t *json = json_loads(
		"[{\"id\":\"ab-1\",\"name\":\"n\",\"slug\":\"s\",\"url\":\"u\","
		"\"tags\":[{\"id\":\"t\",\"label\":\"l\"},\"v\",5],\"authToken\":\"*\","
		"\"enabled\":false,\"toolCount\":7,\"skippedTools\":[1]},"
		"{\"id\":\"../x\"},{\"name\":\"no id\"},5,null,"
		"{\"id\":\"cd\",\"tool_count\":3,\"auth_type\":\"bearer\",\"tags\":null}]",
		0, NULL);
	struct records records;

	assert_true(records_read(json, &records));
	assert_int_equal(records.n, 2);
	assert_true(record_has_tag(&records.items[0], "t"));
	assert_true(record_has_tag(&records.items[0], "v"));
	assert_false(record_has_tag(&records.items[0], "l"));
	assert_true(records.items[0].has_token && !records.items[0].is_enabled);
	assert_true(records.items[0].is_reachable && records.items[0].skipped);
	assert_int_equal(records.items[0].n_tools, 7);
	assert_int_equal(records.items[1].n_tools, 3);
	assert_string_equal(records.items[1].auth_type, "bearer");
	records_done(&records);
	assert_false(records_read(NULL, &records));
	json_auto_t *page = json_pack("{s:[]}", "gateways");

	assert_true(records_read(page, &records));
	records_done(&records);
}

static void test_toolsets(void **unused)
{
	static const struct {
		const char *theirs;
		int n_found, n_extra;
		bool is_same;
		const char *missing;
	} cases[] = {
		{ "[]", 0, 0, false, "a" },
		{ "[{\"originalName\":\"b\",\"inputSchema\":{}},{\"originalName\":\"a\",\"originalDescription\":"
		  "\"d\",\"inputSchema\":{\"x\":1}}]",
			2, 0, true, "" },
		{ "[{\"original_name\":\"b\",\"input_schema\":{}},{\"originalName\":\"a\",\"inputSchema\":{}}]",
			2, 0, false, "" },
		{ "[{\"originalName\":\"a\"},{\"originalName\":\"c\"},5,{}]", 1, 3, false, "b" },
	};
	json_auto_t *ours =
		json_loads("[{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"x\":1}},"
			   "{\"name\":\"b\",\"inputSchema\":{}}]",
			0, NULL);
	struct toolset set;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		json_auto_t *theirs = json_loads(cases[i].theirs, 0, NULL);

		assert_true(toolset_compare(ours, theirs, &set));
		assert_int_equal(set.n_found, cases[i].n_found);
		assert_int_equal(set.n_extra, cases[i].n_extra);
		assert_int_equal(set.is_same, cases[i].is_same);
		assert_string_equal(set.first_missing, cases[i].missing);
	}
	json_auto_t *object = json_object();

	assert_false(toolset_compare(ours, object, &set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_remedies_of_connections),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_toolsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
