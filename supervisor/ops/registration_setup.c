/* How the registrar is started: its program, its environment, what confines it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "supervisor/ops/registration_private.h"

enum {
	START_TIMEOUT_MS = 10000,
};

static const struct backoff_rules restart_rules = {
	.first_ms = 200, .cap_ms = 30000, .park_ms = 300000, .stable_ms = 60000, .park_after = 10
};

/* It gets what it needs for its way to the gateway, and the token if that is in the environment. */
static char **make_env(void)
{
	static const char *const names[] = { "PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE",
		"SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY",
		"NO_PROXY", "ALL_PROXY", "CREDENTIALS_DIRECTORY", "MCPGATEWAY_BEARER_TOKEN",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	char **env = alloc_zero((N_ELEMENTS(names) + 1) * sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			env[n++] = alloc_printf("%s=%s", names[i], value);
	}
	return env;
}

struct worker_setup *registration_make_setup(const struct registration *reg)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	/* It is let into this folder, if there is one by then. */
	if (reg->parts.state_dir && mkdir(reg->parts.state_dir, 0700) < 0 && errno != EEXIST)
		log_warn("cannot make the folder '%s' (%s): what is registered is not kept",
			reg->parts.state_dir, strerror(errno));

	setup->n_refs = 1;
	setup->domain = alloc_str("registrar");
	setup->argv = alloc_zero(2 * sizeof(*setup->argv));
	setup->argv[0] = alloc_printf("%s/mcp-fleet-registrar", reg->parts.libexec);
	setup->env = make_env();
	setup->wrapper = alloc_printf("%s/mcp-fleet-exec", reg->parts.libexec);
	setup->plan = confine_make_registrar_plan(reg->parts.state_dir);
	setup->native = true;
	setup->protocol = CONF_PROTOCOL_LEGACY;
	setup->concurrency = REGISTRATION_MAX_ORDERS;
	setup->start_timeout_ms = START_TIMEOUT_MS;
	setup->cancel_grace_ms = START_TIMEOUT_MS;
	setup->health_interval_ms = REGISTRATION_HEALTH_MS;
	setup->health_timeout_ms = REGISTRATION_HEALTH_TIMEOUT_MS;
	setup->restart = restart_rules;
	return setup;
}
