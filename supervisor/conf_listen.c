/* Loading of settings: where to listen, and whether that is allowed. See conf_loader.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "supervisor/conf_loader.h"
#include "supervisor/conf_type.h"

/* --- listeners --- */

static int make_listeners(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	auto_free char *address = NULL;

	if (ld->src->n_listen)
		conf_clear_listeners(conf);
	for (size_t i = 0; i < ld->src->n_listen; i++) {
		if (conf_add_listener(conf, ld->src->listen[i], NULL) < 0)
			return fail_set(ld->fail, -EINVAL,
				"--listen: '%.100s' is not " CONF_FORM_LISTEN, ld->src->listen[i]);
	}
	if (conf->n_listeners)
		return 0;
	address = alloc_printf("127.0.0.1:%u", ld->default_port);
	return conf_add_listener(conf, address, NULL);
}

static int fail_listener(struct conf_loader *ld, size_t i, const char *fmt, ...) printf_like(3, 4);

static int fail_listener(struct conf_loader *ld, size_t i, const char *fmt, ...)
{
	const struct conf_node *list = conf_node_find(ld->files.tree, "listen");
	auto_free char *words = NULL;
	auto_free char *path = alloc_printf("listen[%zu]", i);
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	if (ld->src->n_listen)
		return fail_set(ld->fail, -EINVAL, "--listen: %s", words);
	if (list && i < list->n)
		return conf_node_fail(ld->fail, list->items[i], false, path, "%s", words);
	return fail_set(ld->fail, -EINVAL, "listen: %s", words);
}

static bool is_listed_before(const struct conf *conf, size_t i)
{
	const struct conf_listener *listener = &conf->listeners[i];

	if (conf_port_of(&listener->sockaddr) == 0)
		return false;
	for (size_t k = 0; k < i; k++) {
		if (streq(conf->listeners[k].address, listener->address))
			return true;
	}
	return false;
}

bool conf_may_listen_on(const struct conf *conf, const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_UNIX || conf_is_loopback(addr) ||
	       conf->auth.mode == CONF_AUTH_NONE || conf_wants_credential(conf);
}

/* Why this address is not listened on, with the way out. */
static int check_address(const struct conf *conf, struct conf_listener *listener, struct fail *fail)
{
	bool has_cert = *conf->tls.cert_file;

	listener->tls = listener->scheme == CONF_SCHEME_HTTPS ||
			(listener->scheme == CONF_SCHEME_NONE && has_cert &&
				!conf_is_loopback(&listener->sockaddr));
	if (listener->tls && !has_cert)
		return fail_set(fail, -EINVAL, "%s is to be served with TLS: set tls.cert_file",
			listener->address);
	if (!conf_may_listen_on(conf, &listener->sockaddr))
		return fail_set(fail, -EINVAL,
			"%s is not a loopback address, and nothing asks its clients who they are: "
			"listen on 127.0.0.1 or [::1], make a key (mcp-fleetctl key add), set "
			"auth.issuer or tls.client_ca_file, or write auth: none at the top level if "
			"whoever can reach this address may use every tool",
			listener->address);
	if (!listener->tls && listener->scheme == CONF_SCHEME_NONE &&
		!conf_is_loopback(&listener->sockaddr))
		return fail_set(fail, -EINVAL,
			"%s is not a loopback address, and keys and answers would go there without "
			"TLS: set tls.cert_file, or write http://%s if the way there is safe",
			listener->address, listener->address);
	return 0;
}

static int check_listener(struct conf_loader *ld, size_t i)
{
	const struct conf *conf = ld->conf;
	struct conf_listener *listener = &conf->listeners[i];
	struct fail fail = { 0 };

	if (is_listed_before(conf, i))
		return fail_listener(ld, i, "%s is in the list already", listener->address);
	if (listener->domain && !conf_find_domain(conf, listener->domain))
		return fail_listener(ld, i, "there is no domain '%.100s'", listener->domain);
	if (check_address(conf, listener, &fail) < 0)
		return fail_listener(ld, i, "%s", fail.text);
	return 0;
}

int conf_read_listeners(struct conf_loader *ld)
{
	int r = make_listeners(ld);

	for (size_t i = 0; r == 0 && i < ld->conf->n_listeners; i++)
		r = check_listener(ld, i);
	return r;
}

/* --- the listener for those who look after us --- */

int conf_read_admin(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	auto_free struct conf_listener *admin = NULL;
	auto_free char *address = NULL;
	struct fail fail = { 0 };

	if (!*conf->admin_listen)
		return 0;
	admin = alloc_zero(sizeof(*admin));
	if (conf_parse_listen(
		    conf->admin_listen, &admin->scheme, &admin->sockaddr, &admin->sockaddr_len) < 0)
		return fail_set(ld->fail, -EINVAL, "admin.listen is not " CONF_FORM_LISTEN);
	address = conf_format_address(&admin->sockaddr);
	admin->address = address;
	if (check_address(conf, admin, &fail) < 0)
		return fail_set(ld->fail, -EINVAL, "admin.listen: %s", fail.text);
	admin->address = TAKE(address);
	conf->admin = TAKE(admin);
	return 0;
}
