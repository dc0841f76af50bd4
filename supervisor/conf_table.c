/* The one table of all settings; see conf.h.
 *
 * A key under "domains.*." is one of every domain. One under "domains.NAME." belongs to the native
 * worker of that name: either another default for a key of every domain (domains.utils.call_timeout),
 * or a key of its own, which goes to the worker under its last word. The order is that of the manual
 * page. A new key is a field, a row here, and its lines in etc/fleet.yaml and doc/fleet.yaml.5, which
 * `make check` compares with this table. */
#include "supervisor/conf.h"

#include <ctype.h>
#include <stddef.h>
#include <sys/un.h>

#include "shared/ipnet.h"
#include "shared/limits.h"
#include "shared/uri.h"
#include "supervisor/conf_value.h"

enum {
	MAX_GLOB = 2 * LIMIT_TOOL_NAME,
	MAX_SOCKET_PATH = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* The type is that of the field: an unsupported one does not compile. */
#define TYPE_OF(field)                                                                             \
	_Generic((field), bool: CONF_TYPE_BOOL, unsigned: CONF_TYPE_COUNT, size_t: CONF_TYPE_SIZE, \
		int64_t: CONF_TYPE_DURATION, char *: CONF_TYPE_STRING,                             \
		struct conf_strs: CONF_TYPE_STRINGS, struct conf_roots: CONF_TYPE_ROOTS,           \
		struct conf_envs: CONF_TYPE_ENV, struct conf_overrides: CONF_TYPE_OVERRIDES,       \
		struct conf_grants: CONF_TYPE_GRANTS)

#define FIELD(owner, field)                                                                        \
	.type = TYPE_OF(((struct owner *)0)->field), .offset = offsetof(struct owner, field)
#define CHOICE(owner, field, list)                                                                 \
	.type = CONF_TYPE_ENUM, .offset = offsetof(struct owner, field), .choices = (list)
#define RANGE(lo, hi) .min = (lo), .max = (hi)

static const struct conf_choice auth_choices[] = {
	{ "unset", CONF_AUTH_UNSET },
	{ "none", CONF_AUTH_NONE },
	{ "required", CONF_AUTH_REQUIRED },
	{ 0 },
};

static const struct conf_choice client_certs_choices[] = {
	{ "optional", CONF_CLIENT_CERTS_OPTIONAL },
	{ "required", CONF_CLIENT_CERTS_REQUIRED },
	{ 0 },
};

static const struct conf_choice tls_version_choices[] = {
	{ "1.2", CONF_TLS_1_2 },
	{ "1.3", CONF_TLS_1_3 },
	{ 0 },
};

static const struct conf_choice switch_choices[] = {
	{ "auto", CONF_SWITCH_AUTO },
	{ "on", CONF_SWITCH_ON },
	{ "off", CONF_SWITCH_OFF },
	{ 0 },
};

static const struct conf_choice admin_auth_choices[] = {
	{ "auto", CONF_ADMIN_AUTH_AUTO },
	{ "required", CONF_ADMIN_AUTH_REQUIRED },
	{ "none", CONF_ADMIN_AUTH_NONE },
	{ 0 },
};

static const struct conf_choice alias_choices[] = {
	{ "off", CONF_ALIASES_OFF },
	{ "hidden", CONF_ALIASES_HIDDEN },
	{ "listed", CONF_ALIASES_LISTED },
	{ 0 },
};

static const struct conf_choice names_choices[] = {
	{ "prefix", CONF_NAMES_PREFIX },
	{ "dotted", CONF_NAMES_DOTTED },
	{ "plain", CONF_NAMES_PLAIN },
	{ 0 },
};

static const struct conf_choice profile_choices[] = {
	{ "auto", CONF_PROFILE_AUTO },
	{ "strict", CONF_PROFILE_STRICT },
	{ "node", CONF_PROFILE_NODE },
	{ "python", CONF_PROFILE_PYTHON },
	{ "none", CONF_PROFILE_NONE },
	{ 0 },
};

static const struct conf_choice protocol_choices[] = {
	{ "auto", CONF_PROTOCOL_AUTO },
	{ "legacy", CONF_PROTOCOL_LEGACY },
	{ "modern", CONF_PROTOCOL_MODERN },
	{ 0 },
};

static const struct conf_choice isolation_choices[] = {
	{ "shared", CONF_ISOLATION_SHARED },
	{ "session", CONF_ISOLATION_SESSION },
	{ 0 },
};

static const struct conf_choice start_choices[] = {
	{ "eager", CONF_START_EAGER },
	{ "lazy", CONF_START_LAZY },
	{ 0 },
};

static const struct conf_choice remote_choices[] = {
	{ "auto", CONF_REMOTE_AUTO },
	{ "streamable", CONF_REMOTE_STREAMABLE },
	{ "sse", CONF_REMOTE_SSE },
	{ 0 },
};

static const struct conf_choice gateway_choices[] = {
	{ "sse", CONF_GATEWAY_SSE },
	{ "streamable", CONF_GATEWAY_STREAMABLE },
	{ 0 },
};

static const struct conf_choice format_choices[] = {
	{ "auto", LOG_TARGET_AUTO },
	{ "text", LOG_TARGET_TEXT },
	{ "json", LOG_TARGET_JSON },
	{ "journal", LOG_TARGET_JOURNAL },
	{ 0 },
};

static const struct conf_choice level_choices[] = {
	{ "debug", LOG_LEVEL_DEBUG },
	{ "info", LOG_LEVEL_INFO },
	{ "notice", LOG_LEVEL_NOTICE },
	{ "warning", LOG_LEVEL_WARNING },
	{ "error", LOG_LEVEL_ERROR },
	{ 0 },
};

static bool is_prefix_or_empty(const char *text)
{
	if (!*text)
		return true;
	return *text >= 'a' && *text <= 'z' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool is_glob(const char *text)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*?";

	return *text && strlen(text) <= MAX_GLOB && text[strspn(text, allowed)] == '\0';
}

static bool is_one_line(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

/* What git takes as a name in a commit. */
static bool is_identity(const char *text)
{
	return is_one_line(text) && !strpbrk(text, "<>");
}

static bool is_branch(const char *text)
{
	return *text && *text != '-' && strlen(text) <= 244 && is_one_line(text) &&
	       !strpbrk(text, " ~^:?*[\\") && !strstr(text, "..");
}

static bool is_protocol(const char *text)
{
	return streq(text, "https") || streq(text, "ssh") || streq(text, "file");
}

static bool is_absolute_or_empty(const char *text)
{
	return !*text || *text == '/';
}

bool conf_is_url(const char *text)
{
	struct uri_target parts;
	struct uri_authority authority;

	return uri_split(text, strlen(text), &parts) == 0 && parts.authority.at &&
	       uri_split_authority(parts.authority.at, parts.authority.len, &authority) == 0;
}

static bool is_url_or_empty(const char *text)
{
	return !*text || conf_is_url(text);
}

static bool is_absolute(const char *text)
{
	return *text == '/';
}

static bool is_socket_path(const char *text)
{
	return streq(text, "auto") || is_absolute_or_empty(text);
}

/* What a rule on addresses may be made of; the worker reads it. */
static bool is_address_rule(const char *text)
{
	return *text && strlen(text) <= 260 &&
	       text[strspn(text,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_[]/")] ==
		       '\0';
}

static bool is_port_or_any(const char *text)
{
	unsigned long port = 0;

	if (streq(text, "any"))
		return true;
	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || (port == 0 && *at == '0'))
			return false;
		port = port * 10 + (unsigned long)(*at - '0');
		if (port > UINT16_MAX)
			return false;
	}
	return port > 0;
}

static bool is_http_method(const char *text)
{
	static const char *const known[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH",
		"DELETE" };

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		if (streq(known[i], text))
			return true;
	}
	return false;
}

/* A header's name: a token of RFC 9110, section 5.6.2. */
static bool is_header_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'*+-.^_`|~";

	return *text && text[strspn(text, allowed)] == '\0';
}

static bool is_visibility(const char *text)
{
	return streq(text, "public") || streq(text, "team") || streq(text, "private");
}

/* What is left of it in the gateway's names: nothing else survives there as it is. */
static bool is_gateway_prefix(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* The gateway drops others without a word. */
static bool is_gateway_tag(const char *text)
{
	size_t len = strlen(text);

	return len >= 2 && len <= 100 && is_one_line(text) && !strpbrk(text, "<>");
}

static bool is_user_or_group(const char *text)
{
	text += *text == '%';
	return *text && is_one_line(text) && !strpbrk(text, "%:, ");
}

static bool is_listen_address_or_empty(const char *text)
{
	struct sockaddr_storage addr;
	enum conf_scheme scheme;
	socklen_t len;

	return !*text || conf_parse_listen(text, &scheme, &addr, &len) == 0;
}

static bool is_line(const char *text)
{
	return *text && is_one_line(text);
}

static bool is_host_rule(const char *text)
{
	struct uri_authority parts;

	return streq(text, "*") || uri_split_authority(text, strlen(text), &parts) == 0;
}

static bool is_origin_rule(const char *text)
{
	const char *authority = strstr(text, "://");

	return streq(text, "*") ||
	       (conf_is_url(text) && authority && !strpbrk(authority + 3, "/?"));
}

static bool is_network(const char *text)
{
	struct ipnet network;

	return ipnet_parse(text, &network) == 0;
}

static bool is_audit_target(const char *text)
{
	return streq(text, "log") || is_absolute_or_empty(text);
}

static bool is_not_empty(const char *text)
{
	return *text != '\0';
}

/* What one key or one address may have of everything. */
#define QUOTA_OF(section, field, who)                                                              \
	{ section ".rate", FIELD(conf, field.rate), .reload = CONF_RELOAD_LIVE, RANGE(0, 1000000), \
		.def = "0", .doc = "Requests of " who " a second; more are answered with 429." },  \
		{ section ".burst", FIELD(conf, field.burst), .reload = CONF_RELOAD_LIVE,          \
			RANGE(0, 1000000), .def = "0",                                             \
			.doc = "That many at once after a pause; 0: twice the rate." },            \
		{ section ".sessions", FIELD(conf, field.sessions), .reload = CONF_RELOAD_LIVE,    \
			RANGE(0, 1000000), .def = "0",                                             \
			.doc = "Sessions of " who "; one more is answered with 429." },            \
		{ section ".streams", FIELD(conf, field.streams), .reload = CONF_RELOAD_LIVE,      \
			RANGE(0, 1000000), .def = "0",                                             \
			.doc = "Event streams of " who "; one more is answered with 429." },       \
		{ section ".calls", FIELD(conf, field.calls), .reload = CONF_RELOAD_LIVE,          \
			RANGE(0, 1000000), .def = "0",                                             \
			.doc = "Calls of " who                                                     \
			       " in flight; one more is answered with an error." },                \
	{                                                                                          \
		section ".bytes_rate", FIELD(conf, field.bytes_rate),                              \
			.reload = CONF_RELOAD_LIVE, RANGE(0, INT64_C(1024) * MIB), .def = "0",     \
			.doc = "Bytes of requests of " who                                         \
			       " a second; more are answered with 429."                            \
	}

static const struct conf_key table[] = {
	{ "auth.mode", CHOICE(conf, auth.mode, auth_choices), .reload = CONF_RELOAD_LIVE,
		.def = "unset", .is_short = true,
		.doc = "Who may use the tools over HTTP. unset: who shows a key, a token or a certificate, "
		       "as soon as one of these is set up (the keys file exists, issuer or "
		       "tls.client_ca_file is set); until then everybody, and only loopback addresses "
		       "are listened on. required: the same, and nobody until then. none, written out: "
		       "everybody, on any address." },
	{ "auth.keys_file", FIELD(conf, auth.keys_file), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "auto", .is_valid = is_socket_path,
		.form = "auto, an absolute path, or empty",
		.doc = "The hashes of keys, as mcp-fleetctl key writes them; a change holds at once. auto: "
		       "keys.json beside the settings file, else in the folder of the default one; "
		       "empty: no keys." },
	{ "auth.issuer", FIELD(conf, auth.issuer), .reload = CONF_RELOAD_LIVE, RANGE(0, 2048),
		.def = "\"\"", .is_valid = is_one_line, .form = "one line",
		.doc = "Who makes the tokens (JWT) that are taken: their claim iss; empty: none are taken." },
	{ "auth.audience", FIELD(conf, auth.audience), .reload = CONF_RELOAD_LIVE, RANGE(0, 64),
		.def = "[]", .is_valid = is_line, .form = "a text of one line",
		.doc = "For whom a token must be, one of these: its claim aud; empty: for resource." },
	{ "auth.secret_file", FIELD(conf, auth.secret_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "A file with the secret of HS256 tokens, 32 bytes or more; empty: none are taken." },
	{ "auth.jwks_file", FIELD(conf, auth.jwks_file), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "A file with the public keys (JWKS) of RS256 and ES256 tokens; empty: none." },
	{ "auth.jwks_url", FIELD(conf, auth.jwks_url), .reload = CONF_RELOAD_LIVE, RANGE(0, 8192),
		.def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "Where these keys are fetched (https, or http on this machine), and fetched again "
		       "when they are old or a token names another; empty: nowhere." },
	{ "auth.jwks_ca_file", FIELD(conf, auth.jwks_ca_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Certificates (PEM) by which that server is known; empty: those of the system." },
	{ "auth.resource", FIELD(conf, auth.resource), .reload = CONF_RELOAD_LIVE, RANGE(0, 8192),
		.def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "This server as its clients know it, for the metadata that tell them where tokens "
		       "are had; without a path each endpoint is a resource below it. Empty: as the "
		       "request names it." },
	{ "auth.authorization_servers", FIELD(conf, auth.authorization_servers),
		.reload = CONF_RELOAD_LIVE, RANGE(0, 16), .def = "[]", .is_valid = conf_is_url,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "Where clients are sent for a token; empty: to the issuer." },
	{ "auth.scopes", FIELD(conf, auth.scopes), .reload = CONF_RELOAD_LIVE, RANGE(0, 256),
		.def = "{}", .is_valid = is_glob, .form = "a name, with * and ?",
		.doc = "What the scopes of a token allow: a mapping of scopes, each to domains and tools "
		       "(lists of names, with * and ?; left out: all). Empty: each token allows all." },
	{ "auth.leeway", FIELD(conf, auth.leeway_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 10 * MINUTE), .def = "30s",
		.doc = "How far the clock of the issuer may be from ours." },

	{ "tls.cert_file", FIELD(conf, tls.cert_file), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "The certificate (PEM) and those between it and the root; a reload reads it "
		       "again. Empty: HTTP without TLS, on loopback and where it is written out." },
	{ "tls.key_file", FIELD(conf, tls.key_file), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "Its key (PEM); empty: it is in cert_file." },
	{ "tls.client_ca_file", FIELD(conf, tls.client_ca_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Certificates (PEM) that vouch for those of clients; empty: clients are not asked "
		       "for one. Which key a certificate stands for is said in the keys file." },
	{ "tls.client_crl_file", FIELD(conf, tls.client_crl_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Lists of revoked certificates (CRL, PEM), one of each authority in "
		       "client_ca_file; a reload reads them again. While a list is missing or has ended "
		       "the clients of its authority are refused. Empty: none is looked into." },
	{ "tls.client_certs", CHOICE(conf, tls.client_certs, client_certs_choices),
		.reload = CONF_RELOAD_LIVE, .def = "optional",
		.doc = "required: who shows no certificate is not talked to at all." },
	{ "tls.min_version", CHOICE(conf, tls.min_version, tls_version_choices),
		.reload = CONF_RELOAD_LIVE, .def = "\"1.2\"", .doc = "The oldest version of TLS." },
	{ "tls.passed", CHOICE(conf, tls.passed, switch_choices), .reload = CONF_RELOAD_RESTART,
		.def = "auto",
		.doc = "TLS on sockets of the service manager. auto: where the address is not loopback, "
		       "and none without a certificate is taken; off allows those." },

	{ "http.allowed_hosts", FIELD(conf, http.allowed_hosts), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 256), .def = "[]", .is_valid = is_host_rule,
		.form = "a host, HOST:PORT, or *",
		.doc = "Names by which we may be asked (Host). Empty: on loopback listeners those of "
		       "loopback, on others any. Loopback names are always taken on loopback." },
	{ "http.allowed_origins", FIELD(conf, http.allowed_origins), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 256), .def = "[]", .is_valid = is_origin_rule,
		.form = "http://HOST[:PORT], https://HOST[:PORT], or *",
		.doc = "Web pages that may ask us (Origin), beside those that we are asked by the name "
		       "of; they are granted it (CORS)." },
	{ "http.trusted_proxies", FIELD(conf, http.trusted_proxies), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 256), .def = "[]", .is_valid = is_network,
		.form = "an address or ADDRESS/BITS",
		.doc = "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Their clients "
		       "have to show a credential, on loopback too, unless auth: none is written out." },
	{ "listen", .type = CONF_TYPE_LISTEN, .reload = CONF_RELOAD_LISTENERS, RANGE(1, 64),
		.def = "[{address: \"127.0.0.1:8000\"}]",
		.doc = "The addresses to listen on. PORT in the environment changes the port of the "
		       "default." },
	{ "listen.address", .type = CONF_TYPE_STRING, .reload = CONF_RELOAD_LISTENERS,
		.def = "127.0.0.1:8000",
		.doc = "An IP address or localhost, and a port; an IPv6 address stands in brackets. "
		       "With port 0 the kernel chooses one, and the log tells it. http:// or https:// "
		       "before it says whether it is served with TLS; without them it is where "
		       "tls.cert_file is set and the address is not loopback, and an address that is "
		       "not loopback is not listened on without TLS." },
	{ "listen.domain", .type = CONF_TYPE_STRING, .reload = CONF_RELOAD_LISTENERS, .def = "\"\"",
		.doc = "Serve this one domain at the root of the listener; empty: the whole fleet, and "
		       "each domain below its name." },

	{ "local.path", FIELD(conf, local.path), .reload = CONF_RELOAD_LISTENERS,
		RANGE(0, MAX_SOCKET_PATH), .def = "auto", .is_valid = is_socket_path,
		.form = "auto, an absolute path, or empty",
		.doc = "The Unix socket at which local clients speak as on standard input and output, "
		       "one message a line. Its mode is 0660. auto: with transport sse, mcp.sock in "
		       "the folder that the service manager made (RUNTIME_DIRECTORY), else in "
		       "/run/mcp-fleet for root and in mcp-fleet below XDG_RUNTIME_DIR for others, if "
		       "that can be had; empty: none." },
	{ "local.group", FIELD(conf, local.group), .reload = CONF_RELOAD_LISTENERS, RANGE(0, 256),
		.def = "\"\"", .is_valid = is_one_line, .form = "the name of a group",
		.doc = "The group of the socket: its members may connect, beside root and the daemon's "
		       "user; empty: the daemon's own." },

	{ "control.path", FIELD(conf, control.path), .reload = CONF_RELOAD_RESTART,
		RANGE(0, MAX_SOCKET_PATH), .def = "auto", .is_valid = is_socket_path,
		.form = "auto, an absolute path, or empty",
		.doc = "The Unix socket of mcp-fleetctl. Its mode is 0660. auto: control.sock, where "
		       "local.path has its own; empty: none." },
	{ "control.group", FIELD(conf, control.group), .reload = CONF_RELOAD_RESTART, RANGE(0, 256),
		.def = "\"\"", .is_valid = is_one_line, .form = "the name of a group",
		.doc = "The group of the socket: its members may see everything, beside root and the "
		       "daemon's user; empty: the daemon's own." },
	{ "control.admins", FIELD(conf, control.admins), .reload = CONF_RELOAD_LIVE, RANGE(0, 256),
		.def = "[]", .is_valid = is_user_or_group,
		.form = "the name of a user, or % and the name of a group",
		.doc = "Who of them may also change what runs, beside root and the daemon's user." },

	{ "gateway.url", FIELD(conf, gateway.url), .reload = CONF_RELOAD_LIVE, RANGE(0, 8192),
		.def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "The ContextForge gateway at which the fleet is kept registered; empty: at none, "
		       "until mcp-fleetctl register names one. MCP_GATEWAY_URL in the environment "
		       "overrides it." },
	{ "gateway.token_file", FIELD(conf, gateway.token_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "A file with the token for it. Empty: the credential gateway.token of the service "
		       "manager, else MCPGATEWAY_BEARER_TOKEN of the environment." },
	{ "gateway.auth_header", FIELD(conf, gateway.auth_header), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 256), .def = "Authorization", .is_valid = is_header_name,
		.form = "the name of an HTTP header",
		.doc = "The header that carries the token (AUTH_HEADER_NAME of the gateway)." },
	{ "gateway.ca_file", FIELD(conf, gateway.ca_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Certificates (PEM) by which the gateway is known; empty: those of the system." },
	{ "gateway.client_cert", FIELD(conf, gateway.client_cert), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Our own certificate (PEM), for a gateway that asks for one." },
	{ "gateway.client_key", FIELD(conf, gateway.client_key), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Its key (PEM); empty: in the file of the certificate." },
	{ "gateway.verify", FIELD(conf, gateway.verify), .reload = CONF_RELOAD_LIVE, .def = "true",
		.doc = "Whether the gateway's certificate is checked. false gives the token to whoever "
		       "answers, and is warned of. GATEWAY_VERIFY_SSL in the environment overrides it." },
	{ "gateway.public_url", FIELD(conf, gateway.public_url), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 8192), .def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "Where the gateway reaches this fleet, without /DOMAIN/sse; empty: the address of "
		       "the first listener that serves the whole fleet, which is right for a gateway on "
		       "the same machine." },
	{ "gateway.transport", CHOICE(conf, gateway.transport, gateway_choices),
		.reload = CONF_RELOAD_LIVE, .def = "sse",
		.doc = "In which way it is to reach the domains: sse (HTTP+SSE), or streamable "
		       "(Streamable HTTP)." },
	{ "gateway.name_prefix", FIELD(conf, gateway.name_prefix), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 64), .def = "fleet-", .is_valid = is_gateway_prefix,
		.form = "small letters, digits and -",
		.doc = "A domain's name at the gateway begins with this." },
	{ "gateway.visibility", FIELD(conf, gateway.visibility), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 16), .def = "public", .is_valid = is_visibility,
		.form = "public, team or private", .doc = "Who sees the domains at the gateway." },
	{ "gateway.tags", FIELD(conf, gateway.tags), .reload = CONF_RELOAD_LIVE, RANGE(0, 16),
		.def = "[]", .is_valid = is_gateway_tag,
		.form = "2 to 100 characters without < and >",
		.doc = "Further tags, beside the two by which we know what is ours." },
	{ "gateway.domains", FIELD(conf, gateway.domains), .reload = CONF_RELOAD_LIVE, RANGE(0, 64),
		.def = "[]", .is_valid = is_not_empty, .form = "the name of a domain",
		.doc = "Only these domains are registered; empty: all." },
	{ "gateway.server", FIELD(conf, gateway.server), .reload = CONF_RELOAD_LIVE, RANGE(0, 128),
		.def = "\"\"", .is_valid = is_one_line, .form = "a text on one line",
		.doc = "A virtual server of this name has all tools of the fleet; empty: none is made." },
	{ "gateway.interval", FIELD(conf, gateway.interval_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(SECOND, HOUR), .def = "30s",
		.doc = "How often what the gateway has is compared with what the fleet is." },
	{ "gateway.key_file", FIELD(conf, gateway.key_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "A file with the key that the gateway sends to us as a bearer token; empty: none." },
	{ "gateway.peer_ca_file", FIELD(conf, gateway.peer_ca_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Certificates (PEM) by which the gateway is to know this fleet, where public_url "
		       "is https and its own do not do." },

	{ "admin.listen", FIELD(conf, admin_listen), .reload = CONF_RELOAD_RESTART, RANGE(0, 256),
		.def = "\"\"", .is_valid = is_listen_address_or_empty, .form = CONF_FORM_LISTEN,
		.doc = "Where /metrics, /status, /health and /ready are served for those who look after "
		       "the daemon, as 127.0.0.1:9464; empty: /metrics and /status nowhere." },
	{ "admin.auth", CHOICE(conf, admin_auth, admin_auth_choices), .reload = CONF_RELOAD_LIVE,
		.def = "auto",
		.doc = "Whether a key that may administrate has to be shown for them; auto: not on "
		       "loopback. /health and /ready are for everybody." },
	{ "admin.public", FIELD(conf, admin_public), .reload = CONF_RELOAD_RESTART, .def = "false",
		.doc = "Serve /metrics and /status on the listeners for clients, too." },

	{ "audit.target", FIELD(conf, audit.target), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_audit_target,
		.form = "log, an absolute path, or empty",
		.doc = "Where each call of a tool is recorded: who, which tool, names and sizes of its "
		       "arguments, outcome, duration; and who was turned away. log: in the log, with the field AUDIT; a path: as "
		       "JSON lines in this file; empty: nowhere." },
	{ "audit.values", FIELD(conf, audit.values), .reload = CONF_RELOAD_LIVE, .def = "false",
		.doc = "Record the values of arguments, too; they may be secret." },

	{ "otlp.url", FIELD(conf, otlp.url), .reload = CONF_RELOAD_LIVE, RANGE(0, 8192),
		.def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST[:PORT][/PATH] or https://…",
		.doc = "The collector to which a span of each call is sent (OTLP over HTTP), as "
		       "http://127.0.0.1:4318/v1/traces; empty: none." },
	{ "otlp.headers_file", FIELD(conf, otlp.headers_file), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "A file with headers for it, one a line, as NAME: VALUE; empty: none." },
	{ "otlp.ca_file", FIELD(conf, otlp.ca_file), .reload = CONF_RELOAD_LIVE, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "Certificates (PEM) by which it is known; empty: those of the system." },
	{ "otlp.sample", FIELD(conf, otlp.sample), .reload = CONF_RELOAD_LIVE, RANGE(0, 100),
		.def = "100",
		.doc = "How many in a hundred traces are sent, of those whose client has not decided." },
	{ "otlp.interval", FIELD(conf, otlp.interval_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(100, HOUR), .def = "5s", .doc = "How often spans are sent." },

	{ "limits.sessions", FIELD(conf, limits.sessions), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 100000), .def = "1000",
		.doc = "Sessions at one time; one more is answered with 503, over the local socket "
		       "with an error line." },
	{ "limits.session_idle", FIELD(conf, limits.session_idle_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(100, 30 * DAY), .def = "1h",
		.doc = "A session without any message for so long is closed." },
	{ "limits.sweep", FIELD(conf, limits.sweep_ms), .reload = CONF_RELOAD_LIVE, RANGE(100, DAY),
		.def = "5m", .doc = "How often idle sessions are looked for." },
	{ "limits.request_bytes", FIELD(conf, limits.request_bytes), .reload = CONF_RELOAD_LIVE,
		RANGE(KIB, 64 * MIB), .def = "4MiB",
		.doc = "Body of a request, and message of a client; a larger one is answered with 413." },
	{ "limits.session_queue_bytes", FIELD(conf, limits.session_queue_bytes),
		.reload = CONF_RELOAD_LIVE, RANGE(64 * KIB, 256 * MIB), .def = "8MiB",
		.doc = "Bytes that may wait for a client that reads slowly; beyond, its session is "
		       "closed. Must be above tools.max_result_bytes." },
	{ "limits.session_queue_messages", FIELD(conf, limits.session_queue_messages),
		.reload = CONF_RELOAD_LIVE, RANGE(16, 65536), .def = "1024",
		.doc = "The same in messages." },
	{ "limits.session_replay_bytes", FIELD(conf, limits.session_replay_bytes),
		.reload = CONF_RELOAD_LIVE, RANGE(0, 256 * MIB), .def = "1MiB",
		.doc = "Bytes of a session's delivered events that are kept for a client that lost "
		       "its connection and asks for them with Last-Event-ID; the oldest leave first." },
	{ "limits.session_replay_events", FIELD(conf, limits.session_replay_events),
		.reload = CONF_RELOAD_LIVE, RANGE(0, 65536), .def = "1000",
		.doc = "The same in events." },
	{ "limits.calls_per_session", FIELD(conf, limits.calls_per_session),
		.reload = CONF_RELOAD_LIVE, RANGE(1, 10000), .def = "64",
		.doc = "Calls of one session in flight; one more is answered with an error." },
	{ "limits.input_timeout", FIELD(conf, limits.input_timeout_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(1000, DAY), .def = "5m",
		.doc = "Time for a client to give what a tool asks of it or of its user." },
	{ "limits.connections", FIELD(conf, limits.connections), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 1000000), .def = "4096",
		.doc = "Connections at one time, over HTTP and over the local socket each; one more is "
		       "answered as with limits.sessions. The limit of open files is raised as far as "
		       "the service manager allows." },
	{ "limits.header_bytes", FIELD(conf, limits.header_bytes), .reload = CONF_RELOAD_LIVE,
		RANGE(KIB, 256 * KIB), .def = "16KiB",
		.doc = "Request line and headers; larger ones are answered with 431." },
	{ "limits.header_timeout", FIELD(conf, limits.header_timeout_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(100, 10 * MINUTE), .def = "10s",
		.doc = "Time for a request's headers to arrive; then 408." },
	{ "limits.body_timeout", FIELD(conf, limits.body_timeout_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(100, HOUR), .def = "30s",
		.doc = "Time for a request's body to arrive; then 408." },
	{ "limits.keepalive_timeout", FIELD(conf, limits.keepalive_timeout_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(100, HOUR), .def = "60s",
		.doc = "A connection without a request for so long is closed, and one whose client reads "
		       "nothing of its answer for so long." },
	{ "limits.streams", FIELD(conf, limits.streams), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 1000000), .def = "0",
		.doc = "Event streams at one time; one more is answered with 503. 0, here and in the keys "
		       "that follow: no limit of its own." },
	{ "limits.calls", FIELD(conf, limits.calls), .reload = CONF_RELOAD_LIVE, RANGE(0, 1000000),
		.def = "0",
		.doc = "Calls of all sessions in flight; one more is answered with an error." },
	{ "limits.unauthenticated", FIELD(conf, limits.unauthenticated), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 1000000), .def = "256",
		.doc = "Connections that have not shown a credential where one is wanted; one more takes "
		       "the place of the oldest of the address that has the most." },
	{ "limits.min_rate", FIELD(conf, limits.min_rate), .reload = CONF_RELOAD_LIVE,
		RANGE(0, MIB), .def = "256",
		.doc = "Bytes a second that a request's body must come with, after the first seconds; "
		       "slower ones are answered with 408." },
	QUOTA_OF("limits.per_key", limits.per_key, "one key"),
	QUOTA_OF("limits.per_address", limits.per_address, "one address"),
	{ "limits.per_address.connections", FIELD(conf, limits.per_address.connections),
		.reload = CONF_RELOAD_LIVE, RANGE(0, 1000000), .def = "0",
		.doc = "Connections of one address at one time (of IPv6: of one network of 64 bits, here and "
		       "above); one more is closed." },

	{ "sse.heartbeat", FIELD(conf, sse_heartbeat_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(50, HOUR), .def = "15s",
		.doc = "How often a ping event goes to each SSE stream, and a comment to each event stream "
		       "of /mcp; a request there that waits so long for its answer gets a stream. "
		       "SSE_HEARTBEAT_SECONDS in the environment overrides it." },
	{ "drain", FIELD(conf, drain_ms), .reload = CONF_RELOAD_LIVE, RANGE(0, HOUR), .def = "10s",
		.doc = "After SIGTERM: time for calls in flight to end." },

	{ "state_dir", FIELD(conf, state_dir), .reload = CONF_RELOAD_RESTART, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "Where the lists of domains that start lazily are kept. Empty: STATE_DIRECTORY "
		       "of the environment, else /var/lib/mcp-fleet for root and where it can be "
		       "written to, else nowhere." },

	{ "log.format", CHOICE(conf, log_format, format_choices), .reload = CONF_RELOAD_LIVE,
		.def = "auto",
		.doc = "auto is journal where standard error is connected to it, else text." },
	{ "log.level", CHOICE(conf, log_level, level_choices), .reload = CONF_RELOAD_LIVE,
		.def = "info", .doc = "The least important level that is logged." },

	{ "tools.aliases", CHOICE(conf, tools.aliases, alias_choices),
		.reload = CONF_RELOAD_WORKERS, .def = "hidden",
		.doc = "Names under which other servers offer the same tools: off refuses them, hidden "
		       "takes calls, listed also shows them in the list of tools." },
	{ "tools.federation_prefix", FIELD(conf, tools.federation_prefix),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 32), .def = "\"\"",
		.is_valid = is_prefix_or_empty,
		.form = "a small letter, then small letters, digits and _",
		.doc = "With sanctuary here, sanctuary.git.commit calls git_commit; empty: off." },
	{ "tools.max_result_bytes", FIELD(conf, tools.max_result_bytes),
		.reload = CONF_RELOAD_WORKERS, RANGE(64 * KIB, 15 * MIB), .def = "6MiB",
		.doc = "The largest answer of a tool. Must be below limits.session_queue_bytes." },
	{ "tools.page_size", FIELD(conf, tools.page_size), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 1000), .def = "0",
		.doc = "Tools in one page of tools/list, and so on for the lists of prompts, "
		       "resources and their templates; 0: all in one page." },

	{ "sandbox.required", FIELD(conf, sandbox_required), .reload = CONF_RELOAD_LIVE,
		.def = "false",
		.doc = "As if every domain had sandbox.required, but for those whose profile is none." },

	{ "domains.*.command", FIELD(conf_domain, command), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 256), .def = "[]",
		.doc = "Program and arguments of an MCP server that speaks stdio. The program is an "
		       "absolute path, or a name that is looked up in PATH; no shell is involved. "
		       "Empty for the workers that are built in (git, filesystem, network, utils) and "
		       "where there is a url." },
	{ "domains.*.url", FIELD(conf_domain, url), .reload = CONF_RELOAD_WORKERS, RANGE(0, 8192),
		.def = "\"\"", .is_valid = is_url_or_empty,
		.form = "http://HOST/PATH or https://HOST/PATH, without a user name",
		.doc = "An MCP server that runs elsewhere, over Streamable HTTP or HTTP+SSE, in the "
		       "place of a command. Its sessions are opened again by themselves." },
	{ "domains.*.headers_file", FIELD(conf_domain, headers_file), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Lines Name: value, for every request to the url, such as Authorization; mode "
		       "0600 or 0400, or 0640 and root as its owner. It is read again when it "
		       "changes." },
	{ "domains.*.ca_file", FIELD(conf_domain, ca_file), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "Certificates that are trusted for the url, instead of those of the system." },
	{ "domains.*.transport", CHOICE(conf_domain, remote_transport, remote_choices),
		.reload = CONF_RELOAD_WORKERS, .def = "auto",
		.doc = "What the url speaks; auto is Streamable HTTP, and HTTP+SSE where that is "
		       "refused with 400, 404 or 405." },
	{ "domains.*.env", FIELD(conf_domain, env), .reload = CONF_RELOAD_WORKERS, RANGE(0, 256),
		.def = "{}", .doc = "Environment variables of the worker." },
	{ "domains.*.env_file", FIELD(conf_domain, env_file), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 4096), .def = "\"\"", .is_valid = is_absolute_or_empty,
		.form = "an absolute path",
		.doc = "More of them, those that are secrets: lines NAME=value, the value as it stands "
		       "there, or as a JSON string in double quotes; mode 0600 or 0400, or 0640 and root "
		       "as its owner. It is read when the settings are." },
	{ "domains.*.cwd", FIELD(conf_domain, cwd), .reload = CONF_RELOAD_WORKERS, RANGE(0, 4096),
		.def = "\"\"", .is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "Working directory of a command; it must be there when the process starts. "
		       "Empty: the directory in which mcp-fleetd was started." },
	{ "domains.*.isolation", CHOICE(conf_domain, isolation, isolation_choices),
		.reload = CONF_RELOAD_WORKERS, .def = "shared",
		.doc = "With session each session has a process of its own, from its first call to its "
		       "end; processes.min are kept ready for new ones. For commands only. What a "
		       "server asks of its client (sampling, elicitation, roots) can be passed on "
		       "only if it is plain whose call it is about: a server that asks is best run "
		       "so." },
	{ "domains.*.start", CHOICE(conf_domain, start, start_choices),
		.reload = CONF_RELOAD_WORKERS, .def = "eager",
		.doc = "With lazy the lists of the last run are offered until the first call starts "
		       "a process, whose lists are compared with them. Without lists (state_dir) it "
		       "is started at once." },
	{ "domains.*.idle_stop", FIELD(conf_domain, idle_stop_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 30 * DAY), .def = "0s",
		.doc = "All processes end when no call came for so long and no session subscribes to "
		       "a resource; the next call starts them again. 0s: never." },
	{ "domains.*.required", FIELD(conf_domain, required), .reload = CONF_RELOAD_LIVE,
		.def = "true",
		.doc = "Whether /ready is 503 while this domain is down, lists no tools, or has names "
		       "that another one has." },
	{ "domains.*.concurrency", FIELD(conf_domain, concurrency), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 1000), .def = "1",
		.doc = "Calls in flight in one process; 16 for a url unless it is written. A worker "
		       "that is built in serves one at a time. A call that waits for what its client "
		       "was asked holds its place until limits.input_timeout: with 1 the others wait "
		       "so long, with more a question may belong to any of them and is refused; "
		       "isolation: session has neither. What is asked about a task that the process has "
		       "begun does not count." },
	{ "domains.*.processes.min", FIELD(conf_domain, processes_min), .reload = CONF_RELOAD_LIVE,
		RANGE(1, 64), .def = "1", .doc = "Processes that always run." },
	{ "domains.*.processes.max", FIELD(conf_domain, processes_max), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 1024), .def = "0",
		.doc = "Processes under load; 0: four for a worker that is built in, one for a command "
		       "(which may keep state), 64 with isolation: session, but not less than "
		       "processes.min." },
	{ "domains.*.call_timeout", FIELD(conf_domain, call_timeout_ms),
		.reload = CONF_RELOAD_WORKERS, RANGE(100, HOUR), .def = "60s",
		.doc = "Time for a call; some tools (git_clone and its like) have more." },
	{ "domains.*.queue", FIELD(conf_domain, queue), .reload = CONF_RELOAD_LIVE, RANGE(1, 65536),
		.def = "4096",
		.doc = "Calls that may wait for a process; one more is answered with an error." },
	{ "domains.*.queue_bytes", FIELD(conf_domain, queue_bytes), .reload = CONF_RELOAD_LIVE,
		RANGE(64 * KIB, 1024 * MIB), .def = "64MiB", .doc = "The same in bytes." },
	{ "domains.*.start_timeout", FIELD(conf_domain, start_timeout_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(100, 10 * MINUTE), .def = "10s",
		.doc = "Time from start to ready; then the process is killed." },
	{ "domains.*.cancel_grace", FIELD(conf_domain, cancel_grace_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(10, MINUTE), .def = "2s",
		.doc = "Time for a worker to stop a cancelled call; then it is killed and replaced." },
	{ "domains.*.health.interval", FIELD(conf_domain, health_interval_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(100, HOUR), .def = "30s",
		.doc = "How often an idle process is asked (ping)." },
	{ "domains.*.health.timeout", FIELD(conf_domain, health_timeout_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(50, 10 * MINUTE), .def = "5s",
		.doc = "Time for the answer; then the process is killed and replaced." },
	{ "domains.*.protocol", CHOICE(conf_domain, protocol, protocol_choices),
		.reload = CONF_RELOAD_WORKERS, .def = "auto",
		.doc = "How a command is opened: legacy with initialize (2024-11-05 to 2025-11-25), "
		       "modern with server/discover (2026-07-28). auto tries legacy first, and modern "
		       "beside it where the newest legacy revision was answered, or after a refusal. "
		       "Servers that decide once, like those of the Python and TypeScript SDKs, are "
		       "modern only when it is said here." },
	{ "domains.*.max_line", FIELD(conf_domain, max_line), .reload = CONF_RELOAD_WORKERS,
		RANGE(64 * KIB, 256 * MIB), .def = "16MiB",
		.doc = "The longest message of a command; a longer one is a fault, and the process is "
		       "replaced." },
	{ "domains.*.idle_shrink", FIELD(conf_domain, idle_shrink_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(100, DAY), .def = "60s",
		.doc = "A process above processes.min that was idle for so long is stopped." },
	{ "domains.*.restart.first", FIELD(conf_domain, restart_first_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(10, MINUTE), .def = "100ms",
		.doc = "Wait before the first restart of a process that died before it was ready; it "
		       "doubles each time." },
	{ "domains.*.restart.cap", FIELD(conf_domain, restart_cap_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(10, HOUR), .def = "30s", .doc = "The longest of these waits." },
	{ "domains.*.restart.stable", FIELD(conf_domain, restart_stable_ms),
		.reload = CONF_RELOAD_LIVE, RANGE(100, DAY), .def = "60s",
		.doc = "After so long in health the wait begins at restart.first again." },
	{ "domains.*.restart.park_after", FIELD(conf_domain, restart_park_after),
		.reload = CONF_RELOAD_LIVE, RANGE(1, 1000), .def = "5",
		.doc = "Deaths before ready in a row after which the domain is parked: its tools leave "
		       "the list." },
	{ "domains.*.restart.park", FIELD(conf_domain, restart_park_ms), .reload = CONF_RELOAD_LIVE,
		RANGE(100, DAY), .def = "5m",
		.doc = "How often a parked domain is tried again; 30s for a url unless it is "
		       "written, since a server that is away comes back by itself." },
	{ "domains.*.names", CHOICE(conf_domain, names, names_choices), .reload = CONF_RELOAD_LIVE,
		.def = "prefix",
		.doc = "How names of a command's tools and prompts, and its URIs, are told from those of "
		       "other domains: prefix (name_tool, name+scheme:), dotted (name.tool, "
		       "name.scheme:), or plain, as they are. What an earlier domain (in order of their "
		       "names) has already is left out, and /ready says so." },
	{ "domains.*.tools.allow", FIELD(conf_domain, tools_allow), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 256), .def = "[\"*\"]", .is_valid = is_glob,
		.form = "a tool's name with * and ?",
		.doc = "Tools that are listed and may be called; * and ? stand for other characters." },
	{ "domains.*.tools.deny", FIELD(conf_domain, tools_deny), .reload = CONF_RELOAD_LIVE,
		RANGE(0, 256), .def = "[]", .is_valid = is_glob,
		.form = "a tool's name with * and ?", .doc = "Those of them that are not." },
	{ "domains.*.tools.read_only", FIELD(conf_domain, tools_read_only),
		.reload = CONF_RELOAD_LIVE, .def = "false",
		.doc = "Only tools that say that they change nothing. Prompts and resources are not "
		       "concerned by any of these keys." },
	{ "domains.*.tools.override", FIELD(conf_domain, tools_override),
		.reload = CONF_RELOAD_LIVE, RANGE(0, 256), .def = "{}",
		.doc = "What is told of a tool instead of what its worker says, by its name (as it is "
		       "listed, or as the worker has it): title, description, and annotations with "
		       "title, readOnlyHint, destructiveHint, idempotentHint, openWorldHint. "
		       "read_only and the repetition of a call whose worker died go by these." },

	{ "domains.*.sandbox.profile", CHOICE(conf_domain, sandbox.profile, profile_choices),
		.reload = CONF_RELOAD_WORKERS, .is_short = true, .def = "auto",
		.doc = "What confines the worker (mcp-fleet's doc/sandbox.md). auto is its own profile "
		       "for a worker that is built in and for a url, and none for a command; strict, "
		       "node and python are for commands; none sets limits only. "
		       "sandbox: strict is short for sandbox: {profile: strict}." },
	{ "domains.*.sandbox.read", FIELD(conf_domain, sandbox.read), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 256), .def = "[]", .is_valid = is_absolute, .form = "an absolute path",
		.doc = "Files and directories that it may read, and a command execute from, beside "
		       "those of its profile." },
	{ "domains.*.sandbox.write", FIELD(conf_domain, sandbox.write),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 256), .def = "[]", .is_valid = is_absolute,
		.form = "an absolute path", .doc = "Those that it may change." },
	{ "domains.*.sandbox.connect", FIELD(conf_domain, sandbox.connect),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 256), .def = "[]",
		.is_valid = is_port_or_any, .form = "a port, or any",
		.doc = "TCP ports that it may connect to beside those of its profile. Without any it "
		       "has no sockets at all; with some it also sends UDP, to anywhere." },
	{ "domains.*.sandbox.memory", FIELD(conf_domain, sandbox.memory),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 1024 * GIB), .def = "0",
		.doc = "Memory of a process, or of it and what it starts where there is a cgroup; 0: "
		       "1GiB for a worker that is built in, no limit for a command." },
	{ "domains.*.sandbox.processes", FIELD(conf_domain, sandbox.processes),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 1000000), .def = "0",
		.doc = "Processes and threads in the worker's cgroup, or of its user without one; 0: "
		       "256 in the cgroup of a worker that is built in, no limit for a command." },
	{ "domains.*.sandbox.cpu", FIELD(conf_domain, sandbox.cpu), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 1024), .def = "0",
		.doc = "Processors that it may use at one time, which needs a cgroup; 0: no limit." },
	{ "domains.*.sandbox.required", FIELD(conf_domain, sandbox.required),
		.reload = CONF_RELOAD_LIVE, .def = "false",
		.doc = "Whether to refuse to start where nothing confines it, or the kernel cannot "
		       "enforce all of this." },

	{ "domains.git.roots", FIELD(conf_domain, roots), .reload = CONF_RELOAD_WORKERS,
		RANGE(1, 64), .def = "[.]",
		.doc = "Directories whose repositories may be used: paths, or {path: PATH, access: read "
		       "or write}. Relative ones start at the directory in which mcp-fleetd was "
		       "started, which must not be / for the default." },
	{ "domains.git.default_repository", FIELD(conf_domain, git.default_repository),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 4096), .def = "\"\"",
		.doc = "The repository of calls that name none; empty: the only root, if it is one." },
	{ "domains.git.user_name", FIELD(conf_domain, git.user_name), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 256), .def = "\"\"", .is_valid = is_identity,
		.form = "one line without < and >",
		.doc = "Name in commits of repositories that have no user.name of their own." },
	{ "domains.git.user_email", FIELD(conf_domain, git.user_email),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 256), .def = "\"\"",
		.is_valid = is_identity, .form = "one line without < and >",
		.doc = "The same for user.email." },
	{ "domains.git.protected_branches", FIELD(conf_domain, git.protected_branches),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 100), .def = "[main, master]",
		.is_valid = is_branch, .form = "a branch's name",
		.doc = "Branches that the workflow tools do not touch." },
	{ "domains.git.feature_prefix", FIELD(conf_domain, git.feature_prefix),
		.reload = CONF_RELOAD_WORKERS, RANGE(1, 100), .def = "feature/",
		.is_valid = is_branch, .form = "the beginning of a branch's name",
		.doc = "How the names of feature branches begin." },
	{ "domains.git.enforce_protected", FIELD(conf_domain, git.enforce_protected),
		.reload = CONF_RELOAD_WORKERS, .def = "false",
		.doc = "Whether git_add, git_commit, git_merge and git_reset refuse protected branches "
		       "too." },
	{ "domains.git.allow_force_push", FIELD(conf_domain, git.allow_force_push),
		.reload = CONF_RELOAD_WORKERS, .def = "false",
		.doc = "Whether a push may replace a remote branch (always with lease)." },
	{ "domains.git.allowed_protocols", FIELD(conf_domain, git.allowed_protocols),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 3), .def = "[https, ssh]",
		.is_valid = is_protocol, .form = "https, ssh or file",
		.doc = "Ways to remote repositories; file reaches only those inside the roots." },
	{ "domains.git.credentials_file", FIELD(conf_domain, git.credentials_file),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 4096), .def = "\"\"",
		.is_valid = is_absolute_or_empty, .form = "an absolute path",
		.doc = "Lines https://user:token@host, for remotes by https; mode 0600 or 0400." },
	{ "domains.git.secret_patterns", FIELD(conf_domain, git.secret_patterns),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 100), .def = "[]", .is_valid = is_not_empty,
		.form = "a regular expression",
		.doc = "More regular expressions for what git_smart_commit must not commit." },
	{ "domains.filesystem.call_timeout", FIELD(conf_domain, call_timeout_ms),
		.reload = CONF_RELOAD_WORKERS, RANGE(100, HOUR), .def = "30s",
		.doc = "Time for a call." },
	{ "domains.filesystem.roots", FIELD(conf_domain, roots), .reload = CONF_RELOAD_WORKERS,
		RANGE(1, 64), .def = "[.]",
		.doc = "Directories that may be used: paths, or {path: PATH, access: read or write}. "
		       "Relative ones start at the directory in which mcp-fleetd was started, which "
		       "must not be / for the default." },
	{ "domains.filesystem.protect_git_dir", FIELD(conf_domain, filesystem.protect_git_dir),
		.reload = CONF_RELOAD_WORKERS, .def = "true",
		.doc = "Whether .git directories are closed to writing, because git runs programs that "
		       "are named in them." },
	{ "domains.filesystem.use_client_roots", FIELD(conf_domain, filesystem.use_client_roots),
		.reload = CONF_RELOAD_WORKERS, .def = "false",
		.doc = "Whether the MCP roots that a client tells narrow the roots for its calls: "
		       "below those that lie in a root of the settings, or hold one. A client that does "
		       "not declare the capability has all roots of the settings; one that declares it, "
		       "but does not tell any, can reach nothing." },
	{ "domains.filesystem.code_tools", FIELD(conf_domain, filesystem.code_tools),
		.reload = CONF_RELOAD_WORKERS, .def = "true",
		.doc = "Whether there are code_lint, code_format, code_analyze and code_check_tools. "
		       "Without them the worker may not run any program." },
	{ "domains.filesystem.code_tools_path", FIELD(conf_domain, filesystem.code_tools_path),
		.reload = CONF_RELOAD_WORKERS, RANGE(1, 16), .def = "[/usr/bin, /usr/local/bin]",
		.is_valid = is_absolute, .form = "an absolute path",
		.doc = "Where linters are looked for; in no root that may be written." },

	{ "domains.network.call_timeout", FIELD(conf_domain, call_timeout_ms),
		.reload = CONF_RELOAD_WORKERS, RANGE(100, HOUR), .def = "125s",
		.doc = "Time for a call; each call says its own, smaller one." },
	{ "domains.network.allow", FIELD(conf_domain, network.allow), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 256), .def = "[]", .is_valid = is_address_rule,
		.form = "HOST, HOST:PORT, CIDR or CIDR:PORT",
		.doc = "Addresses that may be connected to although they are not public." },
	{ "domains.network.deny", FIELD(conf_domain, network.deny), .reload = CONF_RELOAD_WORKERS,
		RANGE(0, 256), .def = "[]", .is_valid = is_address_rule,
		.form = "HOST, .SUFFIX or CIDR, each also with :PORT",
		.doc = "Addresses that may not be connected to; wins over allow." },
	{ "domains.network.dns_servers", FIELD(conf_domain, network.dns_servers),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 8), .def = "[]",
		.is_valid = is_address_rule, .form = "ADDRESS or ADDRESS:PORT",
		.doc = "Name servers; empty: those of the system." },
	{ "domains.network.robots", FIELD(conf_domain, network.robots),
		.reload = CONF_RELOAD_WORKERS, .def = "true",
		.doc = "Whether robots.txt is asked and obeyed." },
	{ "domains.network.max_response_bytes", FIELD(conf_domain, network.max_response_bytes),
		.reload = CONF_RELOAD_WORKERS, RANGE(KIB, 64 * MIB), .def = "5MiB",
		.doc = "Body of an HTTP answer, counted after decompression." },
	{ "domains.network.allow_methods", FIELD(conf_domain, network.allow_methods),
		.reload = CONF_RELOAD_WORKERS, RANGE(0, 7), .def = "[GET, HEAD]",
		.is_valid = is_http_method, .form = "an HTTP method in capitals",
		.doc = "Methods that net_http_request may use." },

	{ "domains.utils.call_timeout", FIELD(conf_domain, call_timeout_ms),
		.reload = CONF_RELOAD_WORKERS, RANGE(100, HOUR), .def = "5s",
		.doc = "Time for a call." },
	{ 0 },
};

const struct conf_key *conf_table(void)
{
	return table;
}
