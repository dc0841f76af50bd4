/* See conf_domain.h. */
#include "supervisor/conf_domain.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/strbuf.h"
#include "shared/uri.h"
#include "supervisor/conf_decode.h"
#include "supervisor/conf_env.h"
#include "supervisor/conf_type.h"

enum {
	NATIVE_PROCESSES_MAX = 4,
	SESSION_PROCESSES_MAX = 64, /* isolation: session */
	REMOTE_CONCURRENCY = 16,
	REMOTE_PARK_MS =
		30000, /* to ask a server that is away costs little, and it comes back by itself */
};

/* The workers that are programs of ours. */
struct native {
	const char *name;
	bool has_roots;
};

static const struct native natives[] = {
	{ "git", true },
	{ "filesystem", true },
	{ "network", false },
	{ "utils", false },
};

/* Paths of the endpoints of the whole fleet: /git/sse is the domain git. */
static const char *const reserved_names[] = { "sse", "messages", "mcp", "health", "ready",
	"metrics", "status", "admin" };

static const struct native *find_native(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(natives); i++) {
		if (streq(natives[i].name, name))
			return &natives[i];
	}
	return NULL;
}

bool conf_is_domain_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return *name >= 'a' && *name <= 'z' && strlen(name) <= CONF_DOMAIN_NAME_MAX &&
	       name[strspn(name, allowed)] == '\0';
}

static int check_name(const struct conf_node *node, struct fail *fail)
{
	if (!conf_is_domain_name(node->key))
		return conf_node_fail(fail, node, true, "domains",
			"'%.100s' is not a domain's name: allowed are small letters, digits and -, "
			"a letter first, at most %d",
			node->key, CONF_DOMAIN_NAME_MAX);
	for (size_t i = 0; i < N_ELEMENTS(reserved_names); i++) {
		if (streq(node->key, reserved_names[i]))
			return conf_node_fail(fail, node, true, "domains",
				"'%s' cannot be a domain: /%s is an endpoint of the whole fleet",
				node->key, node->key);
	}
	return 0;
}

/* Nothing serves the domain: what to do about it. */
static int fail_no_program(const struct conf_node *node, const char *path, struct fail *fail)
{
	const char *names[N_ELEMENTS(natives) + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < N_ELEMENTS(natives); i++)
		names[i] = natives[i].name;
	near = conf_nearest(node->key, names);
	if (near)
		return conf_node_fail(fail, node, true, path,
			"no command or url, and no worker of this name is built in; did you mean "
			"'%s'?",
			near);
	return conf_node_fail(fail, node, true, path,
		"no command or url, and no worker of this name is built in (git, filesystem, "
		"network, utils are): give command: [PROGRAM, ARGUMENT], or url: URL");
}

/* What an empty text stands for is that there is none. */
static bool is_written(const struct conf_node *node)
{
	if (!node || conf_node_is_null(node))
		return false;
	return node->kind != CONF_NODE_TEXT || (node->text && *node->text);
}

/* Who serves the domain. It is asked before the keys are read, for which keys there are depends on
 * it. */
static int choose_program(
	const struct conf_node *node, struct conf_domain *domain, struct fail *fail)
{
	const struct native *native = find_native(node->key);
	const struct conf_node *command = conf_node_get(node, "command");
	bool has_command = command && (command->kind != CONF_NODE_LIST || command->n > 0);
	const struct conf_node *url = conf_node_get(node, "url");
	auto_free char *path = alloc_printf("domains.%s", node->key);

	if (has_command && native)
		return conf_node_fail(fail, command, true, path,
			"this worker is built in: give an external server another name");
	if (is_written(url) && native)
		return conf_node_fail(fail, url, true, path,
			"this worker is built in: give a remote server another name");
	if (is_written(url) && has_command)
		return conf_node_fail(fail, url, true, path,
			"there is a command too: a domain is served by one of them");
	if (has_command || is_written(url))
		return 0;
	if (!native)
		return fail_no_program(node, path, fail);
	domain->native = native->name;
	return 0;
}

static int check_program(const struct conf_node *node, const struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	const char *program = domain->command.n ? domain->command.items[0] : NULL;

	if (!program)
		return 0;
	if (!*program)
		return conf_node_fail_path(
			fail, node, prefix, "command", "the program's name is empty");
	if (*program != '/' && strchr(program, '/'))
		return conf_node_fail_path(fail, node, prefix, "command",
			"'%.200s' is neither an absolute path nor a name to look up in PATH",
			program);
	return 0;
}

static unsigned default_max(const struct conf_domain *domain)
{
	if (domain->native)
		return NATIVE_PROCESSES_MAX;
	return domain->isolation == CONF_ISOLATION_SESSION ? SESSION_PROCESSES_MAX : 1;
}

/* A key that would be passed over in silence is worse than one that is refused. */
static int check_remote(const struct conf_node *node, struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	const char *key = NULL;

	if (*domain->url) {
		if (!conf_node_get(node, "concurrency"))
			domain->concurrency = REMOTE_CONCURRENCY;
		if (!conf_node_find(node, "restart.park"))
			domain->restart_park_ms = REMOTE_PARK_MS;
		return 0;
	}
	if (*domain->headers_file)
		key = "headers_file";
	else if (*domain->ca_file)
		key = "ca_file";
	else if (domain->remote_transport != CONF_REMOTE_AUTO)
		key = "transport";
	if (key)
		return conf_node_fail_path(fail, node, prefix, key,
			"there is no url that it could be for: leave it out");
	return 0;
}

static int check_processes(const struct conf_node *node, struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	if (domain->processes_max == 0) {
		domain->processes_max = default_max(domain);
		if (domain->processes_max < domain->processes_min)
			domain->processes_max = domain->processes_min;
	}
	if (domain->processes_max < domain->processes_min)
		return conf_node_fail_path(fail, node, prefix, "processes.max",
			"%u is below processes.min, which is %u", domain->processes_max,
			domain->processes_min);
	if (domain->native && domain->concurrency != 1)
		return conf_node_fail_path(fail, node, prefix, "concurrency",
			"a worker that is built in serves one call at a time: raise processes.max "
			"instead");
	return 0;
}

static int check_protocol(const struct conf_node *node, const struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	if (!domain->native)
		return 0;
	if (domain->protocol != CONF_PROTOCOL_AUTO)
		return conf_node_fail_path(fail, node, prefix, "protocol",
			"a worker that is built in has one protocol: leave the key out");
	if (domain->max_line != LIMIT_LINE_BYTES)
		return conf_node_fail_path(fail, node, prefix, "max_line",
			"a worker that is built in has a limit of its own, which "
			"tools.max_result_bytes moves: leave the key out");
	return 0;
}

/* What only a command has. */
static int check_command_keys(const struct conf_node *node, const struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	if (domain->native && domain->isolation != CONF_ISOLATION_SHARED)
		return conf_node_fail_path(fail, node, prefix, "isolation",
			"a worker that is built in keeps nothing between calls: leave the key out, or "
			"say shared");
	if (domain->native && *domain->cwd)
		return conf_node_fail_path(fail, node, prefix, "cwd",
			"a worker that is built in has no use for it: leave the key out, or give roots");
	return 0;
}

static int check_sandbox(const struct conf_node *node, const struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	enum conf_profile profile = domain->sandbox.profile;

	if (profile == CONF_PROFILE_AUTO || profile == CONF_PROFILE_NONE ||
		!(domain->native || *domain->url))
		return 0;
	return conf_node_fail_path(fail, node, prefix, "sandbox.profile",
		"%s has a profile of its own: leave the key out, or say none to switch it off",
		domain->native ? "a worker that is built in" : "a domain with a url");
}

static int check_names(const struct conf_node *node, const struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	if (!domain->native || domain->names == CONF_NAMES_PREFIX)
		return 0;
	return conf_node_fail_path(fail, node, prefix, "names",
		"the tools of a worker that is built in carry its name already: leave the key out");
}

static int read_env_file(const struct conf_node *node, struct conf_domain *domain,
	const char *prefix, struct fail *fail)
{
	struct fail found = { 0 };

	if (!*domain->env_file || conf_env_read_file(domain->env_file, &domain->env, &found) == 0)
		return 0;
	return conf_node_fail_path(fail, node, prefix, "env_file", "%s", found.text);
}

static int check_keys(const struct conf_node *node, struct conf_domain *domain, const char *prefix,
	struct fail *fail)
{
	int r = check_program(node, domain, prefix, fail);

	if (r == 0)
		r = check_remote(node, domain, prefix, fail);
	if (r == 0)
		r = check_processes(node, domain, prefix, fail);
	if (r == 0)
		r = check_protocol(node, domain, prefix, fail);
	if (r == 0)
		r = check_command_keys(node, domain, prefix, fail);
	if (r == 0)
		r = check_sandbox(node, domain, prefix, fail);
	if (r == 0)
		r = check_names(node, domain, prefix, fail);
	if (r == 0)
		r = read_env_file(node, domain, prefix, fail);
	if (r == 0 && domain->restart_cap_ms < domain->restart_first_ms)
		r = conf_node_fail_path(
			fail, node, prefix, "restart.cap", "is below restart.first");
	return r;
}

int conf_domain_read(const struct conf_node *node, struct conf_domain *domain, struct fail *fail)
{
	static const struct conf_node nothing = { .kind = CONF_NODE_MAP };
	struct conf_domain_scope ds;
	int r = check_name(node, fail);

	if (r < 0)
		return r;
	domain->name = alloc_str(node->key);
	if (node->kind != CONF_NODE_MAP && !conf_node_is_null(node))
		return conf_node_fail(fail, node, false, "domains",
			"%s is not a mapping of keys and values", domain->name);
	r = choose_program(node, domain, fail);
	if (r < 0)
		return r;
	conf_domain_scope_init(&ds, domain->name, domain->native != NULL);
	conf_decode_defaults(&ds.scope, domain);
	r = conf_decode(
		&ds.scope, node->kind == CONF_NODE_MAP ? node : &nothing, NULL, domain, fail);
	return r < 0 ? r : check_keys(node, domain, ds.shown, fail);
}

void conf_domain_done(struct conf_domain *domain)
{
	struct conf_domain_scope ds;

	if (domain->name) {
		conf_domain_scope_init(&ds, domain->name, domain->native != NULL);
		conf_decode_clear(&ds.scope, domain);
	}
	free(domain->name);
	free(domain->settings_json);
	*domain = (struct conf_domain){ 0 };
}

bool conf_domain_has_roots(const struct conf_domain *domain)
{
	const struct native *native = domain->native ? find_native(domain->native) : NULL;

	return native && native->has_roots;
}

/* A key of the table under its last word. */
static void add_setting(json_t *settings, const struct conf_key *key, const void *owner)
{
	const char *dot = strrchr(key->path, '.');

	(void)json_object_set_new(settings, dot ? dot + 1 : key->path, conf_key_json(key, owner));
}

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (!text)
		abort(); /* out of memory */
	json_decref(json);
	return text;
}

/* As workers/remote/settings.c reads it. */
static char *remote_settings(const struct conf_domain *domain)
{
	static const char *const transports[] = {
		[CONF_REMOTE_AUTO] = "auto",
		[CONF_REMOTE_STREAMABLE] = "streamable",
		[CONF_REMOTE_SSE] = "sse",
	};

	return dump(json_pack("{s:s, s:s, s:s, s:s}", "url", domain->url, "headers_file",
		domain->headers_file, "ca_file", domain->ca_file, "transport",
		transports[domain->remote_transport]));
}

/* The worker hears of the keys that only it has, and of those at the top that say so in the table;
 * the other keys of a domain are the supervisor's business, but for the time of a call. */
void conf_domain_make_settings(const struct conf *conf, struct conf_domain *domain)
{
	struct conf_domain_scope ds;
	json_t *settings;

	free(domain->settings_json);
	domain->settings_json = domain->native || !*domain->url ? NULL : remote_settings(domain);
	if (!domain->native)
		return;
	conf_domain_scope_init(&ds, domain->name, true);
	settings = json_object();
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (conf_scope_has(&conf_scope_top, key) && key->reload == CONF_RELOAD_WORKERS)
			add_setting(settings, key, conf);
		else if (conf_scope_is_own(&ds.scope, key))
			add_setting(settings, key, domain);
	}
	(void)json_object_set_new(
		settings, "call_timeout_ms", json_integer(domain->call_timeout_ms));
	domain->settings_json = dump(settings);
}

bool conf_domain_is_remote(const struct conf_domain *domain)
{
	return !domain->native && domain->url && *domain->url;
}

unsigned conf_domain_url_port(const struct conf_domain *domain)
{
	struct uri_target parts;
	struct uri_authority authority;

	if (!domain->url || uri_split(domain->url, strlen(domain->url), &parts) < 0 ||
		uri_split_authority(parts.authority.at, parts.authority.len, &authority) < 0)
		return 0;
	if (authority.port > 0)
		return (unsigned)authority.port;
	return strncasecmp(domain->url, "https:", 6) == 0 ? 443 : 80;
}

static bool matches_any(const struct conf_strs *globs, const char *name)
{
	for (size_t i = 0; i < globs->n; i++) {
		if (fnmatch(globs->items[i], name, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

bool conf_domain_allows(const struct conf_domain *domain, const char *tool)
{
	return matches_any(&domain->tools_allow, tool) && !matches_any(&domain->tools_deny, tool);
}
