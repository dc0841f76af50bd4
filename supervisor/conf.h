/* Settings: fleet.yaml, conf.d, the environment and the command line, as one immutable struct.
 *
 * A settings text is loaded whole or refused whole; the words of a refusal name file, line, column,
 * key, and what is allowed. Every key stands once, in the table of conf_table.c: its type, range,
 * default, what a reload does with it, and the text that explains it. Durations are milliseconds and
 * sizes are bytes once they are in here.
 *
 * A struct conf never changes after conf_load(): a reload loads a new one, compares (conf_diff),
 * applies, and frees the old one. So nobody keeps a pointer into it over a reload. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/cleanup.h"
#include "shared/fail.h"
#include "shared/log.h"
#include "supervisor/conf_value.h"

enum conf_transport {
	CONF_TRANSPORT_STDIO,
	CONF_TRANSPORT_SSE,
};

enum conf_aliases {
	CONF_ALIASES_OFF,
	CONF_ALIASES_HIDDEN,
	CONF_ALIASES_LISTED,
};

enum conf_isolation {
	CONF_ISOLATION_SHARED,
	CONF_ISOLATION_SESSION, /* a process for each session */
};

enum conf_start {
	CONF_START_EAGER,
	CONF_START_LAZY, /* at the first call */
};

enum conf_auth_mode {
	CONF_AUTH_UNSET,    /* a credential is wanted where one can be shown; else loopback only */
	CONF_AUTH_NONE,     /* "auth: none" is written out: any address may be listened on */
	CONF_AUTH_REQUIRED, /* a credential is wanted, also while there is none yet */
};

/* A list of texts; never NULL inside, `items` is NULL when empty. */
struct conf_strs {
	char **items;
	size_t n;
};

/* What a scope of a token allows. */
struct conf_grant {
	char *scope;
	struct conf_strs domains; /* globs; empty: all */
	struct conf_strs tools;   /* globs of names as they are listed; empty: all */
};

struct conf_grants {
	struct conf_grant *items;
	size_t n;
};

struct conf_env {
	char *name;
	char *value;
};

struct conf_envs {
	struct conf_env *items;
	size_t n;
};

struct conf_root {
	char *path; /* real path, absolute */
	bool writable;
};

struct conf_roots {
	struct conf_root *items;
	size_t n;
};

struct conf_listener {
	char *address;           /* "127.0.0.1:8000", "[::1]:8000"; port 0: the kernel chooses */
	char *domain;            /* this domain at the listener's root; NULL: the whole fleet */
	enum conf_scheme scheme; /* as it was written */
	bool tls;                /* what follows from it */
	struct sockaddr_storage sockaddr;
	socklen_t sockaddr_len;
};

struct conf_local {
	char *path;  /* "auto", "" (nowhere), or absolute: as it is written */
	char *group; /* "": the daemon's */
};

struct conf_control {
	char *path;              /* as of struct conf_local */
	char *group;             /* the same */
	struct conf_strs admins; /* users, and %groups: who may change what runs, beside root */
};

/* In which way the gateway reaches us. */
enum conf_gateway_transport {
	CONF_GATEWAY_SSE,
	CONF_GATEWAY_STREAMABLE,
};

/* The ContextForge gateway at which the fleet is registered; for mcp-fleet-registrar. */
struct conf_gateway {
	char *url;        /* "": not registered by the settings */
	char *token_file; /* absolute; "", of each path: none */
	char *auth_header;
	char *ca_file;
	char *client_cert;
	char *client_key;
	bool verify;
	char *public_url; /* of this fleet, as the gateway sees it; "": that of a listener */
	enum conf_gateway_transport transport;
	char *name_prefix;
	char *visibility;
	struct conf_strs tags;
	struct conf_strs domains; /* empty: all */
	char *server;             /* name of the virtual server; "": none */
	int64_t interval_ms;
	char *key_file;     /* what the gateway has to show to us */
	char *peer_ca_file; /* by which the gateway knows us */
};

/* Who may use the tools over HTTP; see front/guard.h. */
struct conf_auth {
	enum conf_auth_mode mode;
	char *keys_file;           /* "auto", "" (none), or absolute: as it is written */
	char *issuer;              /* of tokens; "": none are taken */
	struct conf_strs audience; /* one of which a token must be for; empty: `resource` */
	char *secret_file;         /* absolute; "", of each file: none */
	char *jwks_file;
	char *jwks_url;
	char *jwks_ca_file;
	char *resource; /* this server as its clients know it; "": as they ask for it */
	struct conf_strs authorization_servers; /* empty: the issuer */
	struct conf_grants scopes;              /* empty: any token allows all */
	int64_t leeway_ms;
};

enum conf_client_certs {
	CONF_CLIENT_CERTS_OPTIONAL,
	CONF_CLIENT_CERTS_REQUIRED,
};

enum conf_tls_version {
	CONF_TLS_1_2,
	CONF_TLS_1_3,
};

enum conf_switch {
	CONF_SWITCH_AUTO,
	CONF_SWITCH_ON,
	CONF_SWITCH_OFF,
};

struct conf_tls {
	char *cert_file; /* absolute; "", of each: none */
	char *key_file;
	char *client_ca_file;
	char *client_crl_file;
	enum conf_client_certs client_certs;
	enum conf_tls_version min_version;
	enum conf_switch
		passed; /* for sockets of the service manager; auto: as for a bare address */
};

struct conf_http {
	struct conf_strs allowed_hosts;   /* "name", "name:port", or "*" */
	struct conf_strs allowed_origins; /* "https://host[:port]", or "*" */
	struct conf_strs trusted_proxies; /* addresses and networks (CIDR) */
};

/* What one key, or one address, may have of everything; 0: no limit. */
struct conf_quota {
	unsigned rate;  /* requests a second */
	unsigned burst; /* that many at once; 0: twice the rate */
	unsigned connections;
	unsigned sessions;
	unsigned streams;
	unsigned calls;    /* in flight */
	size_t bytes_rate; /* of requests, a second */
};

/* Who asks machines that look after us for a credential. */
enum conf_admin_auth {
	CONF_ADMIN_AUTH_AUTO, /* not on loopback */
	CONF_ADMIN_AUTH_REQUIRED,
	CONF_ADMIN_AUTH_NONE,
};

struct conf_audit {
	char *target; /* "": nowhere; "log"; or a file's absolute path */
	bool values;  /* those of arguments, too */
};

/* The collector of spans (OpenTelemetry's protocol over HTTP). */
struct conf_otlp {
	char *url; /* "": none */
	char *headers_file;
	char *ca_file;
	unsigned sample; /* of the calls whose client has not decided, percent */
	int64_t interval_ms;
};

struct conf_limits {
	unsigned sessions;
	int64_t session_idle_ms;
	int64_t sweep_ms;
	size_t request_bytes;
	size_t session_queue_bytes;
	unsigned session_queue_messages;
	size_t session_replay_bytes;
	unsigned session_replay_events;
	unsigned calls_per_session;
	int64_t input_timeout_ms; /* for a client to give what a tool asks of it */
	unsigned connections;
	size_t header_bytes;
	int64_t header_timeout_ms;
	int64_t body_timeout_ms;
	int64_t keepalive_timeout_ms;
	unsigned streams; /* event streams, of all sessions; 0: no limit of their own */
	unsigned calls;   /* in flight, the same */
	unsigned
		unauthenticated; /* connections that have not shown a credential where one is wanted */
	size_t min_rate;         /* of a body, bytes a second; 0: none */
	struct conf_quota per_key;
	struct conf_quota per_address;
};

struct conf_tools {
	enum conf_aliases aliases;
	char *federation_prefix; /* "": none */
	size_t max_result_bytes;
	unsigned page_size; /* 0: all in one page */
};

/* The keys of the native worker `git` (they go into its settings_json). */
struct conf_git {
	char *default_repository; /* "": the only root, if it is a repository */
	char *user_name;
	char *user_email;
	struct conf_strs protected_branches;
	char *feature_prefix;
	bool enforce_protected;
	bool allow_force_push;
	struct conf_strs allowed_protocols;
	char *credentials_file; /* absolute; "": none */
	struct conf_strs secret_patterns;
};

/* The keys of the native worker `filesystem`. */
struct conf_filesystem {
	bool protect_git_dir;
	bool use_client_roots;
	bool code_tools;
	struct conf_strs code_tools_path; /* absolute directories */
};

/* The keys of the native worker `network`. */
struct conf_network {
	struct conf_strs allow; /* "host", "host:port", CIDR, CIDR:port */
	struct conf_strs deny;  /* the same, and suffixes ".example.org"; wins */
	struct conf_strs dns_servers;
	bool robots;
	size_t max_response_bytes;
	struct conf_strs allow_methods; /* of net_http_request */
};

/* What the settings say of a tool instead of its worker. */
enum conf_hint {
	CONF_HINT_UNSET, /* as the worker says */
	CONF_HINT_FALSE,
	CONF_HINT_TRUE,
};

enum { CONF_HINTS = 4 };
extern const char *const conf_hint_names[CONF_HINTS]; /* "readOnlyHint", … */

struct conf_override {
	char *tool;  /* as it is listed, or as the worker calls it */
	char *title; /* NULL, of each text: as the worker says */
	char *description;
	char *annotations_title;
	enum conf_hint hints[CONF_HINTS];
};

struct conf_overrides {
	struct conf_override *items;
	size_t n;
};

/* How the names of a domain's tools and prompts, and its URIs, are told from those of others. */
enum conf_names {
	CONF_NAMES_PREFIX, /* name_tool, name+scheme:… */
	CONF_NAMES_DOTTED, /* name.tool, name.scheme:… */
	CONF_NAMES_PLAIN,  /* as the worker has them */
};

enum conf_protocol {
	CONF_PROTOCOL_AUTO,
	CONF_PROTOCOL_LEGACY, /* the revisions with initialize */
	CONF_PROTOCOL_MODERN, /* 2026-07-28 */
};

enum conf_profile {
	CONF_PROFILE_AUTO, /* its own for a native worker and for a url, none for a command */
	CONF_PROFILE_STRICT,
	CONF_PROFILE_NODE,
	CONF_PROFILE_PYTHON,
	CONF_PROFILE_NONE,
};

/* What a domain's `url` speaks. */
enum conf_remote {
	CONF_REMOTE_AUTO, /* Streamable HTTP, and HTTP+SSE where that is refused */
	CONF_REMOTE_STREAMABLE,
	CONF_REMOTE_SSE,
};

/* What a worker may do beyond what its profile allows, and its limits. */
struct conf_sandbox {
	enum conf_profile profile;
	struct conf_strs read;    /* absolute paths */
	struct conf_strs write;   /* the same */
	struct conf_strs connect; /* TCP ports, or "any" */
	size_t memory;            /* 0: no limit; native: a default */
	unsigned processes;       /* 0: no limit */
	unsigned cpu;             /* processors; 0: no limit */
	bool required;            /* refuse to start where the kernel cannot enforce it */
};

struct conf_domain {
	char *name;
	const char *native;       /* "git": served by our program worker-git; NULL: the next two */
	struct conf_strs command; /* program and arguments; empty when native, or with a url */
	char *url;                /* of a remote server, for mcp-fleet-remote; "": none */
	char *headers_file;       /* with a url only; absolute; "": none */
	char *ca_file;            /* the same */
	enum conf_remote remote_transport;
	struct conf_envs env; /* those of env_file too */
	char *env_file;       /* absolute; "": none */
	char *cwd; /* absolute; "": that of the supervisor, or / when confined and native */
	enum conf_isolation isolation;
	enum conf_start start;
	int64_t idle_stop_ms; /* 0: never */
	bool required;        /* /ready is 503 without it */
	unsigned concurrency; /* calls in flight in one process; native: always 1 */
	unsigned processes_min;
	unsigned processes_max; /* never 0 or below processes_min */
	int64_t call_timeout_ms;
	unsigned queue;     /* calls that may wait */
	size_t queue_bytes; /* and their bytes */
	int64_t start_timeout_ms;
	int64_t cancel_grace_ms;
	int64_t health_interval_ms;
	int64_t health_timeout_ms;
	enum conf_protocol protocol; /* native: always auto, and legacy in fact */
	size_t max_line;             /* bytes of a worker's message */
	int64_t idle_shrink_ms;
	int64_t restart_first_ms;
	int64_t restart_cap_ms;
	int64_t restart_stable_ms;
	unsigned restart_park_after; /* deaths before ready in a row */
	int64_t restart_park_ms;
	enum conf_names names;
	struct conf_strs tools_allow; /* globs; see conf_domain_allows() */
	struct conf_strs tools_deny;
	bool tools_read_only;
	struct conf_overrides tools_override;
	struct conf_roots roots; /* native workers with roots only */
	struct conf_sandbox sandbox;
	struct conf_git git; /* native "git" only, and so on */
	struct conf_filesystem filesystem;
	struct conf_network network;
	char *settings_json; /* for the worker's --settings, or for mcp-fleet-remote; NULL: a command */
};

struct conf {
	char *path; /* of the settings file that was read; NULL: the built-in default */
	enum conf_transport transport;
	struct conf_auth auth;
	char *keys_path; /* what auth.keys_file means here; NULL: no keys file */
	struct conf_tls tls;
	struct conf_http http;
	struct conf_listener *listeners; /* at least one */
	size_t n_listeners;
	struct conf_local local;
	char *local_socket; /* what local.path means here; NULL: no local socket */
	struct conf_control control;
	char *control_socket; /* the same of control.path */
	char *runtime_dir;    /* where sockets with path auto lie; NULL: nowhere */
	bool owns_runtime_dir; /* nobody made it for us: it is made, and done without when that fails */
	struct conf_gateway gateway;
	char *admin_listen;          /* for machines that look after it; "": nowhere */
	struct conf_listener *admin; /* the same, read; NULL: nowhere */
	enum conf_admin_auth admin_auth;
	bool admin_public; /* the same paths on the listeners for clients */
	struct conf_audit audit;
	struct conf_otlp otlp;
	struct conf_limits limits;
	int64_t sse_heartbeat_ms;
	int64_t drain_ms;
	enum log_target log_format;
	enum log_level log_level;
	struct conf_tools tools;
	char *state_dir;             /* absolute; "": found by store_find_folder() */
	bool sandbox_required;       /* as if each domain had sandbox.required */
	struct conf_domain *domains; /* at least one, in byte order of their names */
	size_t n_domains;
};

/* Where settings come from: command line over environment over file. All is borrowed for the time of
 * conf_load(); all may be NULL or 0. */
struct conf_sources {
	const char *path;          /* --config: must be there. NULL: default_path, if it is there */
	const char *default_path;  /* NULL: SYSCONFDIR/mcp-fleet/fleet.yaml */
	const char *transport;     /* --transport */
	const char *const *listen; /* --listen: replace the listeners */
	size_t n_listen;
	const char *const *roots; /* --root: replace the roots of every domain that has roots */
	size_t n_roots;
	const char *const *domains; /* --domain: only these */
	size_t n_domains;
	char *(*get_env)(const char *name); /* NULL: getenv(3) */
};

/* Reads, checks and joins all sources. -errno with words in `fail` (always set, one line, no period):
 * -EINVAL for settings that are wrong, else why a file could not be read. conf.d/ and its *.yaml are
 * looked for beside the settings file. Does not log. */
int conf_load(const struct conf_sources *src, struct conf **ret, struct fail *fail) must_check;

/* The same with these bytes in the place of all files; `name` is for messages. */
int conf_load_text(const struct conf_sources *src, const char *name, const char *bytes, size_t len,
	struct conf **ret, struct fail *fail) must_check;

void conf_free(struct conf *conf);
DEFINE_FREEP(struct conf, conf_free)

/* Whether these settings allow to listen there: loopback and Unix addresses always, others where a credential
 * is wanted (conf_wants_credential()), or with auth: none. Listeners of the settings are checked already; ask
 * for sockets that were passed in. */
bool conf_may_listen_on(const struct conf *conf, const struct sockaddr_storage *addr);

/* Who comes over HTTP has to show a key, token or certificate: one of them can be shown, or auth: required. The
 * keys file counts when it exists, whatever is in it. Looks into the file system. */
bool conf_wants_credential(const struct conf *conf);

/* Small letters, digits and -, a letter first: what a domain may be called. */
bool conf_is_domain_name(const char *name);

/* NULL when there is none of this name. */
const struct conf_domain *conf_find_domain(const struct conf *conf, const char *name);

/* Whether a tool of this (canonical) name may be listed and called: some `tools.allow` matches and no
 * `tools.deny` does. What `tools.read_only` removes depends on the tool's hints: the caller's job. */
bool conf_domain_allows(const struct conf_domain *domain, const char *tool);

/* http://HOST[:PORT][/PATH] or https://…, without a user name and a fragment. */
bool conf_is_url(const char *text);

/* Whether it is served by mcp-fleet-remote, for its url. */
bool conf_domain_is_remote(const struct conf_domain *domain);

/* The TCP port of its url; 0: it has none. */
unsigned conf_domain_url_port(const struct conf_domain *domain);

/* What a reload does with a changed key. */
enum conf_reload {
	CONF_RELOAD_LIVE,      /* holds from now on */
	CONF_RELOAD_LISTENERS, /* listeners are opened and closed */
	CONF_RELOAD_WORKERS,   /* the processes of the domain are replaced, one after the other */
	CONF_RELOAD_RESTART,   /* not before the daemon starts again */
};

enum conf_domain_change {
	CONF_DOMAIN_ADDED,
	CONF_DOMAIN_REMOVED,
	CONF_DOMAIN_TUNED,    /* timeouts, sizes, tool filter: the processes can stay */
	CONF_DOMAIN_REPLACED, /* program, arguments, environment or worker's settings: new processes */
};

struct conf_domain_diff {
	char *name;
	enum conf_domain_change change;
};

struct conf_diff {
	bool listeners; /* the set of addresses and what they serve */
	bool log;
	bool live;                        /* some other top-level key that is CONF_RELOAD_LIVE */
	struct conf_domain_diff *domains; /* those that changed, in order of names */
	size_t n_domains;
	struct conf_strs keys;    /* top-level keys that differ: "limits.sessions" */
	struct conf_strs restart; /* those of them that need a restart, for the log */
};

/* What differs. conf_diff_done() afterwards. Nothing differs: all false and empty. */
void conf_diff(const struct conf *old, const struct conf *new, struct conf_diff *ret);
void conf_diff_done(struct conf_diff *diff);

enum conf_type {
	CONF_TYPE_BOOL,      /* bool */
	CONF_TYPE_COUNT,     /* unsigned */
	CONF_TYPE_SIZE,      /* size_t, bytes */
	CONF_TYPE_DURATION,  /* int64_t, milliseconds */
	CONF_TYPE_STRING,    /* char *: min and max are bytes */
	CONF_TYPE_STRINGS,   /* struct conf_strs: min and max are items */
	CONF_TYPE_ENUM,      /* an enum: one of `choices` */
	CONF_TYPE_ROOTS,     /* struct conf_roots */
	CONF_TYPE_ENV,       /* struct conf_envs */
	CONF_TYPE_OVERRIDES, /* struct conf_overrides */
	CONF_TYPE_GRANTS,    /* struct conf_grants */
	CONF_TYPE_LISTEN, /* listeners of struct conf; its parts are "listen.address" and "listen.domain" */
};

struct conf_choice {
	const char *name;
	int value;
};

/* A key of the table. */
struct conf_key {
	const char *path; /* "limits.sessions", "domains.*.queue", "domains.git.feature_prefix" */
	enum conf_type type;
	enum conf_reload reload;
	int64_t min, max;                  /* inclusive; 0, 0: not bounded */
	const char *def;                   /* as it is written in YAML; NULL: must be given */
	const struct conf_choice *choices; /* CONF_TYPE_ENUM; ends with { 0 } */
	const char *doc;                   /* one or two sentences */
	bool is_short; /* a text in the place of its section is this key: "sandbox: strict" */
	size_t offset; /* in struct conf, or in struct conf_domain for domains.… */
	/* A further condition on a text or on each text of a list; NULL: none. False: `form` says
	 * what is allowed. */
	bool (*is_valid)(const char *text);
	const char *form;
};

/* The table, for the loader, the tests and the documents; ends with path NULL. */
const struct conf_key *conf_table(void);
