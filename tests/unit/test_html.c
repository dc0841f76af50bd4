/* Foreign words in HTML: nothing of them becomes markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/ops/html.h"

static void check(const char *text, const char *expected)
{
	auto_strbuf out = { 0 };

	html_add(&out, text);
	assert_string_equal(strbuf_get(&out), expected);
}

static void test_escapes(void **unused)
{
	check("", "");
	check(NULL, "");
	check("plain words: äöü 漢字", "plain words: äöü 漢字");
	check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
	check("a\" onload=\"b", "a&quot; onload=&quot;b");
	check("'", "&#39;");
	check("&amp; &", "&amp;amp; &amp;");
	check("two\nlines\tand a tab", "two\nlines\tand a tab");
	check("<", "&lt;");
	check("x>", "x&gt;");
}

static void test_what_is_no_text(void **unused)
{
	check("\033[31mred\r\n\x01\x7f",
		"\xef\xbf\xbd[31mred\xef\xbf\xbd\n\xef\xbf\xbd\xef\xbf\xbd");
	check("a\xff"
	      "b",
		"a\xef\xbf\xbd"
		"b");
	check("\xc0\xbcscript\xc0\xbe", /* "<" in too many bytes is none */
		"\xef\xbf\xbd\xef\xbf\xbdscript\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_format(void **unused)
{
	auto_strbuf out = { 0 };

	html_addf(&out, "<p class=\"%s\">%d of %lld, %s%c%s 100 %%</p>", "a\"b", -3,
		1234567890123LL, "<i>", '/', "");
	assert_string_equal(
		out.data, "<p class=\"a&quot;b\">-3 of 1234567890123, &lt;i&gt;/ 100 %</p>");
	html_addf(&out, "%s", "&");
	assert_string_equal(out.data + out.len - 5, "&amp;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
