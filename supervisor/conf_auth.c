/* Loading of settings: who may use the tools. See conf_loader.h. */
#include <errno.h>
#include <strings.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/uri.h"
#include "supervisor/conf_loader.h"
#include "supervisor/conf_yaml.h"

#define KEYS_NAME "keys.json"

/* What cannot be looked at, in a folder that is closed to us, may be there: it must not be taken for none. */
static bool may_be_there(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool conf_wants_credential(const struct conf *conf)
{
	if (conf->auth.mode == CONF_AUTH_NONE)
		return false;
	return conf->auth.mode == CONF_AUTH_REQUIRED || *conf->auth.issuer ||
	       *conf->tls.client_ca_file || (conf->keys_path && may_be_there(conf->keys_path));
}

/* Beside the settings file that is read, or would be. */
static char *find_keys(const struct conf_loader *ld)
{
	const char *setting = ld->conf->auth.keys_file;
	const char *beside = ld->conf->path;
	const char *slash;

	if (!streq(setting, "auto"))
		return *setting ? alloc_str(setting) : NULL;
	if (!beside)
		beside = ld->src->default_path ? ld->src->default_path
					       : SYSCONFDIR "/mcp-fleet/fleet.yaml";
	slash = strrchr(beside, '/');
	return alloc_printf("%.*s" KEYS_NAME, slash ? (int)(slash + 1 - beside) : 0, beside);
}

static int fail_at(struct conf_loader *ld, const char *key, const char *words)
{
	return conf_node_fail_path(ld->fail, ld->files.tree, "", key, "%s", words);
}

/* Keys that come over a network that anybody may be on are anybody's. */
static bool is_safe_url(const char *url)
{
	struct uri_target target;
	struct uri_authority authority;

	if (strncasecmp(url, "http://", 7) != 0)
		return true;
	if (uri_split(url, strlen(url), &target) < 0 ||
		uri_split_authority(target.authority.at, target.authority.len, &authority) < 0)
		return false;
	return span_is_nocase(authority.host, "localhost") ||
	       span_is(authority.host, "127.0.0.1") || span_is(authority.host, "[::1]");
}

/* Tokens of one issuer are signed in one way, so there is one source of keys. */
static int check_token_keys(struct conf_loader *ld)
{
	const struct conf_auth *auth = &ld->conf->auth;
	const struct {
		const char *key;
		const char *value;
	} sources[] = {
		{ "auth.secret_file", auth->secret_file },
		{ "auth.jwks_file", auth->jwks_file },
		{ "auth.jwks_url", auth->jwks_url },
	};
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(sources); i++) {
		if (!*sources[i].value)
			continue;
		if (!*auth->issuer)
			return fail_at(ld, sources[i].key,
				"tokens are taken only from the issuer that is set: set auth.issuer");
		if (n++ > 0)
			return fail_at(ld, sources[i].key,
				"of auth.secret_file, auth.jwks_file and auth.jwks_url only one can be set: "
				"an issuer signs its tokens in one way");
	}
	if (*auth->issuer && n == 0)
		return fail_at(ld, "auth.issuer",
			"nothing can be checked without its keys: set auth.jwks_url, auth.jwks_file or "
			"auth.secret_file");
	return 0;
}

static int check_tokens(struct conf_loader *ld)
{
	const struct conf_auth *auth = &ld->conf->auth;
	int r = check_token_keys(ld);

	if (r < 0)
		return r;
	if (*auth->issuer && auth->audience.n == 0 && !*auth->resource)
		return fail_at(ld, "auth.issuer",
			"a token for somebody else must not be taken: set auth.audience, or auth.resource "
			"to the address of this server");
	if (!is_safe_url(auth->jwks_url))
		return fail_at(ld, "auth.jwks_url",
			"whoever is between could give us other keys: https:// is wanted, http:// only on "
			"127.0.0.1, [::1] and localhost");
	if (*auth->jwks_ca_file && strncasecmp(auth->jwks_url, "https://", 8) != 0)
		return fail_at(ld, "auth.jwks_ca_file",
			"without an auth.jwks_url of https:// it means nothing");
	return 0;
}

/* Loopback keeps nobody out where a proxy stands before it. */
static int check_proxies(struct conf_loader *ld)
{
	const struct conf *conf = ld->conf;

	if (conf->http.trusted_proxies.n == 0 || conf->auth.mode == CONF_AUTH_NONE ||
		conf_wants_credential(conf))
		return 0;
	return fail_at(ld, "http.trusted_proxies",
		"a proxy brings clients from anywhere, and nothing asks them who they are: make a key "
		"(mcp-fleetctl key add), set auth.issuer or tls.client_ca_file, or write auth: none at "
		"the top level if whoever can reach the proxy may use every tool");
}

int conf_read_auth(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	int r = check_tokens(ld);

	if (r < 0)
		return r;
	conf->keys_path = find_keys(ld);
	if (*conf->tls.key_file && !*conf->tls.cert_file)
		return fail_at(ld, "tls.key_file", "without tls.cert_file it means nothing");
	if (*conf->tls.client_ca_file && !*conf->tls.cert_file)
		return fail_at(ld, "tls.client_ca_file",
			"certificates of clients need TLS: set tls.cert_file");
	if (*conf->tls.client_crl_file && !*conf->tls.client_ca_file)
		return fail_at(
			ld, "tls.client_crl_file", "without tls.client_ca_file it means nothing");
	if (conf->tls.client_certs == CONF_CLIENT_CERTS_REQUIRED && !*conf->tls.client_ca_file)
		return fail_at(ld, "tls.client_certs",
			"required needs the certificates that vouch for them: set tls.client_ca_file");
	return check_proxies(ld);
}
