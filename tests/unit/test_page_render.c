/* The page as HTML: what stands in it, that it is well-formed whatever the status holds, and that no word of
 * others becomes markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/ops/page_render.h"
#include "supervisor/ops/page_words.h"

#define AS_OF "2026-01-31T12:00:00.000Z"
#define HOSTILE                                                                                    \
	"<script>alert('x')</script>\\\"><img src=x onerror=alert(1)>&amp;\\u202e\\n\\u001b[1m"

enum { MAX_DEPTH = 64 };

static const char status_text[] =
	"{\"version\": \"1.2.3\", \"pid\": 7, \"uptime_ms\": 7500000, \"ready\": false,"
	" \"reasons\": [\"git: starting\"], \"transport\": \"sse\", \"listeners\": [\"127.0.0.1:1\", \"[::1]:2\"],"
	" \"memory_bytes\": 20971520, \"cpu_ms\": 61000, \"keys_path\": \"/etc/k\","
	" \"keys\": {\"count\": 3, \"fault\": \"it is open\"},"
	" \"tls\": {\"subject\": \"CN=f.example\", \"serial\": \"0A\", \"days_left\": 13},"
	" \"limits\": {\"limits.sessions\": 6, \"limits.calls\": 0}, \"refusals\": {\"no_credential\": 4321},"
	" \"local_socket\": null, \"control_socket\": \"/run/c\", \"settings\": \"/etc/f\", \"state_dir\": null,"
	" \"sandbox\": \"Landlock\", \"tools\": 1234,"
	" \"sessions\": {\"open\": 3, \"limit\": 4000, \"by_transport\": {\"sse\": 2, \"local\": 1},"
	"  \"opened_total\": 5, \"refused_total\": 6, \"stateless_total\": 7},"
	" \"domains\": [{\"name\": \"git\", \"state\": \"starting\", \"required\": true, \"tools\": 31,"
	"   \"restarts\": 2, \"sandbox\": \"git\", \"not_enforced\": \"no cgroup\","
	"   \"calls\": {\"in_flight\": 1, \"queued\": 2, \"total\": 1300000, \"ok\": 9, \"errors\": 10,"
	"    \"lost\": 11, \"timed_out\": 12, \"cancelled\": 13},"
	"   \"last_error\": {\"text\": \"git/1: killed by signal 9\", \"remedy\": \"look\", \"age_ms\": 65000},"
	"   \"latency\": [[0.064, 2], [1.28, 100]],"
	"   \"processes\": [{\"name\": \"git/1\", \"pid\": 0, \"state\": \"backoff\", \"calls\": 0, \"starts\": 3,"
	"    \"answered\": 100, \"age_ms\": 0, \"retiring\": false, \"latency\": [],"
	"    \"last_end\": \"killed by signal 9\", \"session\": null},"
	"    {\"name\": \"git/2\", \"pid\": 77, \"state\": \"ready\", \"calls\": 1, \"starts\": 1, \"answered\": 5,"
	"    \"memory_bytes\": 3355443, \"cpu_ms\": 1234,"
	"    \"age_ms\": 4000, \"retiring\": true, \"latency\": [[null, 1]], \"last_end\": null,"
	"    \"session\": \"0123abcd\"}]},"
	"  {\"name\": \"off\", \"state\": \"disabled\", \"required\": false, \"last_error\": null}],"
	" \"gateway\": {\"gateway\": {\"url\": \"https://g\", \"state\": \"connected\", \"error\": null,"
	"    \"last_contact\": \"yesterday\", \"token\": {\"expires\": \"tomorrow\", \"days_left\": 1}},"
	"   \"domains\": [{\"name\": \"git\", \"state\": \"degraded\", \"tools_wanted\": 31, \"tools_found\": 30,"
	"    \"error\": \"one is missing\", \"remedy\": \"wait\"}],"
	"   \"server\": {\"name\": \"all\", \"state\": \"registered\", \"tools_wanted\": 1, \"tools_found\": 1},"
	"   \"drift\": [{\"domain\": \"git\", \"what\": \"its address\", \"action\": \"update\"}],"
	"   \"counters\": {\"requests\": 4, \"errors\": 0, \"rounds\": 2}}}";

static json_t *load(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static char *render(const json_t *status)
{
	auto_strbuf out = { 0 };

	page_render(&out, status, AS_OF);
	return strbuf_take(&out);
}

static char *render_text(const char *text)
{
	json_auto_t *status = load(text);

	return render(status);
}

/* --- is it well-formed? --------------------------------------------------------------------------- */

static bool is_void(const char *name)
{
	static const char *const names[] = { "meta", "link", "!doctype" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (streq(names[i], name))
			return true;
	return false;
}

/* The end of a tag: quotes are closed before it, and no "<" is in it. */
static const char *end_of_tag(const char *at)
{
	bool is_quoted = false;

	for (; *at && (is_quoted || *at != '>'); at++) {
		if (*at == '"')
			is_quoted = !is_quoted;
		assert_int_not_equal(*at, '<');
	}
	assert_int_equal(*at, '>');
	return at;
}

/* Each element ends within the one that it is in, and only names that the page uses come. */
static void check_tags(const char *html)
{
	char open[MAX_DEPTH][16];
	unsigned depth = 0;

	for (const char *at = html; (at = strchr(at, '<'));) {
		bool is_end = at[1] == '/';
		size_t len = strcspn(at + 1 + is_end, " />\n");
		auto_free char *name = alloc_mem(at + 1 + is_end, len);
		const char *end = end_of_tag(at + 1);

		assert_true(len > 0 && len < 16);
		if (is_end) {
			assert_true(depth > 0);
			assert_string_equal(open[--depth], name);
		} else if (end[-1] != '/' && !is_void(name)) {
			assert_true(depth < MAX_DEPTH);
			memcpy(open[depth++], name, len + 1);
		}
		at = end;
	}
	assert_int_equal(depth, 0);
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

#define assert_part(text, part)                                                                    \
	do {                                                                                       \
		if (!strstr(text, part))                                                           \
			fail_msg("'%s' is not there", part);                                       \
	} while (0)

/* --- tests ---------------------------------------------------------------------------------------- */

static void test_what_is_shown(void **unused)
{
	static const char *const parts[] = { "<title>Not ready – mcp-fleet</title>", "1.2.3",
		"<strong>Not ready</strong>", "0 of 1 domains up", "git: starting",
		/* tiles */ "1,300,000", "33 failed", "1,234", "2 h 5 min", "p99 1.28 ms",
		/* the domain */ "state busy\">starting", ">1.28 ms<", "git/1: killed by signal 9",
		"1 min ago", "Remedy</span> <bdi>look", "optional",
		/* processes */ "state bad\">backoff", "being replaced", "for session 0123abcd…",
		">over an hour<", "state quiet\">disabled", "data-label=\"Memory\"", ">3.2 MiB<",
		">1.23 s<",
		/* sessions, limits */ "Open, by sse", "Open, by local", "limits.sessions", ">6<",
		"4,000", "no_credential", "4,321",
		/* gateway */ "https://g", "tomorrow, in 1 days", "one is missing",
		"virtual server", "its address", "Differs",
		/* daemon */ ">20.0 MiB<", ">1 min<", "CN=f.example, serial 0A",
		"in 13 days: renew it", "3 in /etc/k, whose last change is not taken: it is open",
		"127.0.0.1:1, [::1]:2", "Not enforced on this machine", "no cgroup",
		"<time datetime=\"2026-01-31T12:00:00.000Z\">2026-01-31 12:00:00 UTC</time>" };
	auto_free char *html = render_text(status_text);

	for (size_t i = 0; i < N_ELEMENTS(parts); i++)
		assert_part(html, parts[i]);
	assert_null(strstr(html, "<!--"));
	assert_null(strstr(html, "style=")); /* the policy has no room for them */
	assert_int_equal(count(html, "<script"), 1);
	check_tags(html);
}

/* A row has a cell for each column. */
static void test_tables(void **unused)
{
	auto_free char *html = render_text(status_text);

	for (const char *table = html; (table = strstr(table, "<table")); table++) {
		auto_free char *text =
			alloc_mem(table, (size_t)(strstr(table, "</table>") - table));
		unsigned n_columns = count(text, "role=\"columnheader\"");
		unsigned n_rows = count(text, "role=\"rowheader\"");

		assert_int_equal(count(text, "<caption"), 1);
		assert_true(n_columns > 0 && n_rows > 0);
		assert_int_equal(count(text, "role=\"cell\""), n_rows * (n_columns - 1));
	}
}

static void test_ready(void **unused)
{
	auto_free char *some = render_text(
		"{\"ready\": true, \"domains\": [{\"state\": \"up\"}, {\"state\": \"parked\"}]}");
	auto_free char *all = render_text(
		"{\"ready\": true, \"domains\": [{\"state\": \"up\"}, {\"state\": \"asleep\"},"
		" {\"state\": \"disabled\"}]}");

	assert_part(some, "verdict busy");
	assert_part(some, "1 of 2 domains up");
	assert_part(all, "verdict good");
	assert_part(all, "2 of 2 domains up");
	assert_part(all, "<title>Ready – mcp-fleet</title>");
	assert_null(strstr(all, "reasons"));
}

static void test_limits(void **unused)
{
	auto_free char *none = render_text("{\"limits\": {}}");
	auto_free char *some = render_text(
		"{\"limits\": {\"limits.calls\": 8765, \"limits.rate\": 0}, \"refusals\": {\"host\": 0}}");

	assert_int_equal(count(none, "None since the start of the daemon."), 2);
	assert_int_equal(count(some, "None since the start of the daemon."), 1);
	assert_part(some, "limits.calls");
	assert_part(some, "8,765");
	assert_null(strstr(some, "limits.rate"));
}

static void test_certificate(void **unused)
{
	auto_free char *fine = render_text("{\"tls\": {\"subject\": \"s\", \"days_left\": 14}}");
	auto_free char *over = render_text("{\"tls\": {\"subject\": \"s\", \"days_left\": -1}}");
	auto_free char *none = render_text("{\"tls\": null, \"keys\": null}");

	assert_part(fine, "in 14 days<");
	assert_part(over, "has ended: renew it");
	assert_null(strstr(none, "Certificate"));
	assert_null(strstr(none, "Keys"));
}

/* Puts `text` in the place of each text, and of each member's name where it is one of data. */
static json_t *poison(json_t *value, json_t *text)
{
	json_t *copy;
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		return json_incref(text);
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach(value, i, member)
			(void)json_array_append_new(copy, poison(member, text));
		return copy;
	}
	if (!json_is_object(value))
		return json_incref(value);
	copy = json_object();
	json_object_foreach(value, name, member)
		(void)json_object_set_new(copy, streq(name, "sse") ? json_string_value(text) : name,
			poison(member, text));
	return copy;
}

static void test_hostile_words(void **unused)
{
	json_auto_t *status = load(status_text);
	json_auto_t *words = load("[\"" HOSTILE "\"]");
	json_auto_t *poisoned = poison(status, json_array_get(words, 0));
	auto_free char *html = render(poisoned);

	check_tags(html);
	assert_int_equal(count(html, "<script"), 1);
	assert_null(strstr(html, "<img"));
	assert_null(strstr(html, "\"><"
				 "img"));
	assert_null(strchr(html, '\033'));
	assert_true(
		count(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;&lt;img") >
		30);
}

/* What is missing, or of another type, is left out: the page comes all the same. */
static void test_odd_statuses(void **unused)
{
	static const char *const odd[] = {
		"{}", "[]", "{\"domains\": {}, \"sessions\": []}",
		"{\"domains\": [1, null, \"x\", {}, {\"processes\": [[], {}], \"last_error\": {}}]}",
		"{\"domains\": [{\"latency\": [[1, 2], [0.5, 3], 7, [null], [[], {}], [1e300, 1], [-1, 1]]}]}",
		"{\"reasons\": [1, null], \"listeners\": [null], \"gateway\": {\"gateway\": {\"error\": \"e\"}}}",
		"{\"gateway\": {\"gateway\": {\"state\": \"off\"}}, \"limits\": {\"a\": {}, \"b\": -1}}"
	};

	for (size_t i = 0; i < N_ELEMENTS(odd); i++) {
		auto_free char *html = render_text(odd[i]);

		check_tags(html);
		assert_part(html, "</html>");
	}
}

static void check_age(json_int_t ms, const char *expected)
{
	auto_strbuf out = { 0 };

	page_add_age(&out, ms);
	assert_string_equal(out.data, expected);
}

static void test_ages(void **unused)
{
	check_age(-5, "under 1 s");
	check_age(999, "under 1 s");
	check_age(1000, "1 s");
	check_age(59999, "59 s");
	check_age(60000, "1 min");
	check_age(3599999, "59 min");
	check_age(3600000, "1 h");
	check_age(7500000, "2 h 5 min");
	check_age(86400000, "1 d");
	check_age(86400000 + 3600000 * 5 + 1, "1 d 5 h");
}

static void test_amounts(void **unused)
{
	auto_strbuf out = { 0 };

	page_add_bytes(&out, -1);
	page_add_bytes(&out, 1023);
	page_add_bytes(&out, 1024);
	page_add_bytes(&out, 1048575);
	page_add_bytes(&out, INT64_C(10995116277760000));
	assert_string_equal(out.data, "0 B1023 B1.0 KiB1.0 MiB10000.0 TiB");
	strbuf_cut(&out, 0);
	page_add_cpu(&out, 0);
	page_add_cpu(&out, 9999);
	page_add_cpu(&out, 59940);
	page_add_cpu(&out, 3600000);
	assert_string_equal(out.data, "0.00 s10.00 s59.9 s1 h");
}

static void check_count(json_int_t n, const char *expected)
{
	auto_strbuf out = { 0 };

	page_add_count(&out, n);
	assert_string_equal(out.data, expected);
}

static void test_counts(void **unused)
{
	check_count(0, "0");
	check_count(999, "999");
	check_count(1000, "1,000");
	check_count(123456, "123,456");
	check_count(1234567, "1,234,567");
	check_count(-123456, "-123,456");
	check_count(INT64_MAX, "9,223,372,036,854,775,807");
}

static void test_latency(void **unused)
{
	static const struct {
		int64_t us;
		const char *expected;
	} cases[] = { { 10, "0.064 ms" }, { 100, "0.112 ms" }, { 7000, "7.17 ms" },
		{ 9000, "10 ms" }, { 90000, "98 ms" }, { 1500000, "1.57 s" },
		{ INT64_MAX, "over an hour" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct histogram latency = { 0 };
		auto_strbuf out = { 0 };

		page_add_latency(&out, &latency, 0.5);
		histogram_add(&latency, cases[i].us);
		page_add_latency(&out, &latency, 0.5);
		assert_string_equal(out.data + strlen("–"), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_shown),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_hostile_words),
		cmocka_unit_test(test_odd_statuses),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
