/* See guard.h. */
#include "supervisor/front/guard.h"

#include <arpa/inet.h>
#include <strings.h>

static bool is_loopback_host(struct span host)
{
	char text[16];
	struct in_addr addr;

	if (host.len == 9 && strncasecmp(host.at, "localhost", 9) == 0)
		return true;
	if (host.len == 5 && memcmp(host.at, "[::1]", 5) == 0)
		return true;
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, &addr) == 1 && (ntohl(addr.s_addr) >> 24) == 127;
}

/* "http://host:port": the part behind the scheme. */
static bool split_origin(struct span origin, struct span *ret_authority)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (origin.len > len && strncasecmp(origin.at, schemes[i], len) == 0) {
			*ret_authority =
				(struct span){ .at = origin.at + len, .len = origin.len - len };
			return true;
		}
	}
	return false;
}

static bool same_text(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool is_origin_ok(struct span origin, struct span host, bool is_loopback)
{
	struct uri_authority parts;
	struct span authority;

	if (!split_origin(origin, &authority) ||
		uri_split_authority(authority.at, authority.len, &parts) < 0)
		return false;
	return is_loopback ? is_loopback_host(parts.host) : same_text(authority, host);
}

int guard_check(const struct http1_request *req, bool is_loopback, const char **ret_why)
{
	struct uri_authority host;
	size_t n_origins;
	struct span origin = http1_header(req, "origin", &n_origins);

	*ret_why = "this Host is not served here: use 127.0.0.1 or localhost";
	if (is_loopback && req->host.at &&
		(uri_split_authority(req->host.at, req->host.len, &host) < 0 ||
			!is_loopback_host(host.host)))
		return 421;
	*ret_why = "requests from this Origin are refused";
	if (n_origins > 1 || (n_origins == 1 && !is_origin_ok(origin, req->host, is_loopback)))
		return 403;
	return 0;
}
