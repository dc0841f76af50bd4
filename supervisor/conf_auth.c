/* Loading of settings: who may use the tools. See conf_loader.h. */
#include <errno.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "supervisor/conf_loader.h"
#include "supervisor/conf_yaml.h"

#define KEYS_NAME "keys.json"

bool conf_wants_credential(const struct conf *conf)
{
	if (conf->auth.mode == CONF_AUTH_NONE)
		return false;
	return conf->auth.mode == CONF_AUTH_REQUIRED || *conf->auth.issuer ||
	       *conf->tls.client_ca_file || (conf->keys_path && access(conf->keys_path, F_OK) == 0);
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

int conf_read_auth(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;

	conf->keys_path = find_keys(ld);
	if (*conf->tls.key_file && !*conf->tls.cert_file)
		return fail_at(ld, "tls.key_file", "without tls.cert_file it means nothing");
	if (*conf->tls.client_ca_file && !*conf->tls.cert_file)
		return fail_at(ld, "tls.client_ca_file",
			"certificates of clients need TLS: set tls.cert_file");
	if (conf->tls.client_certs == CONF_CLIENT_CERTS_REQUIRED && !*conf->tls.client_ca_file)
		return fail_at(ld, "tls.client_certs",
			"required needs the certificates that vouch for them: set tls.client_ca_file");
	return 0;
}
