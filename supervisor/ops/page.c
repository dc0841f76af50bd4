/* See page.h: the routes. The streams are in page_live.c. */
#include "supervisor/ops/page.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/front/http_accept.h"
#include "supervisor/ops/page_files.h"
#include "supervisor/ops/page_private.h"

#define JSON_TYPE "application/json"

/* Nothing but what we serve ourselves, no framing, no form: words of a worker that would get past the
 * escaping could still do nothing. */
const char page_headers[] =
	"Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
	"connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"Referrer-Policy: no-referrer\r\n"
	"Cross-Origin-Resource-Policy: same-origin\r\n"
	"Cache-Control: no-store\r\n"
	"Vary: Accept\r\n";

static bool answer(struct http_conn *conn, const char *type, const char *body, size_t len)
{
	const struct http_reply reply = { .status = 200,
		.content_type = type,
		.body = body,
		.body_len = len,
		.extra = page_headers };

	http_conn_answer(conn, &reply);
	return false;
}

static bool on_json(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct page *page = arg;
	json_auto_t *status = status_make(page->status);
	auto_free char *text = json_dumps(status, JSON_INDENT(2));
	auto_free char *body = alloc_printf("%s\n", text ? text : "{}");

	return answer(conn, JSON_TYPE, body, strlen(body));
}

static bool on_page(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct page *page = arg;
	json_auto_t *status = NULL;
	auto_strbuf out = { 0 };
	char as_of[CLOCK_TEXT_SIZE];

	if (http_prefers(ask->request, JSON_TYPE, "text/html"))
		return on_json(arg, conn, ask);
	status = status_make(page->status);
	clock_wall_text(as_of);
	page_render(&out, status, as_of);
	return answer(conn, "text/html; charset=utf-8", out.data, out.len);
}

static bool on_style(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	return answer(conn, "text/css; charset=utf-8", page_css, page_css_len);
}

static bool on_script(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	return answer(conn, "text/javascript; charset=utf-8", page_js, page_js_len);
}

struct page *page_new(struct loop *loop, const struct status *status)
{
	struct page *page = alloc_zero(sizeof(*page));

	page->loop = loop;
	page->status = status;
	page_start_live(page);
	return page;
}

void page_free(struct page *page)
{
	if (!page)
		return;
	page_stop_live(page);
	free(page);
}

void page_get_routes(struct page *page, struct http_route ret[PAGE_ROUTES])
{
	static const struct {
		const char *path;
		bool (*head)(void *arg, struct http_conn *conn, struct http_ask *ask);
	} routes[PAGE_ROUTES] = {
		{ "/status", on_page },
		{ "/status.json", on_json },
		{ "/status.css", on_style },
		{ "/status.js", on_script },
		{ "/status/events", page_on_events },
	};

	for (size_t i = 0; i < PAGE_ROUTES; i++)
		ret[i] = (struct http_route){ .path = routes[i].path,
			.zone = GUARD_ZONE_ADMIN,
			.methods = HTTPD_GET,
			.head = routes[i].head,
			.arg = page };
}
