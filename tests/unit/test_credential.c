/* Where a request shows its credential, and what is refused before anybody looks whether it is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/front/credential.h"
#include "tests/unit/head_text.h"

static const struct {
	const char *fields;
	enum credential_kind kind;
	const char *text; /* of what is shown */
	bool is_bearer;
} cases[] = {
	{ "", CREDENTIAL_NONE, NULL, false },
	{ "Authorization: Bearer mcpf_abc\r\n", CREDENTIAL_SHOWN, "mcpf_abc", true },
	{ "authorization: bearer   mcpf_abc\r\n", CREDENTIAL_SHOWN, "mcpf_abc", true },
	{ "AUTHORIZATION: BEARER a.b-c_d~e+f/g==\r\n", CREDENTIAL_SHOWN, "a.b-c_d~e+f/g==", true },
	{ "X-API-Key: mcpf_abc\r\n", CREDENTIAL_SHOWN, "mcpf_abc", false },
	{ "x-api-key:\tmcpf_abc \r\n", CREDENTIAL_SHOWN, "mcpf_abc", false },
	{ "Authorization: Bearer a\r\nX-API-Key: a\r\n", CREDENTIAL_SHOWN, "a", true },
	{ "Authorization: Basic YTpi\r\n", CREDENTIAL_LOGIN, "YTpi", false },
	{ "authorization: BASIC  YTpi \r\n", CREDENTIAL_LOGIN, "YTpi", false },
	{ "Authorization: Basic\r\n", CREDENTIAL_LOGIN, "", false },
	{ "Authorization: Basic YTpi\r\nAuthorization: Bearer a\r\n", CREDENTIAL_MALFORMED, NULL,
		false },
	{ "Authorization: Digest username=\"a\"\r\n", CREDENTIAL_FOREIGN, NULL, false },
	{ "Authorization: Bearerabc\r\n", CREDENTIAL_FOREIGN, NULL, false },
	{ "Authorization: mcpf_abc\r\n", CREDENTIAL_FOREIGN, NULL, false },
	{ "Authorization: Bearer\tabc\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization:\r\n", CREDENTIAL_FOREIGN, NULL, false },
	{ "Authorization: Bearer\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer =\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a, Bearer b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a=b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer \xc3\xa4\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "X-API-Key:\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "X-API-Key: a,b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", CREDENTIAL_MALFORMED, NULL,
		false },
	{ "X-API-Key: a\r\nx-api-key: a\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a\r\nX-API-Key: b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer a\r\nX-API-Key: aa\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Basic YTpi\r\nX-API-Key: b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer\r\nX-API-Key: b\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Authorization: Bearer b\r\nX-API-Key:\r\n", CREDENTIAL_MALFORMED, NULL, false },
	{ "Proxy-Authorization: Bearer a\r\nCookie: access_token=a\r\n", CREDENTIAL_NONE, NULL,
		false },
};

static void check(const char *target, size_t i)
{
	struct http1_request req;
	struct credential found;
	char text[1000];

	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
		cases[i].fields);
	assert_true(parse_head(text, &req));
	found = credential_find(&req);
	if (found.kind != cases[i].kind)
		fail_msg("kind %d, not %d: %s", found.kind, cases[i].kind, cases[i].fields);
	if (cases[i].text) {
		assert_true(span_is(found.text, cases[i].text));
		assert_int_equal(found.is_bearer, cases[i].is_bearer);
	} else {
		assert_null(found.text.at);
	}
	assert_int_equal(
		found.why != NULL, found.kind != CREDENTIAL_NONE && found.kind != CREDENTIAL_SHOWN);
}

static void test_table(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		check("/mcp", i);
}

static void test_the_query_means_nothing(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		check("/mcp?access_token=mcpf_abc&api_key=mcpf_abc", i);
}

static void test_logins(void **unused)
{
	static const struct {
		const char *text;
		const char *password; /* NULL: no login */
	} logins[] = {
		{ "YTpi", "b" },            /* a:b */
		{ "OmI=", "b" },            /* :b */
		{ "YTo=", "" },             /* a: */
		{ "YTpiOmM=", "b:c" },      /* a:b:c */
		{ "w6Q6w7Y=", "\xc3\xb6" }, /* in UTF-8, as the challenge asks for */
		{ "Og==", "" },             /* : */
		{ "YWI=", NULL },           /* ab */
		{ "", NULL },
		{ "YTpi=", NULL },
		{ "YTp", NULL },
		{ "YTpi YTpi", NULL },
		{ "a:b", NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(logins); i++) {
		const struct span text = { .at = logins[i].text, .len = strlen(logins[i].text) };
		auto_strbuf buf = { 0 };
		struct span password = { 0 };
		bool is_login = credential_read_login(text, &buf, &password);

		if (is_login != (logins[i].password != NULL) ||
			(is_login && !span_is(password, logins[i].password)))
			fail_msg("'%s' is read as '%.*s'", logins[i].text, (int)password.len,
				password.at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_the_query_means_nothing),
		cmocka_unit_test(test_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
