/* What a page of another origin, which may ask us (hosts.h), is granted by its browser: CORS.
 *
 * Without credentials in the sense of the standard: no cookie means anything here, and a key or token is a header
 * that the page sends itself. The origin is named exactly, never as "*", so that a cache cannot give one page's
 * answer to another.
 *
 * Source: WHATWG Fetch, "HTTP extensions" (CORS protocol). */
#pragma once

#include "supervisor/front/http1.h"

/* A browser asks whether a page may ask: OPTIONS with Origin and Access-Control-Request-Method. */
bool cors_is_preflight(const struct http1_request *req);

/* Appends what such a request is answered with, whatever its path: whoever has no credential yet learns nothing of
 * what there is. `origin` was allowed. */
void cors_add_preflight(struct strbuf *out, const struct http1_request *req, struct span origin);

/* Appends what goes into the head of each answer. */
void cors_add_grants(struct strbuf *out, struct span origin);
