/* What a client wants to be answered with: the header Accept. Pure.
 *
 * Source: RFC 9110 sections 12.4.2 and 12.5.1. A client without Accept takes anything; what is no media
 * range is passed over. */
#pragma once

#include "supervisor/front/http1.h"

/* Whether `type` ("application/json", small letters) is acceptable: by the most exact range that fits,
 * unless its weight is 0. */
bool http_accepts(const struct http1_request *req, const char *type);

/* Whether the client would rather have `type` than `other`: by weight, and where that is the same because it
 * names it more exactly. False where it takes both alike. */
bool http_prefers(const struct http1_request *req, const char *type, const char *other);

/* Whether a Content-Type is `type`, in any case, with any parameters. */
bool http_is_type(struct span content_type, const char *type);
