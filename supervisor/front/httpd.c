/* See httpd.h. */
#include "supervisor/front/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

enum {
	ACCEPTS_PER_TURN = 64,
	PAUSE_MS = 200, /* without descriptors: wait, do not spin */
};

struct listener {
	TAILQ_ENTRY(listener) next;
	struct httpd *httpd;
	struct event *acceptable;
	char *address; /* as it was asked for; NULL: adopted */
	int fd;
	struct http_door door;
	bool keep; /* marks while the set is compared */
	bool will_have_tls;
};

/* Connections point to the domain of their listener, which may be closed before them. */
struct domain_name {
	struct domain_name *next;
	char name[];
};

struct httpd {
	struct loop *loop;
	struct http_shared shared;
	const struct http_route *routes;
	bool (*is_domain)(void *arg, const char *name);
	void *arg;
	TAILQ_HEAD(, listener) listeners;
	struct timer *pause_timer;
	struct domain_name *domain_names;
	struct log_limit accept_log;
};

/* --- listeners --------------------------------------------------------------------------------- */

static bool is_loopback_address(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	}
	if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
	return addr->ss_family == AF_UNIX;
}

static void pause_accepting(struct httpd *httpd, int err)
{
	struct listener *listener;

	if (log_limit_ok(&httpd->accept_log, 3, "accepting connections"))
		log_warn("cannot accept a connection (%s), pausing for %d ms", strerror(err),
			PAUSE_MS);
	TAILQ_FOREACH(listener, &httpd->listeners, next)
		(void)event_del(listener->acceptable);
	timer_start(httpd->pause_timer, PAUSE_MS);
}

static void on_pause_over(void *arg)
{
	struct httpd *httpd = arg;
	struct listener *listener;

	TAILQ_FOREACH(listener, &httpd->listeners, next)
		(void)event_add(listener->acceptable, NULL);
}

static void accept_some(struct listener *listener, int most)
{
	struct httpd *httpd = listener->httpd;

	for (int i = 0; i < most; i++) {
		struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(addr);
		int conn = accept4(
			listener->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct client_addr peer;

		if (conn < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (conn < 0 && errno == EAGAIN)
			return;
		if (conn < 0) {
			pause_accepting(httpd, errno);
			return;
		}
		peer = client_addr_of(&addr);
		http_conn_new(&httpd->shared, conn, &peer, &listener->door);
	}
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	accept_some(arg, ACCEPTS_PER_TURN);
}

static void listener_free(struct listener *listener)
{
	ev_free(listener->acceptable);
	(void)fd_close(listener->fd);
	free(listener->address);
	free(listener);
}

static const char *keep_name(struct httpd *httpd, const char *name)
{
	struct domain_name *kept;

	if (!name)
		return NULL;
	for (kept = httpd->domain_names; kept; kept = kept->next)
		if (streq(kept->name, name))
			return kept->name;
	kept = alloc_zero(sizeof(*kept) + strlen(name) + 1);
	memcpy(kept->name, name, strlen(name) + 1);
	kept->next = httpd->domain_names;
	httpd->domain_names = kept;
	return kept->name;
}

static struct listener *listener_new(
	struct httpd *httpd, int fd, const char *address, const char *domain, bool has_tls)
{
	struct listener *listener = alloc_zero(sizeof(*listener));
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);

	(void)getsockname(fd, (struct sockaddr *)&addr, &len);
	listener->httpd = httpd;
	listener->fd = fd;
	listener->address = alloc_str(address);
	listener->door = (struct http_door){ .domain = keep_name(httpd, domain),
		.is_loopback = is_loopback_address(&addr),
		.has_tls = has_tls };
	listener->acceptable =
		loop_watch(httpd->loop, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
	return listener;
}

/* Within one machine there is no congestion to control. Where the system's default is a model that
 * paces its sending (BBR), each small event would cost a timer. */
static void calm_loopback(int fd, const struct sockaddr_storage *addr)
{
	static const char plain[] = "reno";

	if (is_loopback_address(addr))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain, sizeof(plain) - 1);
}

static int open_socket(const struct conf_listener *conf)
{
	auto_close int fd =
		socket(conf->sockaddr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (conf->sockaddr.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* Connections inherit it: answers and events are small and must not wait for each other. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	calm_loopback(fd, &conf->sockaddr);
	if (bind(fd, (const struct sockaddr *)&conf->sockaddr, conf->sockaddr_len) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static bool same_domain(const char *a, const char *b)
{
	return a && b ? streq(a, b) : !a == !b;
}

static struct listener *find_listener(const struct httpd *httpd, const struct conf_listener *conf)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &httpd->listeners, next)
		if (listener->address && streq(listener->address, conf->address) &&
			same_domain(listener->door.domain, conf->domain))
			return listener;
	return NULL;
}

/* The new set holds. */
static void drop_unkept(struct httpd *httpd)
{
	struct listener *listener;
	struct listener *after;

	for (listener = TAILQ_FIRST(&httpd->listeners); listener; listener = after) {
		after = TAILQ_NEXT(listener, next);
		if (listener->keep || !listener->address) {
			listener->door.has_tls = listener->will_have_tls;
			continue;
		}
		TAILQ_REMOVE(&httpd->listeners, listener, next);
		listener_free(listener);
	}
}

TAILQ_HEAD(listener_list, listener);

static int open_missing(struct httpd *httpd, const struct conf_listener *confs, size_t n,
	struct listener_list *fresh, struct fail *fail)
{
	for (size_t i = 0; i < n; i++) {
		struct listener *listener = find_listener(httpd, &confs[i]);
		int fd;

		if (listener) {
			listener->keep = true;
			listener->will_have_tls = confs[i].tls;
			continue;
		}
		fd = open_socket(&confs[i]);
		if (fd < 0)
			return fail_set(fail, fd, "cannot listen on %s: %s%s", confs[i].address,
				strerror(-fd),
				fd == -EADDRINUSE
					? "; another program uses it: end that, or listen elsewhere "
					  "(--listen, or `listen` in the settings)"
					: "");
		listener = listener_new(httpd, fd, confs[i].address, confs[i].domain, confs[i].tls);
		listener->keep = true;
		TAILQ_INSERT_TAIL(fresh, listener, next);
	}
	return 0;
}

int httpd_listen(
	struct httpd *httpd, const struct conf_listener *confs, size_t n, struct fail *fail)
{
	struct listener_list fresh = TAILQ_HEAD_INITIALIZER(fresh);
	struct listener *listener;
	int r;

	TAILQ_FOREACH(listener, &httpd->listeners, next) {
		listener->keep = false;
		listener->will_have_tls = listener->door.has_tls;
	}
	r = open_missing(httpd, confs, n, &fresh, fail);
	if (r == 0)
		drop_unkept(httpd);
	while ((listener = TAILQ_FIRST(&fresh))) {
		TAILQ_REMOVE(&fresh, listener, next);
		if (r < 0) {
			listener_free(listener);
			continue;
		}
		TAILQ_INSERT_TAIL(&httpd->listeners, listener, next);
		(void)event_add(listener->acceptable, NULL);
	}
	return r;
}

void httpd_adopt(struct httpd *httpd, int fd, const char *domain, bool has_tls)
{
	struct listener *listener = listener_new(httpd, fd, NULL, domain, has_tls);
	int on = 1;

	(void)fd_set_nonblock(fd, true);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	TAILQ_INSERT_TAIL(&httpd->listeners, listener, next);
	(void)event_add(listener->acceptable, NULL);
}

static void drop_listeners(struct httpd *httpd)
{
	struct listener *listener;

	while ((listener = TAILQ_FIRST(&httpd->listeners))) {
		TAILQ_REMOVE(&httpd->listeners, listener, next);
		listener_free(listener);
	}
	timer_stop(httpd->pause_timer);
}

/* Lets nobody begin any more (SYN, RFC 9293 section 3.1); who has begun may finish, and is taken in. Closing the socket at
 * once would reset who was connected in the instant before. Who begins now is not answered, tries again within a second or
 * so, and finds the next one, or nobody. */
static void mute(struct listener *listener)
{
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct tcphdr, th_flags)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { .len = N_ELEMENTS(drop_syn), .filter = drop_syn };

	if (setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		log_debug("SO_ATTACH_FILTER of %s: %m", listener->address);
}

void httpd_stop_listening(struct httpd *httpd)
{
	struct listener *listener;
	struct listener *after;

	for (listener = TAILQ_FIRST(&httpd->listeners); listener; listener = after) {
		after = TAILQ_NEXT(listener, next);
		if (listener->address) {
			mute(listener);
			continue;
		}
		TAILQ_REMOVE(&httpd->listeners, listener, next);
		listener_free(listener);
	}
}

void httpd_end_listening(struct httpd *httpd)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &httpd->listeners, next)
		accept_some(listener, SOMAXCONN);
	drop_listeners(httpd);
}

static void add_address(struct strbuf *out, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	} addr = { 0 };
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN] = "?";

	if (getsockname(fd, &addr.any, &len) < 0)
		return;
	if (addr.any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &addr.in.sin_addr, text, sizeof(text));
		strbuf_addf(out, "%s:%d", text, ntohs(addr.in.sin_port));
	} else if (addr.any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &addr.in6.sin6_addr, text, sizeof(text));
		strbuf_addf(out, "[%s]:%d", text, ntohs(addr.in6.sin6_port));
	} else {
		strbuf_adds(out, "a local socket");
	}
}

void httpd_add_addresses(const struct httpd *httpd, struct strbuf *out)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &httpd->listeners, next) {
		if (listener != TAILQ_FIRST(&httpd->listeners))
			strbuf_adds(out, ", ");
		if (listener->door.has_tls)
			strbuf_adds(out, "https://");
		add_address(out, listener->fd);
	}
}

/* "127.0.0.1:8000" or "[::1]:8000"; nobody connects to the wildcard address: it stands for this machine. */
static bool get_authority(int fd, struct strbuf *ret)
{
	static const struct {
		const char *wildcard;
		const char *own;
	} hosts[] = { { "0.0.0.0:", "127.0.0.1:" }, { "[::]:", "[::1]:" } };
	auto_strbuf text = { 0 };

	add_address(&text, fd);
	for (size_t i = 0; i < N_ELEMENTS(hosts); i++) {
		size_t len = strlen(hosts[i].wildcard);

		if (strncmp(strbuf_get(&text), hosts[i].wildcard, len) != 0)
			continue;
		strbuf_addf(ret, "%s%s", hosts[i].own, text.data + len);
		return true;
	}
	strbuf_adds(ret, strbuf_get(&text));
	return ret->len > 0 && strchr(ret->data, ':');
}

void httpd_add_url(const struct httpd *httpd, struct strbuf *out)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &httpd->listeners, next) {
		auto_strbuf authority = { 0 };

		if (listener->door.domain || !get_authority(listener->fd, &authority))
			continue;
		strbuf_addf(
			out, "%s://%s", listener->door.has_tls ? "https" : "http", authority.data);
		return;
	}
}

/* --- routes ------------------------------------------------------------------------------------ */

static bool is_domain(const struct httpd *httpd, const char *name, size_t len)
{
	auto_free char *copy = alloc_mem(name, len);

	return httpd->is_domain(httpd->arg, copy);
}

static bool is_at(const struct http_route *route, const char *path)
{
	size_t len = strlen(route->path);

	return strncmp(route->path, path, len) == 0 &&
	       (path[len] == '\0' || (route->is_prefix && path[len] == '/'));
}

const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix, bool *ret_is_domain)
{
	const struct http_route *route;
	size_t prefix = 1 + strcspn(path + 1, "/"); /* the length of "/name" */

	*ret_prefix = 0;
	*ret_is_domain = false;
	for (route = httpd->routes; route->path; route++)
		if (is_at(route, path))
			return route;
	for (route = httpd->routes; route->path; route++) {
		if (!route->per_domain || !streq(route->path, path + prefix))
			continue;
		*ret_prefix = prefix;
		*ret_is_domain = is_domain(httpd, path + 1, prefix - 1);
		return route;
	}
	return NULL;
}

/* --- public ------------------------------------------------------------------------------------ */

struct httpd *httpd_new(const struct httpd_parts *parts, const struct conf_limits *limits)
{
	struct httpd *httpd = alloc_zero(sizeof(*httpd));

	httpd->loop = parts->loop;
	httpd->routes = parts->routes;
	httpd->is_domain = parts->is_domain;
	httpd->arg = parts->arg;
	TAILQ_INIT(&httpd->listeners);
	httpd->pause_timer = timer_new(parts->loop, on_pause_over, httpd);
	http_shared_init(&httpd->shared, parts->loop, httpd, parts->guard);
	httpd->shared.is_public = parts->is_public;
	httpd_set_limits(httpd, limits);
	return httpd;
}

void httpd_free(struct httpd *httpd)
{
	struct domain_name *name;

	if (!httpd)
		return;
	drop_listeners(httpd);
	http_shared_done(&httpd->shared);
	timer_free(httpd->pause_timer);
	while ((name = httpd->domain_names)) {
		httpd->domain_names = name->next;
		free(name);
	}
	free(httpd);
}

void httpd_set_limits(struct httpd *httpd, const struct conf_limits *limits)
{
	http_shared_set_limits(&httpd->shared, limits);
}

void httpd_set_tls(struct httpd *httpd, struct tls *tls)
{
	http_shared_set_tls(&httpd->shared, tls);
}

void httpd_set_trusted(struct httpd *httpd, char *const *blocks, size_t n)
{
	http_shared_set_trusted(&httpd->shared, blocks, n);
}

void httpd_close_idle(struct httpd *httpd)
{
	http_shared_close_idle(&httpd->shared);
}

bool httpd_is_awaiting(const struct httpd *httpd)
{
	return http_shared_is_awaiting(&httpd->shared);
}

bool httpd_is_writing(const struct httpd *httpd)
{
	return http_shared_is_writing(&httpd->shared);
}
