/* See page.h. HTML goes through libxml2's parser as events, without a tree.
 *
 * libxml2 needs time that grows with the square of some inputs (attributes of one tag before 2.14, end
 * tags below many open elements). It asks for its input in small pieces, also in the middle of a tag,
 * so that is where the clock is looked at: when the time is over it is told that the input ends there,
 * and what was not read is added without tags.
 *
 * Source: libxml2's HTMLparser.h and SAX interface, 2.9 to 2.14. */
#include "workers/network/page.h"

#include <errno.h>
#include <libxml/HTMLparser.h>
#include <strings.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "workers/network/charset.h"
#include "workers/network/markdown.h"

enum {
	PIECE_BYTES = 512, /* that the parser gets at a time */
	MAX_CPU_MS = 2000, /* for one page */
	MAX_OPEN_ELEMENTS = 100000,
	BUDGET_FACTOR = 2, /* output that may be more than plain text, by the input */
};

static const char plain_note[] =
	"[From here on without formatting: the HTML of this page is too deeply nested or too slow to read.]";

struct reading {
	struct call *call;
	struct markdown *md;
	const char *html;
	size_t len;
	size_t at; /* the parser has had all before */
	size_t n_open;
	int64_t end_cpu_ms;
	bool is_over; /* it gets no more */
};

void page_done(struct page *page)
{
	free(TAKE(page->title));
	strbuf_done(&page->text);
}

int page_decode(const char *content_type, const void *body, size_t len, struct strbuf *utf8,
	char ret_charset[PAGE_CHARSET_SIZE])
{
	size_t skip = 0;
	const char *bytes = body;
	const struct charset *charset = charset_detect(content_type, bytes, len, &skip);

	if (!charset_convert(charset, bytes + skip, len - skip, utf8)) {
		charset = charset_find("windows-1252", strlen("windows-1252"));
		skip = 0;
		if (!charset_convert(charset, bytes, len, utf8))
			return -ENOTSUP;
	}
	(void)snprintf(ret_charset, PAGE_CHARSET_SIZE, "%s", charset->name);
	return 0;
}

static int64_t get_cpu_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Gives the parser its next bytes; none when it shall end. */
static int on_read(void *arg, char *buffer, int size)
{
	struct reading *reading = arg;
	size_t n = reading->len - reading->at;

	if (call_stopped(reading->call) || get_cpu_ms() > reading->end_cpu_ms ||
		reading->n_open > MAX_OPEN_ELEMENTS)
		reading->is_over = true;
	if (reading->is_over || size <= 0)
		return 0;

	n = n < PIECE_BYTES ? n : PIECE_BYTES;
	n = n < (size_t)size ? n : (size_t)size;
	memcpy(buffer, reading->html + reading->at, n);
	reading->at += n;
	return (int)n;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attributes)
{
	struct reading *reading = arg;

	reading->n_open++;
	markdown_start(reading->md, (const char *)name, (const char *const *)attributes);
}

static void on_end(void *arg, const xmlChar *name)
{
	struct reading *reading = arg;

	reading->n_open -= reading->n_open > 0;
	markdown_end(reading->md, (const char *)name);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
	struct reading *reading = arg;

	if (len > 0)
		markdown_text(reading->md, (const char *)text, (size_t)len);
}

static int parse(struct reading *reading)
{
	static const htmlSAXHandler handler = {
		.startElement = on_start,
		.endElement = on_end,
		.characters = on_text,
		.ignorableWhitespace = on_text,
		.cdataBlock = on_text,
	};
	const int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
			    HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_COMPACT;
	htmlParserCtxtPtr parser = htmlNewParserCtxt();
	htmlDocPtr document;

	if (!parser)
		return -ENOMEM;

	*parser->sax = handler;
	parser->userData = reading;
	document = htmlCtxtReadIO(parser, on_read, NULL, reading, NULL, "UTF-8", options);
	xmlFreeDoc(document);
	parser->myDoc = NULL;
	htmlFreeParserCtxt(parser);
	return 0;
}

/* Past "<…>", and past the content where that is for programs. */
static const char *skip_tag(const char *at, const char *end)
{
	static const char *const programs[] = { "script", "style" };
	const char *stop;

	for (size_t i = 0; i < N_ELEMENTS(programs); i++) {
		size_t len = strlen(programs[i]);

		if ((size_t)(end - at) <= len || strncasecmp(at + 1, programs[i], len) != 0)
			continue;
		for (at++; at < end; at = stop + 1) {
			stop = memchr(at, '<', (size_t)(end - at));
			if (!stop)
				return end;
			if ((size_t)(end - stop) > len + 1 && stop[1] == '/' &&
				strncasecmp(stop + 2, programs[i], len) == 0) {
				at = stop;
				break;
			}
		}
	}
	stop = at < end ? memchr(at, '>', (size_t)(end - at)) : NULL;
	return stop ? stop + 1 : end;
}

/* What the parser has not read, from the next tag on, without tags. */
static void add_rest(struct reading *reading)
{
	const char *end = reading->html + reading->len;
	const char *at = reading->html + reading->at;

	markdown_note(reading->md, plain_note);
	at = memchr(at, '<', (size_t)(end - at));
	while (at && at < end) {
		const char *tag = memchr(at, '<', (size_t)(end - at));

		markdown_text(reading->md, at, (size_t)((tag ? tag : end) - at));
		markdown_text(reading->md, " ", 1);
		if (!tag)
			return;
		at = skip_tag(tag, end);
	}
}

int page_convert(struct call *call, const char *html, size_t len, const char *base_url,
	enum page_format format, struct page *ret, struct failure *fail)
{
	auto_(href_freep) struct href *href = href_new(base_url);
	auto_(markdown_freep) struct markdown *md =
		markdown_new(href, format == PAGE_TEXT, BUDGET_FACTOR * len + 64 * KIB);
	struct reading reading = {
		.call = call,
		.md = md,
		.html = html,
		.len = len,
		.end_cpu_ms = get_cpu_ms() + MAX_CPU_MS,
	};

	if (parse(&reading) < 0)
		return failure_set(fail, "too_large", "no memory to read the page");
	if (call_stopped(call))
		return -ECANCELED;
	/* Newer parsers give up by themselves on a single piece of more than 10 MB. */
	if (reading.is_over || reading.at < len)
		add_rest(&reading);

	markdown_finish(md, &ret->text, &ret->title);
	return 0;
}
