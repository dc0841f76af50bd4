/* The files that are named here are known by their inodes: when the system puts a new resolv.conf into
 * the place of the old one, this process cannot read it and has to be started again. Granting all of
 * /etc instead would grant the secrets in it, which this service's user may read. */
#include "workers/git/confine.h"

#include <errno.h>
#include <stdlib.h>

#include "shared/alloc.h"
#include "shared/landlock.h"
#include "shared/log.h"
#include "workers/common/roots.h"
#include "workers/git/exchange.h"

/* Libraries that are loaded late (character sets, name services), and what every program may use. */
static const char *const system_files[] = {
	"/usr",
	"/lib",
	"/lib64",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/dev/null",
	"/dev/urandom",
};

/* Names of hosts and users, and certificates. */
static const char *const network_files[] = {
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/passwd",
	"/etc/pki",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/services",
	"/etc/ssh/ssh_known_hosts",
	"/etc/ssl",
	"/run/systemd/resolve",
	"/var/lib/ca-certificates",
};

/* What is not there cannot be allowed, and need not be. */
static void allow(int rules, const char *path)
{
	int r = path && *path ? landlock_allow(rules, path, LANDLOCK_READ) : 0;

	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		log_warn("cannot allow reading '%s': %s, going on without it", path, strerror(-r));
}

static int allow_roots(int rules)
{
	int r = 0;

	for (size_t i = 0; i < roots_count() && r == 0; i++) {
		const struct root *root = roots_get(i);

		r = landlock_allow_fd(
			rules, root->fd, LANDLOCK_READ | (root->writable ? LANDLOCK_WRITE : 0));
	}
	return r;
}

static void allow_network(int rules, const struct git_settings *settings)
{
	auto_free char *ssh = NULL;

	for (size_t i = 0; i < N_ELEMENTS(network_files); i++)
		allow(rules, network_files[i]);
	allow(rules, settings->credentials_file);
	allow(rules, getenv("SSL_CERT_FILE"));
	allow(rules, getenv("SSL_CERT_DIR"));
	if (git_settings_allows(settings, "ssh")) {
		ssh = exchange_ssh_dir();
		allow(rules, ssh);
	}
}

static int enter(const struct git_settings *settings)
{
	auto_close int rules = -1;
	int r = landlock_new(0, &rules);

	if (r == 0)
		r = allow_roots(rules);
	if (r < 0)
		return r;

	for (size_t i = 0; i < N_ELEMENTS(system_files); i++)
		allow(rules, system_files[i]);
	if (git_settings_allows(settings, "https") || git_settings_allows(settings, "ssh"))
		allow_network(rules, settings);
#ifdef __SANITIZE_ADDRESS__
	allow(rules, "/"); /* the sanitizers look at /proc, sources and lists of known leaks */
#endif
	return landlock_enter(rules);
}

void confine(const struct git_settings *settings)
{
	int r = enter(settings);

	if (r < 0)
		log_warn(
			"no Landlock (%s): a symbolic link that is put in a directory's place during "
			"a call may lead out of the roots, if permissions let it",
			strerror(-r));
}
