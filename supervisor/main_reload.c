/* Reading the settings again: all of what is new holds, or nothing. */
#include <errno.h>

#include "shared/log.h"
#include "supervisor/conf_dump.h"
#include "supervisor/main_private.h"

/* Of files whose settings are what they were. */
struct new_files {
	bool cert;
	bool crls;
};

static void log_reload(const struct conf_diff *diff, const struct new_files *files)
{
	for (size_t i = 0; i < diff->keys.n; i++)
		log_info("reload: %s changed", diff->keys.items[i]);
	for (size_t i = 0; i < diff->n_domains; i++)
		log_info("reload: domain %s changed", diff->domains[i].name);
	for (size_t i = 0; i < diff->restart.n; i++)
		log_warn("reload: %s holds only after a restart", diff->restart.items[i]);
	if (files->cert)
		log_info("reload: the certificate in tls.cert_file is another");
	if (files->crls)
		log_info("reload: the lists in tls.client_crl_file are others");
	if (diff->keys.n == 0 && diff->n_domains == 0 && !files->cert && !files->crls)
		log_info("reload: nothing changed");
}

static void set_httpd_conf(struct httpd *httpd, const struct conf *conf)
{
	httpd_set_limits(httpd, &conf->limits);
	httpd_set_trusted(httpd, conf->http.trusted_proxies.items, conf->http.trusted_proxies.n);
}

static void apply(struct daemon *d, struct conf *conf, const struct conf_diff *diff)
{
	struct conf *old = d->conf;

	d->conf = conf;
	if (diff->log)
		log_init("mcp-fleetd", conf->log_format, conf->log_level);
	health_set_conf(d->health, conf);
	mcp_set_conf(d->mcp, conf);
	status_set_conf(d->status, conf);
	metrics_set_conf(d->metrics, conf);
	main_set_guard_conf(d, conf);
	control_set_conf(d->control, conf);
	local_set_limits(d->local, &conf->limits);
	if (d->admin)
		set_httpd_conf(d->admin, conf);
	if (d->httpd)
		set_httpd_conf(d->httpd, conf);
	if (d->sse)
		sse_set_heartbeat(d->sse, conf->sse_heartbeat_ms);
	if (d->streamable)
		streamable_set_conf(d->streamable, conf);
	if (d->stream)
		stream_set_max_line(d->stream, conf->limits.request_bytes);
	fleet_apply(d->fleet, conf, diff);
	registration_set_conf(d->registration, conf);
	main_set_courier(d);
	token_door_commit(d->tokens);
	conf_free(old);
}

/* The setting is what it was, but not what is in its file. */
static void note_new_file(json_t *changes, const char *key)
{
	json_t *changed = json_object_get(changes, "changed");
	const json_t *item;
	size_t i;

	json_array_foreach(changed, i, item)
		if (streq(json_string_value(item), key))
			return;
	(void)json_array_append_new(changed, json_string(key));
}

static struct new_files compare_files(const struct tls *old, const struct tls *new)
{
	if (!old || !new)
		return (struct new_files){ 0 };
	return (struct new_files){ .cert = !tls_has_same_cert(old, new),
		.crls = !tls_has_same_lists(old, new) };
}

/* Read, check, compare; then change only what differs. On an error the old set stays. */
static int reload(struct daemon *d, json_t **ret, struct fail *fail)
{
	auto_(conf_freep) struct conf *conf = NULL;
	auto_(tls_unrefp) struct tls *tls = NULL;
	struct new_files files = { 0 };
	struct conf_sources sources = d->options->sources;
	struct conf_diff diff;
	int r;

	/* A file that was found at the start is missed when it is gone, not replaced by the default. */
	if (!sources.path)
		sources.path = d->conf->path;
	r = conf_load(&sources, &conf, fail);
	if (r == 0)
		r = confine_check_required(conf, fleet_get_support(d->fleet), fail);
	if (r == 0)
		r = main_load_tls(conf, &tls, fail);
	if (r == 0)
		r = token_door_prepare(d->tokens, conf, fail);
	if (r < 0)
		return r;
	conf_diff(d->conf, conf, &diff);
	if (diff.listeners)
		r = main_listen_anew(d, conf, fail);
	if (r == 0) {
		files = compare_files(d->tls, tls);
		log_reload(&diff, &files);
		*ret = conf_dump_diff(&diff);
		if (files.cert)
			note_new_file(*ret, "tls.cert_file");
		if (files.crls)
			note_new_file(*ret, "tls.client_crl_file");
		main_use_tls(d, TAKE(tls));
		apply(d, TAKE(conf), &diff);
	} else {
		token_door_abandon(d->tokens);
	}
	conf_diff_done(&diff);
	return r;
}

/* Told to the service manager and to the log, whoever asked for it. */
int main_reload(void *arg, json_t **ret, struct fail *fail)
{
	struct daemon *d = arg;
	auto_strbuf status = { 0 };
	int r;

	if (d->phase != PHASE_SERVING)
		return fail_set(fail, -ESHUTDOWN, "the fleet is stopping");
	notify_reloading();
	r = reload(d, ret, fail);
	if (r < 0) {
		mcp_reopen_audit(d->mcp);
		(void)log_err(0, "reload refused, the old settings stay: %s", fail->text);
		strbuf_addf(&status, "reload refused, the old settings stay: %s", fail->text);
	} else {
		health_add_summary(d->health, &status);
	}
	notify_ready(strbuf_get(&status));
	return r;
}

void main_on_reload_signal(evutil_socket_t signo, short what, void *arg)
{
	struct fail fail = { 0 };
	json_auto_t *changes = NULL;

	(void)main_reload(arg, &changes, &fail);
}
