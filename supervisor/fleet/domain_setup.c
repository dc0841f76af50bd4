/* What a domain's workers are started with: arguments, environment, limits. */
#include "config.h"

#include "shared/alloc.h"
#include "supervisor/fleet/confine.h"
#include "supervisor/fleet/domain_private.h"
#include "supervisor/fleet/store.h"

struct text_list {
	char **items;
	size_t n;
};

static void add_text(struct text_list *list, char *text)
{
	list->items = alloc_resize(list->items, list->n + 2, sizeof(*list->items));
	list->items[list->n++] = text;
	list->items[list->n] = NULL;
}

/* Names that end with "=" or are the beginning of names. */
static bool is_among(const char *variable, const char *const *names)
{
	for (; *names; names++)
		if (strncmp(variable, *names, strlen(*names)) == 0)
			return true;
	return false;
}

/* Variables of the supervisor that would mean something else to a worker. */
static bool is_private(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_",
		"LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "MCP_TRANSPORT=", "PORT=",
		"SSE_HEARTBEAT_SECONDS=", "JOURNAL_STREAM=", "INVOCATION_ID=",
		"CREDENTIALS_DIRECTORY=", "MCP_GATEWAY_URL=", "MCPGATEWAY_BEARER_TOKEN=",
		"GATEWAY_VERIFY_SSL=", NULL };

	return is_among(variable, names);
}

/* What a native worker gets of our environment; the rest could steer a library that it uses. A confined
 * command also gets what it cannot find its way without. Secrets of the supervisor's, agents and what
 * changes how a run-time starts are for the domain's `env` to give. */
static bool is_inherited(const char *variable, const struct conf_domain *conf)
{
	static const char *const native[] = { "PATH=", "LANG=", "LC_",
		"TZ=", "TZDIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
		"SSL_CERT_FILE=", "SSL_CERT_DIR=", NULL };
	static const char *const confined[] = { "HOME=", "USER=", "LOGNAME=", "SHELL=", "TERM=",
		"TMPDIR=", "XDG_", "http_proxy=", "https_proxy=", "no_proxy=", "HTTP_PROXY=",
		"HTTPS_PROXY=", "NO_PROXY=", "NODE_EXTRA_CA_CERTS=", "REQUESTS_CA_BUNDLE=", NULL };

	if (is_private(variable))
		return false;
	if (is_among(variable, native))
		return true;
	if (conf->native || conf_domain_is_remote(conf))
		return false;
	return streq(confine_profile(conf), "none") || is_among(variable, confined);
}

static bool is_overridden(const char *variable, const struct conf_envs *envs)
{
	for (size_t i = 0; i < envs->n; i++) {
		size_t len = strlen(envs->items[i].name);

		if (strncmp(variable, envs->items[i].name, len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

static char **make_env(const struct conf_domain *conf)
{
	struct text_list list = { 0 };

	for (char **at = environ; *at; at++)
		if (is_inherited(*at, conf) && !is_overridden(*at, &conf->env))
			add_text(&list, alloc_str(*at));
	for (size_t i = 0; i < conf->env.n; i++)
		add_text(&list,
			alloc_printf("%s=%s", conf->env.items[i].name, conf->env.items[i].value));
	if (conf_domain_is_remote(conf)) /* a URL may hold a key: not for everybody's eyes */
		add_text(&list, alloc_printf("MCP_FLEET_REMOTE=%s", conf->settings_json));
	if (!list.items)
		list.items = alloc_zero(sizeof(*list.items));
	return list.items;
}

static char **make_argv(const struct conf_domain *conf, const struct domain_programs *programs)
{
	struct text_list list = { 0 };

	if (conf->native) {
		add_text(&list, alloc_str(programs->native));
		add_text(&list, alloc_str("--settings"));
		add_text(&list, alloc_str(conf->settings_json));
		return list.items;
	}
	if (conf_domain_is_remote(conf)) {
		add_text(&list, alloc_str(programs->native));
		return list.items;
	}
	for (size_t i = 0; i < conf->command.n; i++)
		add_text(&list, alloc_str(conf->command.items[i]));
	return list.items;
}

/* What holds for processes that run already, too. */
void domain_tune_setup(struct worker_setup *setup, const struct conf_domain *conf)
{
	setup->concurrency = conf->concurrency;
	setup->start_timeout_ms = conf->start_timeout_ms;
	setup->cancel_grace_ms = conf->cancel_grace_ms;
	setup->health_interval_ms = conf->health_interval_ms;
	setup->health_timeout_ms = conf->health_timeout_ms;
	setup->restart = (struct backoff_rules){
		.first_ms = conf->restart_first_ms,
		.cap_ms = conf->restart_cap_ms,
		.park_ms = conf->restart_park_ms,
		.stable_ms = conf->restart_stable_ms,
		.park_after = conf->restart_park_after,
	};
}

struct worker_setup *domain_make_setup(
	const struct conf_domain *conf, const struct domain_programs *programs)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	setup->n_refs = 1;
	setup->domain = alloc_str(conf->name);
	setup->argv = make_argv(conf, programs);
	setup->env = make_env(conf);
	setup->wrapper = alloc_str(programs->wrapper);
	setup->plan = alloc_str(programs->plan);
	confine_get_limits(conf, &setup->limits);
	setup->native = conf->native != NULL;
	setup->is_isolated = conf->isolation == CONF_ISOLATION_SESSION;
	setup->protocol = conf->protocol;
	setup->max_line = conf->max_line;
	domain_tune_setup(setup, conf);
	return setup;
}

/* Of what decides which lists a worker tells. The environment may hold secrets: only this goes to disk. */
char *domain_make_fingerprint(
	const struct conf_domain *conf, const struct domain_programs *programs)
{
	uint64_t hash = STORE_FINGERPRINT_START;

	hash = store_fingerprint(hash, PACKAGE_VERSION);
	hash = store_fingerprint(hash, programs->native ? programs->native : "");
	hash = store_fingerprint(hash, conf->settings_json ? conf->settings_json : "");
	for (size_t i = 0; i < conf->command.n; i++)
		hash = store_fingerprint(hash, conf->command.items[i]);
	hash = store_fingerprint(hash, "");
	for (size_t i = 0; i < conf->env.n; i++) {
		hash = store_fingerprint(hash, conf->env.items[i].name);
		hash = store_fingerprint(hash, conf->env.items[i].value);
	}
	hash = store_fingerprint(hash, conf->cwd ? conf->cwd : "");
	return alloc_printf("%016llx", (unsigned long long)hash);
}
