/* Pages of the network: any bytes become valid UTF-8, any HTML becomes Markdown and text that is valid
 * UTF-8 and not much longer. */
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/network/page.h"

static const char *const content_types[] = {
	NULL,
	"text/html",
	"text/html; charset=utf-8",
	"text/html; charset=shift_jis",
	"text/html; charset=gb18030",
	"text/html; charset=iso-2022-jp",
	"text/html; charset=utf-16",
	"text/xml",
};

struct call {
	int none;
};

bool call_stopped(struct call *call)
{
	return false;
}

static void check_page(const struct strbuf *html, enum page_format format)
{
	struct call call = { 0 };
	struct failure fail = { 0 };
	struct page page = { 0 };

	CHECK(page_convert(&call, strbuf_get(html), html->len, "https://example.org/a/b?c", format,
		      &page, &fail) == 0);
	CHECK(utf8_valid(strbuf_get(&page.text), page.text.len));
	CHECK(page.text.len <= 8 * html->len + (size_t)128 * 1024);
	CHECK(page.text.len == 0 || page.text.data[page.text.len - 1] != '\n');
	CHECK(!page.title || (*page.title && utf8_valid(page.title, strlen(page.title))));
	page_done(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char charset[PAGE_CHARSET_SIZE] = "";
	auto_strbuf text = { 0 };
	auto_free char *body = NULL;

	if (size == 0)
		return 0;
	body = fuzz_copy(data + 1, size - 1);
	CHECK(page_decode(content_types[*data % N_ELEMENTS(content_types)], body, size - 1, &text,
		      charset) == 0);
	CHECK(*charset && utf8_valid(strbuf_get(&text), text.len));
	CHECK(!memchr(strbuf_get(&text), '\0', text.len));
	check_page(&text, PAGE_MARKDOWN);
	check_page(&text, PAGE_TEXT);
	return 0;
}
