/* See resolve.h. */
#include "workers/network/resolve.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/quote.h"
#include "workers/network/policy.h"
#include "workers/network/rule.h"

enum {
	DNS_PORT = 53,
	TRY_MS = 2000, /* for the first try of a server; later ones wait longer */
	TRIES = 3,
	EDNS_BYTES = 1232, /* fits every path without fragments */
	LOOK_MS = 50,
};

static struct ares_addr_port_node *servers; /* an array, and a list in it; NULL: the system's */

struct lookup {
	ares_channel channel;
	char host[HOST_MAX + 2];
	int port;
	int64_t deadline_ms;
	bool done;
	int status; /* of c-ares */
	struct ares_addrinfo *info;
	struct sockaddr_storage literal;
	bool is_literal;
	struct failure failure; /* .code NULL: none */
};

static int read_server(const char *text, struct ares_addr_port_node *ret, struct fail *fail)
{
	struct failure why = { 0 };
	struct rule rule = { 0 };
	char quoted[QUOTE_SIZE];

	if (rule_parse(text, &rule, &why) < 0 || !rule_is_one_address(&rule))
		return fail_set(fail, -EINVAL,
			"dns_servers: %s is not an address, perhaps with a port (192.0.2.1:53, "
			"[2001:db8::1]:53)",
			quote(quoted, text));

	ret->family = rule.family;
	memcpy(&ret->addr, rule.bytes, sizeof(ret->addr));
	ret->udp_port = ret->tcp_port = rule.port ? rule.port : DNS_PORT;
	return 0;
}

int resolve_start(const struct network_settings *settings, struct fail *fail)
{
	const struct str_list *texts = &settings->dns_servers;

	resolve_stop();
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return fail_set(fail, -EINVAL, "the resolver cannot be used");
	if (texts->n == 0)
		return 0;

	servers = alloc_zero(texts->n * sizeof(*servers));
	for (size_t i = 0; i < texts->n; i++) {
		if (read_server(texts->items[i], &servers[i], fail) < 0) {
			resolve_stop();
			return -EINVAL;
		}
		if (i > 0)
			servers[i - 1].next = &servers[i];
	}

	return 0;
}

void resolve_stop(void)
{
	free(servers);
	servers = NULL;
}

int resolve_channel(int more_flags, ares_channel *ret, struct failure *fail)
{
	char lookups[] = "fb"; /* the hosts file, then name servers */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS | more_flags,
		.timeout = TRY_MS,
		.tries = TRIES,
		.ednspsz = EDNS_BYTES,
		.lookups = lookups,
	};
	ares_channel channel = NULL;
	int status = ares_init_options(&channel, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
			ARES_OPT_LOOKUPS);

	if (status == ARES_SUCCESS && servers)
		status = ares_set_servers_ports(channel, servers);
	if (status != ARES_SUCCESS) {
		if (channel)
			ares_destroy(channel);
		return failure_set(fail, "dns_failed", "the resolver cannot be started: %s.",
			ares_strerror(status));
	}

	*ret = channel;
	return 0;
}

static size_t get_fds(ares_channel channel, struct pollfd ret[LOOKUP_MAX_FDS])
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	/* As ARES_GETSOCK_READABLE() and _WRITABLE(), which shift into the sign. */
	unsigned bits = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
	size_t n = 0;

	for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = 0;

		if (bits >> i & 1)
			events |= POLLIN;
		if (bits >> (i + ARES_GETSOCK_MAXNUM) & 1)
			events |= POLLOUT;
		if (events)
			ret[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
	}

	return n;
}

/* Reads and writes what is ready after at most `wait_ms`, and does what is due. */
static void let_work(ares_channel channel, int wait_ms)
{
	struct pollfd fds[LOOKUP_MAX_FDS];
	size_t n = get_fds(channel, fds);

	if (poll(fds, n, wait_ms) <= 0) {
		ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!fds[i].revents)
			continue;
		ares_process_fd(channel, fds[i].events & POLLIN ? fds[i].fd : ARES_SOCKET_BAD,
			fds[i].events & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
	}
}

static int next_wait_ms(ares_channel channel, int max_ms)
{
	struct timeval max = { .tv_sec = max_ms / 1000, .tv_usec = max_ms % 1000 * 1000L };
	struct timeval next = { 0 };
	const struct timeval *wait = ares_timeout(channel, &max, &next);

	return wait ? (int)(wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000) : max_ms;
}

int resolve_wait(struct call *call, ares_channel channel, const bool *done, int64_t deadline_ms)
{
	while (!*done) {
		int64_t left = deadline_ms - clock_now_ms();

		if (call_stopped(call))
			return -ECANCELED;
		if (left <= 0)
			return -ETIMEDOUT;
		let_work(channel, next_wait_ms(channel, left < LOOK_MS ? (int)left : LOOK_MS));
	}

	return 0;
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *lookup = arg;

	(void)timeouts;
	lookup->done = true;
	lookup->status = status;
	lookup->info = info;
}

static void begin(struct lookup *lookup)
{
	static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };

	if (host_get_address(lookup->host, lookup->port, &lookup->literal)) {
		lookup->is_literal = true;
		lookup->done = true;
		return;
	}
	if (policy_check_name(lookup->host, lookup->port, &lookup->failure) < 0 ||
		resolve_channel(0, &lookup->channel, &lookup->failure) < 0) {
		lookup->done = true;
		return;
	}
	ares_getaddrinfo(lookup->channel, lookup->host, NULL, &hints, on_addresses, lookup);
}

struct lookup *lookup_new(const char *host, int port, int64_t timeout_ms)
{
	struct lookup *lookup = alloc_zero(sizeof(*lookup));

	assert(strlen(host) < sizeof(lookup->host));
	memcpy(lookup->host, host, strlen(host) + 1);
	lookup->port = port;
	lookup->deadline_ms = clock_now_ms() + timeout_ms;
	begin(lookup);
	return lookup;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;

	/* First: it calls back what is still under way. */
	if (lookup->channel)
		ares_destroy(lookup->channel);
	if (lookup->info)
		ares_freeaddrinfo(lookup->info);
	free(lookup);
}

bool lookup_step(struct lookup *lookup)
{
	if (!lookup->done)
		let_work(lookup->channel, 0);
	if (!lookup->done && clock_now_ms() >= lookup->deadline_ms) {
		(void)failure_set(&lookup->failure, "timeout",
			"the name servers did not answer for %s in time. Try again, or with a "
			"longer timeout_seconds.",
			lookup->host);
		ares_cancel(lookup->channel);
	}

	return lookup->done;
}

size_t lookup_poll_fds(struct lookup *lookup, struct pollfd ret[LOOKUP_MAX_FDS], int *max_wait_ms)
{
	int64_t left = lookup->deadline_ms - clock_now_ms();

	if (lookup->done) {
		*max_wait_ms = 0;
		return 0;
	}
	if (left < *max_wait_ms)
		*max_wait_ms = left > 0 ? (int)left : 0;
	*max_wait_ms = next_wait_ms(lookup->channel, *max_wait_ms);
	return get_fds(lookup->channel, ret);
}

static int not_found(const struct lookup *lookup, struct failure *fail)
{
	const char *why = ares_strerror(lookup->status);

	if (lookup->status == ARES_ENOTFOUND)
		why = "there is no such name";
	else if (lookup->status == ARES_ENODATA)
		why = "the name has no address";
	else if (lookup->status == ARES_ETIMEOUT)
		why = "the name servers do not answer";
	else if (lookup->status == ARES_ECONNREFUSED)
		why = "no name server can be reached";
	return failure_set(fail, "dns_failed", "%s: %s.", lookup->host, why);
}

static int judge(const struct lookup *lookup, struct failure *fail)
{
	for (const struct ares_addrinfo_cname *at = lookup->info->cnames; at; at = at->next)
		if (at->name && policy_check_name(at->name, lookup->port, fail) < 0)
			return -EINVAL;
	for (const struct ares_addrinfo_node *at = lookup->info->nodes; at; at = at->ai_next)
		if (policy_check_address(at->ai_addr, lookup->host, lookup->port, fail) < 0)
			return -EINVAL;

	return 0;
}

static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
	"the port of both kinds is at the same place");

static void set_port(struct sockaddr_storage *address, int port)
{
	in_port_t net_port = htons((uint16_t)port);

	memcpy((char *)address + offsetof(struct sockaddr_in, sin_port), &net_port,
		sizeof(net_port));
}

static void take_addresses(const struct lookup *lookup, struct resolved *ret)
{
	for (const struct ares_addrinfo_node *at = lookup->info->nodes; at; at = at->ai_next) {
		struct sockaddr_storage *to = &ret->addresses[ret->n];

		if (ret->n == RESOLVED_MAX || (size_t)at->ai_addrlen > sizeof(*to))
			continue;
		memcpy(to, at->ai_addr, at->ai_addrlen);
		set_port(to, lookup->port);
		ret->n++;
	}
}

int lookup_finish(const struct lookup *lookup, struct resolved *ret, struct failure *fail)
{
	assert(lookup->done);
	*ret = (struct resolved){ .port = lookup->port };
	memcpy(ret->host, lookup->host, sizeof(ret->host));
	if (lookup->failure.code) {
		*fail = lookup->failure;
		return -EINVAL;
	}
	if (lookup->is_literal) {
		ret->addresses[ret->n++] = lookup->literal;
		return policy_check_address((const struct sockaddr *)&lookup->literal, lookup->host,
			lookup->port, fail);
	}
	if (lookup->status != ARES_SUCCESS)
		return not_found(lookup, fail);
	if (judge(lookup, fail) < 0)
		return -EINVAL;

	take_addresses(lookup, ret);
	if (ret->n == 0)
		return failure_set(
			fail, "dns_failed", "%s: the name has no address.", lookup->host);

	return 0;
}

int resolve_host(struct call *call, const char *host, int port, int64_t timeout_ms,
	struct resolved *ret, struct failure *fail)
{
	auto_(lookup_freep) struct lookup *lookup = NULL;
	char normal[HOST_MAX + 2];

	if (host_normalize(host, normal, fail) < 0)
		return -EINVAL;

	lookup = lookup_new(normal, port, timeout_ms);
	while (!lookup_step(lookup)) {
		int wait_ms = LOOK_MS;
		struct pollfd fds[LOOKUP_MAX_FDS];
		size_t n = lookup_poll_fds(lookup, fds, &wait_ms);

		if (call_stopped(call))
			return -ECANCELED;
		(void)poll(fds, n, wait_ms);
	}

	return lookup_finish(lookup, ret, fail);
}
