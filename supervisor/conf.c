/* Loading of settings; see conf.h.
 *
 * All files become one tree first (conf_yaml), the tree fills the structs by the table (conf_decode,
 * conf_table), then environment and command line go over it, and at last everything that holds
 * between keys is checked here. Nothing of a set that fails is ever seen by a caller. */
#include "supervisor/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/amount.h"
#include "shared/strbuf.h"
#include "supervisor/conf_decode.h"
#include "supervisor/conf_domain.h"
#include "supervisor/conf_loader.h"
#include "supervisor/conf_type.h"
#include "supervisor/conf_yaml.h"

enum {
	DEFAULT_PORT = 8000,
	MAX_PORT = 65535,
	MAX_DOMAINS = 64,
};

static const int64_t min_heartbeat_ms = 50;
static const int64_t max_heartbeat_ms = INT64_C(3600) * 1000;

/* --- environment --- */

const char *conf_get_env(const struct conf_loader *ld, const char *name)
{
	return ld->src->get_env ? ld->src->get_env(name) : getenv(name);
}

static int read_transport_from(struct conf_loader *ld, const char *where, const char *text)
{
	if (streq(text, "stdio"))
		ld->conf->transport = CONF_TRANSPORT_STDIO;
	else if (streq(text, "sse"))
		ld->conf->transport = CONF_TRANSPORT_SSE;
	else
		return fail_set(ld->fail, -EINVAL,
			"%s: '%.100s' is not a transport: allowed are stdio (the default) and sse",
			where, text);
	return 0;
}

/* A wrong value in the environment is an error also where the command line overrides it: who wrote
 * it wanted something. */
static int read_transport(struct conf_loader *ld)
{
	const char *text = conf_get_env(ld, "MCP_TRANSPORT");
	int r = text ? read_transport_from(ld, "MCP_TRANSPORT", text) : 0;

	if (r == 0 && ld->src->transport)
		r = read_transport_from(ld, "--transport", ld->src->transport);
	return r;
}

static int read_port(struct conf_loader *ld)
{
	const char *text = conf_get_env(ld, "PORT");
	int64_t port = DEFAULT_PORT;

	if (text && (amount_parse_count(text, &port) < 0 || port < 1 || port > MAX_PORT))
		return fail_set(ld->fail, -EINVAL,
			"PORT: '%.100s' is not a port: allowed are 1 to %d", text, MAX_PORT);
	ld->default_port = (unsigned)port;
	return 0;
}

static int read_heartbeat(struct conf_loader *ld)
{
	const char *text = conf_get_env(ld, "SSE_HEARTBEAT_SECONDS");
	int64_t ms = ld->conf->sse_heartbeat_ms;

	if (text && (amount_parse_seconds(text, &ms) < 0 || ms < min_heartbeat_ms ||
			    ms > max_heartbeat_ms))
		return fail_set(ld->fail, -EINVAL,
			"SSE_HEARTBEAT_SECONDS: '%.100s' is not a number of seconds: allowed are "
			"0.05 to 3600",
			text);
	ld->conf->sse_heartbeat_ms = ms;
	return 0;
}

static int read_environment(struct conf_loader *ld)
{
	int r = read_transport(ld);

	if (r == 0)
		r = read_port(ld);
	if (r == 0)
		r = read_heartbeat(ld);
	return r;
}

/* --- domains --- */

/* Adds a domain, which is part of conf from here on, also when it fails. */
static int add_domain(struct conf_loader *ld, const struct conf_node *node)
{
	struct conf *conf = ld->conf;
	struct conf_domain *domain;

	if (conf->n_domains >= MAX_DOMAINS)
		return conf_node_fail(
			ld->fail, node, true, "domains", "more than %d domains", MAX_DOMAINS);
	conf->domains = alloc_resize(conf->domains, conf->n_domains + 1, sizeof(*conf->domains));
	domain = &conf->domains[conf->n_domains++];
	*domain = (struct conf_domain){ 0 };
	return conf_domain_read(node, domain, ld->fail);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct conf_domain *)a)->name, ((const struct conf_domain *)b)->name);
}

static int read_domains(struct conf_loader *ld, const struct conf_node *domains)
{
	if (domains->kind != CONF_NODE_MAP)
		return conf_node_fail(ld->fail, domains, false, "domains",
			"a mapping of names and settings is expected, such as git: {}");
	if (domains->n == 0)
		return conf_node_fail(ld->fail, domains, false, "domains",
			"no domain: leave the key out to have filesystem, git, network and utils");
	for (size_t i = 0; i < domains->n; i++) {
		int r = add_domain(ld, domains->items[i]);

		if (r < 0)
			return r;
	}
	qsort(ld->conf->domains, ld->conf->n_domains, sizeof(*ld->conf->domains), by_name);
	return 0;
}

static int read_all_domains(struct conf_loader *ld)
{
	static const char built_in[] = "{filesystem: {}, git: {}, network: {}, utils: {}}";
	const struct conf_node *domains = conf_node_get(ld->files.tree, "domains");
	auto_(conf_node_freep) struct conf_node *own = NULL;
	int r;

	if (domains && !conf_node_is_null(domains))
		return read_domains(ld, domains);
	r = conf_yaml_read("built-in", built_in, strlen(built_in), &own, ld->fail);
	return r < 0 ? r : read_domains(ld, own);
}

const struct conf_domain *conf_find_domain(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_domains; i++) {
		if (streq(conf->domains[i].name, name))
			return &conf->domains[i];
	}
	return NULL;
}

/* --- roots --- */

static int roots_of_command_line(struct conf_loader *ld, struct conf_domain *domain)
{
	conf_clear_roots(&domain->roots);
	for (size_t i = 0; i < ld->src->n_roots; i++) {
		const char *path = ld->src->roots[i];
		int r = conf_add_root(&domain->roots, path, true);

		if (r < 0)
			return fail_set(ld->fail, -EINVAL, "--root: '%.200s': %s", path,
				conf_root_error(r));
	}
	return 0;
}

/* The current directory. A service's is often /, and nobody means to hand that out by saying
 * nothing. */
static int default_root(struct conf_loader *ld, struct conf_domain *domain)
{
	auto_free char *path = alloc_printf("domains.%s.roots", domain->name);
	int r = conf_add_root(&domain->roots, ".", true);

	if (r < 0)
		return fail_set(ld->fail, -EINVAL, "%s: the current directory: %s", path,
			conf_root_error(r));
	if (streq(domain->roots.items[0].path, "/"))
		return fail_set(ld->fail, -EINVAL,
			"%s: not set, and the default, the current directory, is /: give "
			"directories here or with --root",
			path);
	return 0;
}

static int read_roots(struct conf_loader *ld)
{
	for (size_t i = 0; i < ld->conf->n_domains; i++) {
		struct conf_domain *domain = &ld->conf->domains[i];
		int r = 0;

		if (!conf_domain_has_roots(domain))
			continue;
		if (ld->src->n_roots)
			r = roots_of_command_line(ld, domain);
		else if (domain->roots.n == 0)
			r = default_root(ld, domain);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the Unix sockets --- */

/* Of the service manager, which lists several folders with colons, the first being the unit's own; else
 * where mcp-fleetctl looks for a daemon that was started by hand. */
static void find_runtime_dir(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	const char *folders = conf_get_env(ld, "RUNTIME_DIRECTORY");
	const char *own = conf_get_env(ld, "XDG_RUNTIME_DIR");
	size_t len = folders ? strcspn(folders, ":") : 0;

	if (conf->transport != CONF_TRANSPORT_SSE)
		return;
	if (len > 0 && *folders == '/') {
		conf->runtime_dir = alloc_printf("%.*s", (int)len, folders);
		return;
	}
	conf->owns_runtime_dir = true;
	if (geteuid() == 0)
		conf->runtime_dir = alloc_str("/run/mcp-fleet");
	else if (own && *own == '/')
		conf->runtime_dir = alloc_printf("%s/mcp-fleet", own);
}

static char *find_socket(const struct conf *conf, const char *path, const char *name)
{
	if (*path == '/')
		return alloc_str(path);
	if (!*path || !conf->runtime_dir)
		return NULL;
	return alloc_printf("%s/%s", conf->runtime_dir, name);
}

static int read_sockets(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;

	find_runtime_dir(ld);
	conf->local_socket = find_socket(conf, conf->local.path, "mcp.sock");
	conf->control_socket = find_socket(conf, conf->control.path, "control.sock");
	if (conf->local_socket && conf->control_socket &&
		streq(conf->local_socket, conf->control_socket))
		return fail_set(ld->fail, -EINVAL,
			"local.path and control.path are the same: each socket needs its own");
	return 0;
}

/* --- the gateway --- */

static int check_gateway_url(struct conf_loader *ld)
{
	struct conf_gateway *gateway = &ld->conf->gateway;
	const char *text = conf_get_env(ld, "MCP_GATEWAY_URL");

	if (!text || !*text)
		return 0;
	if (!conf_is_url(text))
		return fail_set(ld->fail, -EINVAL,
			"MCP_GATEWAY_URL: '%.100s' is not an address: allowed are "
			"http://HOST[:PORT][/PATH] and https://…",
			text);
	free(gateway->url);
	gateway->url = alloc_str(text);
	return 0;
}

static int check_gateway_domains(struct conf_loader *ld)
{
	const struct conf_strs *domains = &ld->conf->gateway.domains;

	for (size_t i = 0; i < domains->n; i++) {
		if (!conf_find_domain(ld->conf, domains->items[i]))
			return fail_set(ld->fail, -EINVAL,
				"gateway.domains: there is no domain '%.100s'", domains->items[i]);
	}
	return 0;
}

static int read_gateway(struct conf_loader *ld)
{
	struct conf_gateway *gateway = &ld->conf->gateway;
	const char *verify = conf_get_env(ld, "GATEWAY_VERIFY_SSL");
	int r = check_gateway_url(ld);

	if (r == 0)
		r = check_gateway_domains(ld);
	if (r < 0 || !verify)
		return r;
	gateway->verify = strcasecmp(verify, "true") == 0;
	if (!gateway->verify && strcasecmp(verify, "false") != 0)
		return fail_set(ld->fail, -EINVAL,
			"GATEWAY_VERIFY_SSL: '%.100s' is neither true nor false", verify);
	return 0;
}

/* --- the choice of --domain --- */

static bool is_chosen(const struct conf_sources *src, const char *name)
{
	for (size_t i = 0; i < src->n_domains; i++) {
		if (streq(src->domains[i], name))
			return true;
	}
	return src->n_domains == 0;
}

static int fail_no_domain(struct conf_loader *ld, const char *name)
{
	auto_strbuf list = { 0 };

	for (size_t i = 0; i < ld->conf->n_domains; i++)
		strbuf_addf(&list, "%s%s", i ? ", " : "", ld->conf->domains[i].name);
	return fail_set(ld->fail, -EINVAL,
		"--domain: there is no domain '%.100s': the settings have %s", name,
		strbuf_get(&list));
}

static void drop_domains(struct conf *conf, const struct conf_sources *src)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_domains; i++) {
		if (is_chosen(src, conf->domains[i].name))
			conf->domains[n++] = conf->domains[i];
		else
			conf_domain_done(&conf->domains[i]);
	}
	conf->n_domains = n;
}

/* Those that would serve a domain that is left out. */
static void drop_listeners(struct conf *conf, const struct conf_sources *src)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		struct conf_listener *listener = &conf->listeners[i];

		if (!listener->domain || is_chosen(src, listener->domain)) {
			conf->listeners[n++] = *listener;
			continue;
		}
		free(listener->address);
		free(listener->domain);
	}
	conf->n_listeners = n;
}

static int choose_domains(struct conf_loader *ld)
{
	const struct conf_sources *src = ld->src;

	for (size_t i = 0; i < src->n_domains; i++) {
		if (!conf_find_domain(ld->conf, src->domains[i]))
			return fail_no_domain(ld, src->domains[i]);
	}
	drop_domains(ld->conf, src);
	drop_listeners(ld->conf, src);
	if (ld->conf->n_listeners == 0)
		return fail_set(ld->fail, -EINVAL,
			"--domain: every listener serves a domain that is left out: add --listen");
	return 0;
}

/* --- everything --- */

static int check_limits(struct conf_loader *ld)
{
	const struct conf *conf = ld->conf;
	auto_free char *max = amount_format_size((int64_t)conf->tools.max_result_bytes);
	auto_free char *queue = amount_format_size((int64_t)conf->limits.session_queue_bytes);
	const char *culprit = conf_node_find(ld->files.tree, "tools.max_result_bytes")
				      ? "tools.max_result_bytes"
				      : "limits.session_queue_bytes";

	if (conf->tools.max_result_bytes >= conf->limits.session_queue_bytes)
		return conf_node_fail_path(ld->fail, ld->files.tree, "", culprit,
			"tools.max_result_bytes (%s) must be below limits.session_queue_bytes (%s), "
			"or an answer could never be sent",
			max, queue);
	return 0;
}

static int read_files(struct conf_loader *ld)
{
	const char *default_path =
		ld->src->default_path ? ld->src->default_path : SYSCONFDIR "/mcp-fleet/fleet.yaml";
	int r = conf_files_read(&ld->files, ld->src->path, default_path, ld->fail);

	if (r == 0)
		ld->conf->path = alloc_str(ld->files.path);
	return r;
}

/* Everything but the files, which are read. */
static int read_all(struct conf_loader *ld)
{
	static int (*const steps[])(struct conf_loader * ld) = { read_environment, read_all_domains,
		conf_read_auth, conf_read_listeners, conf_read_admin, read_sockets, check_limits,
		read_gateway, choose_domains, read_roots };
	int r;

	conf_decode_defaults(&conf_scope_top, ld->conf);
	r = conf_decode(&conf_scope_top, ld->files.tree, "domains", ld->conf, ld->fail);
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(steps); i++)
		r = steps[i](ld);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ld->conf->n_domains; i++)
		conf_domain_make_settings(ld->conf, &ld->conf->domains[i]);
	return 0;
}

/* A message is one line, whatever stood in the file. */
static void clean_words(struct fail *fail)
{
	for (char *c = fail->text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

/* Reads the files unless `text` is given. */
static int load(
	struct conf_loader *ld, const char *name, const char *text, size_t len, struct conf **ret)
{
	auto_(conf_freep) struct conf *conf = alloc_zero(sizeof(*conf));
	int r;

	ld->conf = conf;
	*ld->fail = (struct fail){ 0 };
	r = text ? conf_yaml_read(name, text, len, &ld->files.tree, ld->fail) : read_files(ld);
	if (r == 0)
		r = read_all(ld);
	conf_files_done(&ld->files);
	if (r < 0) {
		clean_words(ld->fail);
		return r;
	}
	*ret = TAKE(conf);
	return 0;
}

int conf_load(const struct conf_sources *src, struct conf **ret, struct fail *fail)
{
	struct fail unread = { 0 };
	struct conf_loader ld = { .src = src, .fail = fail ? fail : &unread };

	return load(&ld, NULL, NULL, 0, ret);
}

int conf_load_text(const struct conf_sources *src, const char *name, const char *bytes, size_t len,
	struct conf **ret, struct fail *fail)
{
	struct fail unread = { 0 };
	struct conf_loader ld = { .src = src, .fail = fail ? fail : &unread };

	return load(&ld, name, bytes ? bytes : "", len, ret);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->n_domains; i++)
		conf_domain_done(&conf->domains[i]);
	free(conf->domains);
	conf_decode_clear(&conf_scope_top, conf);
	if (conf->admin)
		free(conf->admin->address);
	free(conf->admin);
	free(conf->keys_path);
	free(conf->local_socket);
	free(conf->control_socket);
	free(conf->runtime_dir);
	free(conf->path);
	free(conf);
}
