/* Pages: bytes as UTF-8, HTML as Markdown and as text, links, and pages that are made to hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/limits.h"
#include "shared/utf8.h"
#include "workers/network/charset.h"
#include "workers/network/page.h"

static const char base[] = "https://example.org/dir/page?x=1";

struct call {
	int looks_left; /* until it is stopped; negative: never */
};

bool call_stopped(struct call *call)
{
	if (call->looks_left < 0)
		return false;
	if (call->looks_left > 0)
		call->looks_left--;
	return call->looks_left == 0;
}

static void convert_bytes(const char *html, size_t len, enum page_format format, struct page *page)
{
	struct call call = { .looks_left = -1 };
	struct failure fail = { 0 };

	*page = (struct page){ 0 };
	assert_int_equal(page_convert(&call, html, len, base, format, page, &fail), 0);
	assert_true(utf8_valid(strbuf_get(&page->text), page->text.len));
}

struct example {
	const char *html;
	const char *want;
};

static void check_examples(const struct example *cases, size_t n, enum page_format format)
{
	for (size_t i = 0; i < n; i++) {
		struct page page;

		convert_bytes(cases[i].html, strlen(cases[i].html), format, &page);
		if (!streq(strbuf_get(&page.text), cases[i].want))
			fail_msg("%s\nis:\n%s\nwanted:\n%s", cases[i].html, strbuf_get(&page.text),
				cases[i].want);
		page_done(&page);
	}
}

static void test_blocks(void **state)
{
	static const struct example cases[] = {
		{ "", "" },
		{ "just text", "just text" },
		{ "<p>a<p>b</p><div>c<div>d</div></div>", "a\n\nb\n\nc\n\nd" },
		{ "<h1>A</h1><h6> b\n c </h6><h2></h2>", "# A\n\n###### b c" },
		{ "<h2>C #</h2>", "## C \\#" },
		{ "<h2><div>x</div></h2>", "## x" },
		{ "<h2>a<br>b</h2>", "## a b" },
		{ "a<br>b", "a\\\nb" },
		{ "<br>a<br><br>b<br>", "a\n\nb" },
		{ "a<hr>b", "a\n\n---\n\nb" },
		{ "<pre>\n a\n  b \n\n</pre>", "```\n a\n  b\n```" },
		{ "<pre><code class='hljs language-c'>x *y;</code></pre>", "```c\nx *y;\n```" },
		{ "<pre class='lang-sh'>a ``` b</pre>", "````sh\na ``` b\n````" },
		{ "<pre class='language-a&quot;b'>x</pre>", "```\nx\n```" },
		{ "<pre><div>a</div><div>b</div>c<br>d</pre>", "```\na\nbc\nd\n```" },
		{ "<pre></pre>a", "a" },
		{ "<pre>\x1b[31ma\x7f\tb\r\nc</pre>", "```\n[31ma\tb\nc\n```" },
		{ "<dl><dt>t<dd>d<dd>e<dt>u</dl>", "t\n- d\n- e\n\nu" },
		{ "<figure><img src=a.png alt=x><figcaption>y</figcaption></figure>",
			"![x](https://example.org/dir/a.png)\n\ny" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_lists(void **state)
{
	static const struct example cases[] = {
		{ "<ul><li>a<li>b</ul>c", "- a\n- b\n\nc" },
		{ "x<ul><li>a</ul>", "x\n\n- a" },
		{ "<ol><li>a<li>b</ol>", "1. a\n2. b" },
		{ "<ol start=9><li>a<li>b<li value=3>c</ol>", "9. a\n10. b\n3. c" },
		{ "<ol start=-1><li>a</ol>", "1. a" },
		{ "<ul><li>a<ul><li>b<ol><li>c</ol></ul><li>d</ul>", "- a\n  - b\n    1. c\n- d" },
		{ "<ul><li><p>a</p><p>b</p><li>c</ul>", "- a\n\n  b\n- c" },
		{ "<ul><li>a</ul><ul><li>b</ul>", "- a\n\n* b" },
		{ "<ol><li>a</ol><ol><li>b</ol>", "1. a\n\n1) b" },
		{ "<ul><li>a</ul>x<ul><li>b</ul>", "- a\n\nx\n\n- b" },
		{ "<ul><li></li><li> <li>a</ul>", "- a" },
		{ "<ul><li><ul><li>a</ul></ul>", "- - a" },
		{ "<ul><li>a<pre>x\ny</pre></ul>", "- a\n\n  ```\n  x\n  y\n  ```" },
		{ "<ul><li><a href=/a>b</a></ul>", "- [b](https://example.org/a)" },
		{ "<blockquote>a<p>b</blockquote>c", "> a\n>\n> b\n\nc" },
		{ "<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b" },
		{ "<blockquote>a</blockquote><blockquote>b</blockquote>", "> a\n\n> b" },
		{ "<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b" },
		{ "<ul><li>a<blockquote>b</blockquote></ul>", "- a\n\n  > b" },
		{ "<li>a", "- a" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_inlines(void **state)
{
	static const struct example cases[] = {
		{ "<em>a</em> <i>b</i> <strong>c</strong> <b>d</b>", "*a* *b* **c** **d**" },
		{ "a<b> b </b>c", "a **b** c" },
		{ "<b></b><i> </i>a", "a" },
		{ "<b><strong>a</strong></b>", "**a**" },
		{ "<b>a</b><b>b</b>", "**ab**" },
		{ "<b><i>a</i></b>", "***a***" },
		{ "<b>a<div>b</div></b>", "**a**\n\n**b**" },
		{ "<del>a</del> <s>b</s>", "~~a~~ ~~b~~" },
		{ "<code>a b</code>", "`a b`" },
		{ "<code>a`b</code> <kbd>`</kbd>", "``a`b`` `` ` ``" },
		{ "x<code> a\n b </code>y", "x `a b` y" },
		{ "<code>*a* &lt;b&gt;</code>", "`*a* <b>`" },
		{ "a \t\n b&nbsp;c", "a b c" },
		{ "so&shy;ft", "soft" },
		{ "&copy; &eacute; &#8364; &lt;!", "© é € \\<!" },
		{ "<unknown>a</unknown>", "a" },
		{ "\xf0\x9f\x98\x80 \xe4\xb8\xad", "\xf0\x9f\x98\x80 \xe4\xb8\xad" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_escapes(void **state)
{
	static const struct example cases[] = {
		{ "a *\nb *&nbsp;c _\td", "a * b * c _ d" },
		{ "2*3*4 a * b", "2\\*3\\*4 a * b" },
		{ "snake_case _a_ a _ b", "snake_case \\_a\\_ a _ b" },
		{ "C:\\dir C:\\*", "C:\\dir C:\\\\\\*" },
		{ "a ` b", "a \\` b" },
		{ "[a](b) [c] d", "[a\\](b) [c] d" },
		{ "~~a~~ ~b", "\\~\\~a\\~\\~ ~b" },
		{ "&lt;div> a &lt; b", "\\<div> a < b" },
		{ "&amp;lt; R&amp;D x", "\\&lt; R&D x" },
		{ "<p># a<p>#a<p>####### a", "\\# a\n\n#a\n\n####### a" },
		{ "<p>- a<p>+ a<p>-a<p>---<p>+", "\\- a\n\n\\+ a\n\n-a\n\n\\---\n\n\\+" },
		{ "<p>1. a<p>1.5 a<p>12) b<p>2.", "1\\. a\n\n1.5 a\n\n12\\) b\n\n2\\." },
		{ "<p>> a<p>a > b", "\\> a\n\na > b" },
		{ "a<br>===<br>b", "a\\\n\\===\\\nb" },
		{ "<p>| a | b |", "\\| a | b |" },
		{ "stop!<a href=/a>b</a>", "stop\\![b](https://example.org/a)" },
		{ "<a href=/a>[1]</a>", "[\\[1\\]](https://example.org/a)" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_links(void **state)
{
	static const struct example cases[] = {
		{ "<a href=b>a</a>", "[a](https://example.org/dir/b)" },
		{ "<a href=../b>a</a>", "[a](https://example.org/b)" },
		{ "<a href='//other.example/b'>a</a>", "[a](https://other.example/b)" },
		{ "<a href='?q=1&amp;r=2'>a</a>", "[a](https://example.org/dir/page?q=1&r=2)" },
		{ "<a href='#top'>a</a>", "[a](https://example.org/dir/page?x=1#top)" },
		{ "<a href='b c(d)<e>'>a</a>", "[a](https://example.org/dir/b%20c%28d%29%3Ce%3E)" },
		{ "<h2>a<a href='#a'>b</a> <a href=c>d</a></h2>",
			"## ab [d](https://example.org/dir/c)" },
		{ "<a href='mailto:a@example.org'>a</a>", "[a](mailto:a@example.org)" },
		{ "<a href='javascript:alert(1)'>a</a>", "a" },
		{ "<a href=' java\nscript:alert(1)'>a</a>", "a" },
		{ "<a href='JaVaScRiPt:x'>a</a>", "a" },
		{ "<a href='data:text/html,x'>a</a>", "a" },
		{ "<a href='vbscript:x'>a</a> <a href='file:///etc/passwd'>b</a>", "a b" },
		{ "<a href=''>a</a> <a>b</a> <a name=x></a>", "a b" },
		{ "<a href=b></a>x", "x" },
		{ "<a href=b> a </a>x", "[a](https://example.org/dir/b) x" },
		{ "<a href=b><b>a</b></a>", "[**a**](https://example.org/dir/b)" },
		{ "<a href=b><h3>a</h3><p>c</p></a>", "### [a](https://example.org/dir/b)\n\n"
						      "[c](https://example.org/dir/b)" },
		{ "<img src=a.png alt='x [y]'>", "![x \\[y\\]](https://example.org/dir/a.png)" },
		{ "<img src=a.png>", "![](https://example.org/dir/a.png)" },
		{ "<img src=a.png alt=''>", "" },
		{ "<img src='data:image/png;base64,x' alt=y>", "y" },
		{ "<a href=b><img src=a.png alt=''></a>",
			"[![](https://example.org/dir/a.png)](https://example.org/dir/b)" },
		{ "<base href=/other/><a href=b>a</a>", "[a](https://example.org/other/b)" },
		{ "<base href='https://cdn.example/x/'><base href=/no/><img src=a alt=b>",
			"![b](https://cdn.example/x/a)" },
		{ "<base href='javascript:x'><a href=b>a</a>", "[a](https://example.org/dir/b)" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_tables(void **state)
{
	static const struct example cases[] = {
		{ "<table><tr><th>a<th>b<tr><td>1<td>2</table>",
			"| a | b |\n| --- | --- |\n| 1 | 2 |" },
		{ "<table><thead><tr><th>a<th>b</thead><tbody><tr><td>1</table>",
			"| a | b |\n| --- | --- |\n| 1 |" },
		{ "<table><tr><td>1<td>2<tr><th>3<td>4</table>",
			"| | |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |" },
		{ "<table><tr><th>a|b<th><code>c|d</code></table>",
			"| a\\|b | `c\\|d` |\n| --- | --- |" },
		{ "<table><tr><th>a<br>b<th><p>c<p>d</table>",
			"| a<br>b | c<br>d |\n| --- | --- |" },
		{ "<table><tr><th>a<th>b<tr><td><ul><li>x<li>y</ul><td>2</table>",
			"| a | b |\n| --- | --- |\n| x<br>y | 2 |" },
		{ "<table><tr><th colspan=2>a<th>b<tr><td>1<td>2<td>3</table>",
			"| a | | b |\n| --- | --- | --- |\n| 1 | 2 | 3 |" },
		{ "<table><tr><th>a<th>b<tr><td rowspan=2>1<td>2<tr><td>3</table>",
			"| a | b |\n| --- | --- |\n| 1 | 2 |\n| | 3 |" },
		{ "<table><tr><th>a<th>b<tr><td>1<td rowspan=2>2<tr><td>3</table>",
			"| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | |" },
		{ "<table><caption>c</caption><tr><th>a<th>b</table>x",
			"c\n\n| a | b |\n| --- | --- |\n\nx" },
		{ "<table><tr><td>a<br>b<tr><td>c</table>", "a\\\nb\n\nc" },
		{ "<table><tr><td></table>x<table></table>", "x" },
		{ "<table><tr><td>x<table><tr><th>a<th>b</table>y<td>z</table>",
			"x\n\n| a | b |\n| --- | --- |\n\ny\n\nz" },
		{ "<table><tr><td>a<td>b<tr><td><pre>x</pre><td>c</table>",
			"| | |\n| --- | --- |\n| a | b |\n\n```\nx\n```\n\nc" },
		{ "<ul><li>i<table><tr><th>a<th>b</table></ul>",
			"- i\n\n  | a | b |\n  | --- | --- |" },
		{ "<table><tr><th><a href=b>a</a><th>c</table>",
			"| [a](https://example.org/dir/b) | c |\n| --- | --- |" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_left_out(void **state)
{
	static const struct example cases[] = {
		{ "<script>if (a<b) '<p>x</p>'</script>a", "a" },
		{ "<style>p > a {}</style>a<!-- b -->", "a" },
		{ "<template><p>x</p></template><noscript>y</noscript>a", "a" },
		{ "<head><meta name=a content=b><link rel=c href=d></head>a", "a" },
		{ "<svg><title>x</title><text>y</text></svg>a", "a" },
		{ "<nav>n</nav><p>a", "n\n\na" },
		{ "<nav><ul><li>n</ul></nav><main>a</main><nav>o</nav>b", "a\n\nb" },
		{ "<article>a</article><nav>n<nav>o</nav></nav>", "a" },
		{ "<p>x<nav>n</nav><article>a</article>", "x\n\na" },
		{ "a<script>unclosed", "a" },
		{ "a<!-- unclosed", "a" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_MARKDOWN);
}

static void test_text(void **state)
{
	static const struct example cases[] = {
		{ "<h1>a</h1><p><b>b</b> <a href=x>c</a>*d*<br>e", "a\n\nb c*d*\ne" },
		{ "<ul><li>a<ol><li>b</ol></ul><ul><li>c</ul>", "- a\n  1. b\n\n- c" },
		{ "<blockquote># a</blockquote><hr><pre>b\n c</pre>", "# a\n\nb\n c" },
		{ "<table><tr><th>a<th>b|c<tr><td>1<br>2<td><code>d</code></table>",
			"a\tb|c\n1 2\td" },
		{ "<img src=a alt='b [c]'><img src=d>", "b [c]" },
		/* Of a row without text nothing is left. */
		{ "<table><tr><td>a<td>b<tr><td><tr><td>c<td>d<tr><td><td></table>", "a\tb\nc\td" },
		{ "x<table><tr><td rowspan=2><td rowspan=2>1<tr><td></table>", "x\n\n\t1" },
	};

	check_examples(cases, N_ELEMENTS(cases), PAGE_TEXT);
}

static void test_title(void **state)
{
	static const struct example cases[] = {
		{ "<title> A &amp;\n <b> </title>x", "A & <b>" },
		{ "<head><title>A</title></head><body><title>B</title>", "A" },
		{ "<svg><title>no</title></svg><p>x", NULL },
		{ "<title> </title>x", NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct page page;

		convert_bytes(cases[i].html, strlen(cases[i].html), PAGE_MARKDOWN, &page);
		if (cases[i].want && i > 0)
			assert_string_equal(page.title, cases[i].want);
		else if (!cases[i].want)
			assert_null(page.title);
		else
			assert_memory_equal(page.title, "A &", 3); /* parsers differ on <b> */
		page_done(&page);
	}
}

/* `n` times `once` behind `before`. */
static void repeat(struct strbuf *out, const char *before, const char *once, size_t n)
{
	strbuf_cut(out, 0);
	strbuf_adds(out, before);
	while (n-- > 0)
		strbuf_adds(out, once);
}

static void test_deep(void **state)
{
	auto_strbuf html = { 0 };
	struct page page;

	repeat(&html, "", "<div>", 60000);
	strbuf_adds(&html, "deep");
	for (int i = 0; i < 60000; i++)
		strbuf_adds(&html, "</div>");
	strbuf_adds(&html, "<p>after <b>it</b>");
	convert_bytes(html.data, html.len, PAGE_MARKDOWN, &page);
	assert_string_equal(strbuf_get(&page.text), "deep\n\nafter **it**");
	page_done(&page);
}

/* What is too much for the parser goes on as text, and says so. */
static void test_too_deep(void **state)
{
	auto_strbuf html = { 0 };
	struct page page;

	repeat(&html, "<p>start", "<b>", 150000);
	strbuf_adds(&html, "<p>the <i>end</i><script>no</script>");
	convert_bytes(html.data, html.len, PAGE_MARKDOWN, &page);
	assert_memory_equal(strbuf_get(&page.text), "start\n\n[From here on", 20);
	assert_non_null(strstr(page.text.data, "the end"));
	assert_null(strstr(page.text.data, "no</"));
	assert_null(strstr(page.text.data, "no\n"));
	page_done(&page);
}

static void test_hostile(void **state)
{
	static const char *const pieces[][2] = {
		{ "", "<" },
		{ "", "<!" },
		{ "", "<a " },
		{ "", "<a href=\"x" },
		{ "<a ", "b=c " },
		{ "<a ", "x" },
		{ "", "&" },
		{ "", "<ul><li>x" },
		{ "", "<blockquote>x" },
		{ "", "<table><tr><td>" },
		{ "", "<h1><pre><code>" },
		{ "", "</p>" },
		{ "<div><div><div>", "</span>" },
		{ "<table><tr><td rowspan=1000><td rowspan=1000><td rowspan=1000>", "<tr><td>" },
		{ "<ul><li><ul><li><ul><li><ul><li><ul><li><ul><li>", "a<br>" },
		{ "<b><i><s><a href='http://example.org/a-long-address-to-be-repeated'>", "<p>x" },
		{ "<base href='http://example.org/a-very/long-base/of-links/'>",
			"<a href=a>b</a>" },
		{ "<pre>", "`` " },
		{ "<code>", "` " },
	};
	const size_t bytes = 512 * KIB;

	for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
		auto_strbuf html = { 0 };
		struct page page;

		repeat(&html, pieces[i][0], pieces[i][1], bytes / strlen(pieces[i][1]));
		for (int format = PAGE_MARKDOWN; format <= PAGE_TEXT; format++) {
			convert_bytes(html.data, html.len, (enum page_format)format, &page);
			if (page.text.len > 4 * bytes)
				fail_msg("%s: %zu bytes", pieces[i][1], page.text.len);
			page_done(&page);
		}
	}
}

static void test_stopped(void **state)
{
	auto_strbuf html = { 0 };
	struct call call = { .looks_left = 3 };
	struct failure fail = { 0 };
	struct page page = { 0 };

	repeat(&html, "", "<p>word", 10000);
	assert_int_equal(page_convert(&call, html.data, html.len, base, PAGE_TEXT, &page, &fail),
		-ECANCELED);
	page_done(&page);
}

static void test_without_base(void **state)
{
	static const char html[] = "<a href=b>a</a> <a href=http://example.org/c>d</a>";
	struct call call = { .looks_left = -1 };
	struct failure fail = { 0 };
	struct page page = { 0 };

	assert_int_equal(
		page_convert(&call, html, strlen(html), NULL, PAGE_MARKDOWN, &page, &fail), 0);
	assert_string_equal(strbuf_get(&page.text), "a [d](http://example.org/c)");
	page_done(&page);
}

static const struct {
	const char *content_type;
	const char *body;
	size_t len;
	const char *charset;
	const char *want;
} encodings[] = {
#define BODY(text) text, sizeof(text) - 1
	{ NULL, BODY("\xc3\xa9"), "utf-8", "é" },
	{ NULL, BODY("\xe9"), "windows-1252", "é" },
	{ NULL, BODY("\x80\x81\x9f"), "windows-1252", "€\xc2\x81Ÿ" },
	{ "text/html; charset=utf-8",
		BODY("a\xff"
		     "b"),
		"utf-8",
		"a\xef\xbf\xbd"
		"b" },
	{ "text/html; Charset=\"ISO-8859-1\"", BODY("\xe9\x93"), "windows-1252", "é“" },
	{ "text/plain;charset=iso-8859-15", BODY("\xa4"), "iso-8859-15", "€" },
	{ "text/plain; charset=Shift_JIS", BODY("\x93\xfa"), "shift_jis", "日" },
	{ "text/plain; charset=koi8-r", BODY("\xc1"), "koi8-r", "а" },
	{ "text/plain; charset=gb2312", BODY("\xc4\xe3"), "gbk", "你" },
	{ "text/html; charset=unknown-x", BODY("\xc3\xa9"), "utf-8", "é" },
	{ "text/html; charset=UTF-7", BODY("+AOk-"), "utf-8", "+AOk-" },
	{ "text/html; charset=UTF-8//TRANSLIT", BODY("\xe9"), "windows-1252", "é" },
	{ NULL,
		BODY("\xef\xbb\xbf"
		     "a"),
		"utf-8", "a" },
	{ "text/html; charset=iso-8859-1", BODY("\xef\xbb\xbf\xc3\xa9"), "utf-8", "é" },
	{ NULL,
		BODY("\xff\xfe"
		     "a\0\x3d\xd8\x00\xde"),
		"utf-16le", "a\xf0\x9f\x98\x80" },
	{ NULL, BODY("\xfe\xff\0a\0\0\xd8"), "utf-16be", "a\xef\xbf\xbd\xef\xbf\xbd" },
	{ "text/html", BODY("<meta charset=iso-8859-2>\xb1"), "iso-8859-2",
		"<meta charset=iso-8859-2>ą" },
	{ "text/html", BODY("<META http-equiv=a content='text/html; charset=koi8-r'>\xc1"),
		"koi8-r", "<META http-equiv=a content='text/html; charset=koi8-r'>а" },
	{ "text/html", BODY("<!-- <meta charset=koi8-r> -->\xe9"), "windows-1252",
		"<!-- <meta charset=koi8-r> -->é" },
	{ "text/html", BODY("<meta charset=utf-16>\xc3\xa9"), "utf-8", "<meta charset=utf-16>é" },
	{ "text/plain", BODY("<meta charset=koi8-r>\xc3\xa9"), "utf-8", "<meta charset=koi8-r>é" },
	{ "text/xml", BODY("<?xml version='1.0' encoding='iso-8859-2'?>\xb1"), "iso-8859-2",
		"<?xml version='1.0' encoding='iso-8859-2'?>ą" },
	{ NULL, BODY("a\0b"), "utf-8",
		"a\xef\xbf\xbd"
		"b" },
	{ "text/html; charset", BODY("a"), "utf-8", "a" },
	{ "text/html; charset=", BODY(""), "utf-8", "" },
#undef BODY
};

static void test_decode(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(encodings); i++) {
		char charset[PAGE_CHARSET_SIZE] = "";
		auto_strbuf text = { 0 };

		assert_int_equal(page_decode(encodings[i].content_type, encodings[i].body,
					 encodings[i].len, &text, charset),
			0);
		if (!streq(charset, encodings[i].charset) ||
			!streq(strbuf_get(&text), encodings[i].want))
			fail_msg("%zu: %s: %s", i, charset, strbuf_get(&text));
	}
}

/* A declaration counts in the first KiB only. */
static void test_decode_late(void **state)
{
	char charset[PAGE_CHARSET_SIZE];
	auto_strbuf body = { 0 };
	auto_strbuf text = { 0 };

	repeat(&body, "", " ", 1024);
	strbuf_adds(&body, "<meta charset=koi8-r>\xe9");
	assert_int_equal(page_decode(NULL, body.data, body.len, &text, charset), 0);
	assert_string_equal(charset, "windows-1252");
}

/* The table is searched by halves: each of these would be missed by a wrong order. */
static void test_labels(void **state)
{
	static const char *const labels[] = { "ansi_x3.4-1968", "ascii", "BIG5", "cp1250", "cp866",
		"euc-kr", "gb2312", "gb_2312-80", "gbk", "greek", "iso-2022-jp", "iso-8859-1",
		"iso-8859-16", "iso-8859-2", "iso-8859-8-i", "iso8859-15", "iso_8859-1", "koi8_r",
		"korean", "ks_c_5601-1987", "l1", "latin1", "mac", "ms_kanji", "shift-jis", "sjis",
		"tis-620", "unicode-1-1-utf-8", "us-ascii", "utf-16", "utf-16le", "utf8",
		"windows-1258", "windows-31j", "windows-949", "x-euc-jp", "x-gbk", "x-mac-cyrillic",
		"x-sjis" };
	char label[64] = "";

	for (size_t i = 0; i < N_ELEMENTS(labels); i++) {
		const struct charset *charset = charset_find(labels[i], strlen(labels[i]));
		auto_strbuf text = { 0 };

		if (!charset || !charset_convert(charset, "a", 1, &text))
			fail_msg("%s", labels[i]);
		assert_true(text.len > 0 && strlen(charset->name) < PAGE_CHARSET_SIZE);
	}
	memset(label, 'a', sizeof(label) - 1);
	assert_null(charset_find(label, strlen(label)));
	assert_null(charset_find("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_inlines),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_without_base),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_late),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
