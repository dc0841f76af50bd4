/* GET /status: the page for people, on the listener of admin.listen.
 *
 * It shows what `mcp-fleetctl status` shows, from the same source (status_make()): /status as HTML, or as JSON
 * for who prefers that; /status.json; /status/events, a stream of events (WHATWG HTML, "Server-sent events")
 * that keeps the page as the fleet is; and the page's own style and script, so that its Content-Security-Policy
 * needs no exception. Who may see it is not decided here. */
#pragma once

#include "supervisor/front/httpd.h"
#include "supervisor/ops/status.h"

struct page;

enum {
	PAGE_ROUTES = 5,
	PAGE_MAX_STREAMS = 64, /* who watches at a time; one more is told 503 */
	PAGE_TICK_MS = 1000,   /* how soon a change is told, and how often at most */
	PAGE_BEAT_MS = 10000,  /* how often at least, as a sign of life */
	PAGE_STALL_MS = 30000, /* a client that has not read an event for so long is dropped */
};

/* Borrows both. */
struct page *page_new(struct loop *loop, const struct status *status);

/* After the listeners whose routes these are: no connection is used any more. */
void page_free(struct page *page);

void page_get_routes(struct page *page, struct http_route ret[PAGE_ROUTES]);
