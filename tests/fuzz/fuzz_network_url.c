/* URLs, hosts and rules on addresses of the network worker. Whatever the spelling: what may be fetched
 * has a plain host that libcurl would connect to as it was judged, and a URL that is the same when it is
 * read again; no literal address passes that is not public. */
#include <arpa/inet.h>

#include "tests/fuzz/fuzz.h"
#include "workers/common/address.h"
#include "workers/network/policy.h"
#include "workers/network/rule.h"
#include "workers/network/url.h"

static void check_host(const char *host)
{
	struct sockaddr_storage address;
	char normal[HOST_MAX + 2];
	char again[HOST_MAX + 2];
	struct failure why = { 0 };

	if (host_normalize(host, normal, &why) < 0) {
		CHECK(why.code && *why.text);
		return;
	}
	CHECK(host_get_address(normal, 0, &address)
			? true
			: host_is_name(normal) && !host_is_number(normal));
	CHECK(host_normalize(normal, again, &why) == 0 && streq(normal, again));
}

/* The host and port that libcurl reads in the URL that it will be given. */
static void check_handle(const struct url *url)
{
	char *host = url_part(url, CURLUPART_HOST, 0);
	char *port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char *user = url_part(url, CURLUPART_USER, 0);
	char *password = url_part(url, CURLUPART_PASSWORD, 0);
	char normal[HOST_MAX + 2];
	struct failure why;

	CHECK(host && port && !user && !password);
	CHECK(host_normalize(host, normal, &why) == 0 && streq(normal, url->host));
	CHECK(strtol(port, NULL, 10) == url->port && url->port > 0 && url->port < 65536);
	curl_free(host);
	curl_free(port);
}

static void check_fetchable(const struct url *url)
{
	struct sockaddr_storage address;
	auto_url again = { 0 };
	struct failure why;

	check_handle(url);
	CHECK(streq(url->scheme, "http") || streq(url->scheme, "https"));
	CHECK(!address_is_local_name(url->host));
	if (host_get_address(url->host, 0, &address))
		CHECK(address_is_public((const struct sockaddr *)&address));
	CHECK(url_parse(url->text, &again, &why) == 0);
	CHECK(url_same_origin(url, &again) && !again.has_user && !again.fragment);
}

static void check_url(const char *text)
{
	auto_url url = { 0 };
	struct failure why = { 0 };

	if (url_parse(text, &url, &why) < 0 || url_check(&url, &why) < 0) {
		CHECK(why.code && *why.text);
		return;
	}
	check_fetchable(&url);
}

static void check_location(const char *text)
{
	auto_url from = { 0 };
	auto_url to = { 0 };
	struct failure why = { 0 };

	CHECK(url_parse("https://example.org/a/b?c", &from, &why) == 0);
	if (url_resolve(&from, text, &to, &why) == 0 && url_check(&to, &why) == 0)
		check_fetchable(&to);
	else
		CHECK(why.code && *why.text);
}

static void check_rule(const char *text)
{
	struct rule rule = { 0 };
	struct failure why = { 0 };

	if (rule_parse(text, &rule, &why) < 0) {
		CHECK(why.code && *why.text);
		return;
	}
	CHECK(rule.port >= 0 && rule.port < 65536);
	CHECK(rule.kind == RULE_ADDRESSES || *rule.name);
	if (rule.kind != RULE_ADDRESSES) {
		CHECK(rule_has_name(&rule, rule.name, rule.port));
		CHECK(host_is_name(rule.name) && !host_is_number(rule.name));
	} else {
		CHECK(rule.prefix >= 0 && rule.prefix <= (rule.family == AF_INET ? 32 : 128));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);

	check_host(text);
	check_url(text);
	check_location(text);
	check_rule(text);
	return 0;
}
