/* See policy.h. */
#include "workers/network/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/address.h"
#include "workers/network/rule.h"

struct rules {
	struct rule *items;
	size_t n;
};

static struct rules allowed;
static struct rules denied;

static int read_rules(
	const struct str_list *texts, const char *key, struct rules *ret, struct fail *fail)
{
	struct failure why;
	char quoted[QUOTE_SIZE];

	ret->items = alloc_zero((texts->n + 1) * sizeof(*ret->items));
	ret->n = texts->n;
	for (size_t i = 0; i < texts->n; i++)
		if (rule_parse(texts->items[i], &ret->items[i], &why) < 0)
			return fail_set(fail, -EINVAL, "%s: rule %s: %s", key,
				quote(quoted, texts->items[i]), why.text);

	return 0;
}

static void free_rules(struct rules *rules)
{
	free(rules->items);
	*rules = (struct rules){ 0 };
}

int policy_start(const struct network_settings *settings, struct fail *fail)
{
	policy_stop();
	if (read_rules(&settings->allow, "allow", &allowed, fail) < 0 ||
		read_rules(&settings->deny, "deny", &denied, fail) < 0) {
		policy_stop();
		return -EINVAL;
	}

	return 0;
}

void policy_stop(void)
{
	free_rules(&allowed);
	free_rules(&denied);
}

static bool have_name(const struct rules *rules, const char *host, int port)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rule_has_name(&rules->items[i], host, port))
			return true;

	return false;
}

static bool have_address(const struct rules *rules, const struct sockaddr *address, int port)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rule_has_address(&rules->items[i], address, port))
			return true;

	return false;
}

const char *policy_address_text(const struct sockaddr *address, char ret[INET6_ADDRSTRLEN])
{
	const char *bytes = (const char *)address;

	bytes += address->sa_family == AF_INET6 ? offsetof(struct sockaddr_in6, sin6_addr)
						: offsetof(struct sockaddr_in, sin_addr);
	if (!inet_ntop(address->sa_family, bytes, ret, INET6_ADDRSTRLEN))
		*ret = '\0';
	return ret;
}

int policy_check_name(const char *host, int port, struct failure *fail)
{
	char quoted[QUOTE_SIZE];

	if (have_name(&denied, host, port))
		return failure_set(fail, "address_refused",
			"%s is denied by the configuration (domains.network.deny).",
			quote(quoted, host));
	if (address_is_local_name(host) && !have_name(&allowed, host, port))
		return failure_set(fail, "address_refused",
			"%s is this machine itself. Only public hosts are connected to, and those "
			"that domains.network.allow names.",
			quote(quoted, host));

	return 0;
}

static int refuse(
	struct failure *fail, const char *host, const struct sockaddr *address, const char *reason)
{
	char text[INET6_ADDRSTRLEN];
	char quoted[QUOTE_SIZE];

	policy_address_text(address, text);
	if (streq(text, host))
		return failure_set(fail, "address_refused", "%s %s", text, reason);

	return failure_set(fail, "address_refused", "%s leads to %s, which %s", quote(quoted, host),
		text, reason);
}

static int check_one(const struct sockaddr *address, const char *host, int port,
	bool host_is_allowed, struct failure *fail)
{
	const char *what = address_refusal(address);
	char reason[256];

	if (have_address(&denied, address, port))
		return refuse(fail, host, address,
			"is denied by the configuration (domains.network.deny).");
	if (!what || host_is_allowed || have_address(&allowed, address, port))
		return 0;

	(void)snprintf(reason, sizeof(reason),
		"is %s. Only public addresses are connected to, and those that "
		"domains.network.allow names.",
		what);
	return refuse(fail, host, address, reason);
}

int policy_check_address(
	const struct sockaddr *address, const char *host, int port, struct failure *fail)
{
	struct sockaddr_in inner[ADDRESS_MAX_INNER];
	size_t n_inner = address_inner(address, inner);
	bool host_is_allowed = have_name(&allowed, host, port);

	if (check_one(address, host, port, host_is_allowed, fail) < 0)
		return -EINVAL;
	for (size_t i = 0; i < n_inner; i++)
		if (check_one((const struct sockaddr *)&inner[i], host, port, host_is_allowed,
			    fail) < 0)
			return -EINVAL;

	return 0;
}
