/* Targets of requests, authorities, queries: the parts add up to the whole, and what was decoded is
 * text that can be encoded again. */
#include <errno.h>

#include "shared/uri.h"
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const struct strbuf *text)
{
	CHECK(utf8_valid(strbuf_get(text), text->len));
	for (size_t i = 0; i < text->len; i++)
		CHECK((unsigned char)text->data[i] >= 0x20 && text->data[i] != 0x7f);
}

static void check_authority(struct span text)
{
	struct uri_authority a;
	const char *end = text.at + text.len;

	if (uri_split_authority(text.at, text.len, &a) < 0)
		return;
	CHECK(a.host.at == text.at && a.host.len > 0 && a.host.len <= text.len);
	CHECK(a.port >= -1 && a.port <= 65535);
	CHECK(a.host.at + a.host.len == end || a.host.at[a.host.len] == ':');
	CHECK(!memchr(a.host.at, '@', a.host.len) && !memchr(a.host.at, '/', a.host.len));
}

/* Each byte of `text` but '/' as %XX decodes to `text` again. */
static void check_path_round_trip(const struct strbuf *text)
{
	static const char digits[] = "0123456789abcdef";
	auto_strbuf encoded = { 0 };
	auto_strbuf again = { 0 };

	for (size_t i = 0; i < text->len; i++) {
		unsigned char byte = (unsigned char)text->data[i];
		const char escaped[] = { '%', digits[byte >> 4], digits[byte & 15] };

		if (byte == '/')
			strbuf_addc(&encoded, '/');
		else
			strbuf_add(&encoded, escaped, sizeof(escaped));
	}
	CHECK(uri_decode_path((struct span){ .at = strbuf_get(&encoded), .len = encoded.len },
		      &again) == 0);
	CHECK(again.len == text->len);
	CHECK(again.len == 0 || memcmp(again.data, text->data, again.len) == 0);
}

static void check_path(struct span path)
{
	auto_strbuf text = { 0 };

	CHECK(path.len > 0 && path.at[0] == '/');
	if (uri_decode_path(path, &text) < 0) {
		CHECK(text.len == 0);
		return;
	}
	CHECK(text.len > 0 && text.len <= path.len && text.data[0] == '/');
	check_text(&text);
	check_path_round_trip(&text);
}

/* Looks for the first parameter of the query itself, when its name can be written plainly. */
static void check_query(struct span query)
{
	size_t len = 0;
	auto_free char *name = NULL;
	auto_strbuf value = { 0 };
	int r;

	while (len < query.len && !strchr("=&%+", query.at[len]))
		len++;
	name = alloc_mem(query.at, len);
	r = uri_query_get(query, name, &value);
	CHECK(r == 0 || r == -EINVAL || r == -ENOENT);
	CHECK(r == 0 || value.len == 0);
	check_text(&value);
	if (len > 0 && (len == query.len || query.at[len] == '=' || query.at[len] == '&'))
		CHECK(r != -ENOENT || !utf8_valid(name, len));
}

static void check_target(struct span whole)
{
	struct uri_target t;
	const char *path;

	if (uri_split(whole.at, whole.len, &t) < 0)
		return;
	path = t.authority.at ? t.authority.at + t.authority.len : whole.at;
	CHECK(path <= whole.at + whole.len);
	CHECK(t.path.at == path || (t.path.len == 1 && t.authority.at));
	if (t.query.at)
		CHECK(t.query.at[-1] == '?' && t.query.at + t.query.len == whole.at + whole.len);
	if (t.authority.at) {
		struct uri_authority a;

		CHECK(uri_split_authority(t.authority.at, t.authority.len, &a) == 0);
	}
	check_path(t.path);
	if (t.query.at)
		check_query(t.query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { .at = (const char *)data, .len = size };
	auto_strbuf any = { 0 };

	check_target(text);
	check_authority(text);
	if (size > 0 && uri_decode_path(text, &any) == 0)
		check_text(&any);
	strbuf_cut(&any, 0);
	if (size > 0 && uri_query_get(text, "id", &any) == 0)
		check_text(&any);
	return 0;
}
