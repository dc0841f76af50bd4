/* See hosts.h. */
#include "supervisor/front/hosts.h"

#include <arpa/inet.h>

enum {
	PORT_HTTP = 80,
	PORT_HTTPS = 443,
};

static bool is_ipv4(struct span host, struct in_addr *ret)
{
	char text[INET_ADDRSTRLEN];

	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, ret) == 1;
}

static bool is_loopback_host(struct span host)
{
	struct in_addr addr;

	return span_is_nocase(host, "localhost") || span_is(host, "[::1]") ||
	       (is_ipv4(host, &addr) && (ntohl(addr.s_addr) >> 24) == 127);
}

/* No name server has a say in where it leads. */
static bool is_fixed_host(struct span host)
{
	struct in_addr ignored;

	return host.at[0] == '[' || is_ipv4(host, &ignored) || is_loopback_host(host);
}

static bool same_text(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool is_listed_host(const struct conf_strs *rules, const struct uri_authority *host)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct uri_authority rule;

		if (streq(rules->items[i], "*"))
			return true;
		if (uri_split_authority(rules->items[i], strlen(rules->items[i]), &rule) == 0 &&
			same_text(rule.host, host->host) &&
			(rule.port < 0 || rule.port == host->port))
			return true;
	}
	return false;
}

bool hosts_allow(
	const struct conf_http *conf, const struct http1_request *req, enum hosts_reach reach)
{
	bool is_loopback = reach == HOSTS_LOOPBACK;
	const struct conf_strs *rules = &conf->allowed_hosts;
	struct uri_authority host;

	/* Only HTTP/1.0 has none, and no browser speaks that. */
	if (!req->host.at)
		return is_loopback || rules->n == 0;
	if (uri_split_authority(req->host.at, req->host.len, &host) < 0)
		return false;
	if (is_loopback && is_loopback_host(host.host))
		return true;
	return is_listed_host(rules, &host) || (!is_loopback && rules->n == 0);
}

/* "https://host:port", with the port that is meant. */
struct origin {
	struct uri_authority host;
	struct span authority;
	int port;
};

static bool split_origin(struct span text, struct origin *ret)
{
	static const struct {
		const char *text;
		int port;
	} schemes[] = { { "http://", PORT_HTTP }, { "https://", PORT_HTTPS } };

	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		size_t len = strlen(schemes[i].text);

		if (text.len <= len || strncasecmp(text.at, schemes[i].text, len) != 0)
			continue;
		ret->authority = (struct span){ .at = text.at + len, .len = text.len - len };
		if (uri_split_authority(ret->authority.at, ret->authority.len, &ret->host) < 0)
			return false;
		ret->port = ret->host.port < 0 ? schemes[i].port : ret->host.port;
		return true;
	}
	return false;
}

static bool is_listed_origin(
	const struct conf_strs *rules, struct span text, const struct origin *origin)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct span rule = { .at = rules->items[i], .len = strlen(rules->items[i]) };
		struct origin parts;
		size_t scheme_len = strcspn(rule.at, ":") + 1;

		if (span_is(rule, "*"))
			return true;
		if (split_origin(rule, &parts) && scheme_len <= text.len &&
			strncasecmp(rule.at, text.at, scheme_len) == 0 &&
			parts.port == origin->port && same_text(parts.host.host, origin->host.host))
			return true;
	}
	return false;
}

/* The page is of the host that it asks, and that host is ours. */
static bool is_own_origin(const struct conf_http *conf, const struct http1_request *req,
	enum hosts_reach reach, const struct origin *origin)
{
	return req->host.at && same_text(origin->authority, req->host) &&
	       (reach != HOSTS_OPEN || conf->allowed_hosts.n > 0 ||
		       is_fixed_host(origin->host.host));
}

bool hosts_allow_origin(const struct conf_http *conf, const struct http1_request *req,
	enum hosts_reach reach, struct span *ret_origin)
{
	size_t n;
	struct span text = http1_header(req, "origin", &n);
	struct origin origin;

	*ret_origin = (struct span){ 0 };
	if (n == 0)
		return true;
	if (n > 1 || !split_origin(text, &origin))
		return false;
	if (!(reach == HOSTS_LOOPBACK && is_loopback_host(origin.host.host)) &&
		!is_own_origin(conf, req, reach, &origin) &&
		!is_listed_origin(&conf->allowed_origins, text, &origin))
		return false;
	*ret_origin = text;
	return true;
}
