/* Where the daemon listens: for HTTP, at the local socket, at the control socket; by itself, or with sockets of
 * the service manager. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "supervisor/conf_value.h"
#include "supervisor/main_private.h"

/* Sockets that nobody asked for, in a folder that nobody made, are done without when they cannot be had:
 * another daemon was started by hand before. */
static int excuse(const struct conf *conf, const char *path, const char *setting, int r,
	const struct fail *fail)
{
	if (r == 0 || !conf->owns_runtime_dir || !streq(setting, "auto"))
		return r;
	log_notice("no socket at '%s': %s", path, fail->text);
	return 0;
}

/* All of it or nothing: the local socket is made ready first, and used last. */
int main_listen_anew(struct daemon *d, const struct conf *conf, struct fail *fail)
{
	int r = local_prepare(d->local, conf->local_socket, conf->local.group, fail);

	r = excuse(conf, conf->local_socket, conf->local.path, r, fail);
	if (r == 0 && d->httpd && !d->has_passed_sockets)
		r = httpd_listen(d->httpd, conf->listeners, conf->n_listeners, fail);
	if (r == 0)
		local_commit(d->local);
	else
		local_abandon(d->local);
	return r;
}

/* tls.passed, for one socket. */
static int choose_tls(const struct conf *conf, const struct sockaddr_storage *addr,
	const char *name, bool *ret, struct fail *fail)
{
	bool is_near = addr->ss_family == AF_UNIX || conf_is_loopback(addr);
	bool has_cert = *conf->tls.cert_file;

	if (conf->tls.passed == CONF_SWITCH_ON && !has_cert)
		return fail_set(fail, -EINVAL,
			"the passed socket '%s' is to be served with TLS (tls.passed): set tls.cert_file",
			name);
	if (conf->tls.passed == CONF_SWITCH_AUTO && !is_near && !has_cert)
		return fail_set(fail, -EACCES,
			"the passed socket '%s' is not on loopback, and keys and answers would go there "
			"without TLS: set tls.cert_file, or tls.passed: off if the way there is safe",
			name);
	*ret = conf->tls.passed == CONF_SWITCH_ON ||
	       (conf->tls.passed == CONF_SWITCH_AUTO && !is_near);
	return 0;
}

/* Promise 7 holds for a socket that was passed in as for one of ours. */
static int adopt(struct daemon *d, struct notify_socket *passed, struct fail *fail)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	bool names_domain = conf_find_domain(d->conf, passed->name) != NULL;
	bool has_tls = false;
	int r;

	if (getsockname(passed->fd, (struct sockaddr *)&addr, &len) < 0)
		return fail_set(fail, -errno, "cannot tell the address of a passed socket");
	if (!conf_may_listen_on(d->conf, &addr))
		return fail_set(fail, -EACCES,
			"the passed socket '%s' is not on loopback, and nothing asks its clients who they "
			"are: make a key (mcp-fleetctl key add), or write 'auth: none' into the settings if "
			"everybody who reaches it may use the tools",
			passed->name);
	if (addr.ss_family == AF_UNIX && streq(passed->name, "local")) {
		local_adopt(d->local, TAKE_FD(passed->fd));
		return 0;
	}
	r = choose_tls(d->conf, &addr, passed->name, &has_tls, fail);
	if (r < 0)
		return r;
	d->has_passed_sockets = true;
	httpd_adopt(d->httpd, TAKE_FD(passed->fd), names_domain ? passed->name : NULL, has_tls);
	return 0;
}

/* Sockets of the service manager take the place of the configured ones: for HTTP, and, where it is a
 * Unix socket with the name "local", of local.path. */
int main_open_listeners(struct daemon *d, struct fail *fail)
{
	struct notify_sockets sockets = { 0 };
	int r = notify_take_sockets(&sockets, fail);

	for (size_t i = 0; r == 0 && i < sockets.n; i++)
		r = adopt(d, &sockets.items[i], fail);
	if (r == 0 && !d->has_passed_sockets)
		r = httpd_listen(d->httpd, d->conf->listeners, d->conf->n_listeners, fail);
	notify_sockets_done(&sockets);
	return r;
}

/* The folder for sockets with path `auto`, when it is ours to make. */
void main_make_runtime_dir(const struct daemon *d)
{
	const char *path = d->conf->runtime_dir;

	if (path && d->conf->owns_runtime_dir && mkdir(path, 0755) < 0 && errno != EEXIST)
		log_notice("cannot make the folder '%s': %s", path, strerror(errno));
}

int main_open_local(struct daemon *d, struct fail *fail)
{
	int r = local_prepare(d->local, d->conf->local_socket, d->conf->local.group, fail);

	if (r == 0)
		local_commit(d->local);
	return excuse(d->conf, d->conf->local_socket, d->conf->local.path, r, fail);
}

int main_open_control(struct daemon *d, struct fail *fail)
{
	const struct conf *conf = d->conf;
	int r = control_listen(d->control, conf->control_socket, conf->control.group, fail);

	return excuse(conf, conf->control_socket, conf->control.path, r, fail);
}

static bool is_no_domain(void *arg, const char *name)
{
	return false;
}

int main_open_admin(struct daemon *d, struct fail *fail)
{
	const struct httpd_parts parts = {
		.loop = d->loop,
		.guard = d->guard,
		.routes = d->admin_routes,
		.is_domain = is_no_domain,
	};

	if (!d->conf->admin)
		return 0;
	metrics_get_routes(d->metrics, d->admin_routes);
	health_get_routes(d->health, d->admin_routes + METRICS_ROUTES);
	page_get_routes(d->page, d->admin_routes + METRICS_ROUTES + HEALTH_ROUTES);
	d->admin = httpd_new(&parts, &d->conf->limits);
	httpd_set_trusted(
		d->admin, d->conf->http.trusted_proxies.items, d->conf->http.trusted_proxies.n);
	main_share_tls(d);
	return httpd_listen(d->admin, d->conf->admin, 1, fail);
}
