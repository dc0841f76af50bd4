/* What is taken for a secret, and what is not. */
#include "ctl/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/cleanup.h"

static void test_names(void **state)
{
	static const char *const yes[] = { "GITHUB_TOKEN", "API_KEY", "apiKey", "api-key",
		"OPENAI_APIKEY", "client_secret", "DB_PASSWORD", "SMTP_PASS",
		"AWS_SECRET_ACCESS_KEY", "AUTH", "AUTH_HEADER", "Authorization", "SESSION_COOKIE",
		"SENTRY_DSN", "X-Api-Key", "accessToken", "GITHUB_PAT", "PRIVATE_PEM" };
	static const char *const no[] = { "PATH", "HOME", "LOG_LEVEL", "MODE", "GIT_AUTHOR_NAME",
		"KEYBOARD", "MONKEY", "COMPASS_URL", "PATTERN", "REGION", "TZ" };

	for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
		if (!secret_is(yes[i], "x"))
			fail_msg("%s is no secret", yes[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(no); i++) {
		if (secret_is(no[i], "x"))
			fail_msg("%s is a secret", no[i]);
	}
}

static void test_values(void **state)
{
	static const char *const yes[] = { "ghp_0123456789", "sk-proj-abc", "xoxb-1-2",
		"eyJhbGciOi.x.y", "Bearer abc", "postgresql://u:pw@h/db", "AKIAIOSFODNN7EXAMPLE",
		"3f1c9a7be2d84c06b5f0a1d2e3c4b5a6", "-----BEGIN PRIVATE KEY-----\nx" };
	static const char *const no[] = { "", "info", "1", "https://example.org/a?b=c",
		"/usr/share/very/long/path1234567", "hello world this is a long text 123",
		"eu-central-1", "sk-", "postgresql://u@h/db",
		"@modelcontextprotocol/server-filesystem", "averyveryveryverylongword" };

	for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
		if (!secret_is_value(yes[i]))
			fail_msg("%s is no secret", yes[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(no); i++) {
		if (secret_is_value(no[i]))
			fail_msg("%s is a secret", no[i]);
	}
}

static void test_arguments(void **state)
{
	assert_true(secret_is_argument("--token", "abc"));
	assert_true(secret_is_argument("-y", "--api-key=abc"));
	assert_true(secret_is_argument("--header", "Authorization: abc"));
	assert_true(secret_is_argument("--dsn", "postgresql://u:p@h/db"));
	assert_true(secret_is_argument(NULL, "ghp_abcdef"));
	assert_true(secret_is_argument("-x", "https://h/mcp?token=1"));
	assert_false(secret_is_argument("--token", "--verbose"));
	assert_false(secret_is_argument("token", "abc"));
	assert_false(secret_is_argument("-y", "--mode=fast"));
	assert_false(secret_is_argument("-y", "--api-key="));
	assert_false(secret_is_argument("--token=x", "abc"));
	assert_false(secret_is_argument("-x", "https://h/mcp"));
}

static void test_urls(void **state)
{
	assert_true(secret_is_url("https://h/mcp?api_key=x"));
	assert_true(secret_is_url("https://h/mcp?a=b&token=x#f"));
	assert_true(secret_is_url("https://u:p@h/"));
	assert_true(secret_is_url("https://h/s/3f1c9a7be2d84c06b5f0a1d2e3c4b5a6/mcp"));
	assert_false(secret_is_url("https://h/mcp?a=b"));
	assert_false(secret_is_url("https://api-key.example.org/mcp/sse"));
	assert_false(secret_is_url("https://h"));
	assert_false(secret_is_url("x"));
	assert_false(secret_is_url(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
