/* See profile.h. */
#include "workers/exec/profile.h"

#include <stddef.h>

#include "shared/cleanup.h"

#include "config.h"

/* Libraries and what they read by themselves. The kernel's view of the process itself: no more of
 * /proc, where other processes can be looked at. */
const char *const profile_common_reads[] = { "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32",
	"/usr/lib64", "/usr/libexec", "/usr/local/lib", "/usr/local/lib64", "/etc/ld.so.cache",
	"/etc/ld.so.preload", "/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale",
	"/usr/share/i18n", "/dev/random", "/dev/urandom", "/dev/zero", "/proc/self",
#ifdef WITH_SANITIZERS
	"/", /* sources, /proc, the list of known leaks */
#endif
	NULL };

const char *const profile_common_writes[] = { "/dev/null", NULL };

/* Names and addresses. resolv.conf is often a symlink to a file that a service replaces, so what it
 * lies in is needed. */
#define RESOLVER                                                                                   \
	"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", \
		"/etc/services", "/etc/protocols", "/run/systemd/resolve",                         \
		"/run/NetworkManager/resolv.conf", "/run/resolvconf", "/run/connman"
#define CERTIFICATES                                                                               \
	"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies",                    \
		"/usr/share/ca-certificates", "/usr/share/pki", "/usr/share/crypto-policies"
#define ACCOUNTS "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"

static const char *const crypto_reads[] = { CERTIFICATES, NULL };
static const char *const git_connected_reads[] = { RESOLVER, CERTIFICATES, ACCOUNTS, "/etc/ssh",
	NULL };
static const char *const network_reads[] = { RESOLVER, CERTIFICATES, NULL };
static const char *const time_reads[] = { "/etc/timezone", CERTIFICATES, NULL };

/* What a program finds on every system, and may run. Not /etc, /home, /root, /run, /srv, /tmp, /var. */
static const char *const strict_reads[] = { ACCOUNTS, CERTIFICATES, "/etc/gitconfig",
	"/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/mime.types",
	"/etc/os-release", "/etc/timezone", "/usr/share", "/usr/include", NULL };
static const char *const runtime_reads[] = { ACCOUNTS, CERTIFICATES, "/etc/gitconfig",
	"/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/mime.types",
	"/etc/os-release", "/etc/timezone", "/usr/share", "/usr/include", "/usr/local/share",
	"/usr/local/include", "/etc/python3", "/etc/python3.11", "/etc/python3.12",
	"/etc/python3.13", "/etc/npmrc", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
	"/proc/version", "/proc/version_signature", "/proc/uptime", "/proc/loadavg",
	"/proc/sys/kernel", "/proc/sys/vm", "/sys/devices/system/cpu", "/sys/fs/cgroup",
	"/sys/kernel/mm/transparent_hugepage", NULL };
static const char *const connected_reads[] = { RESOLVER, NULL };
static const char *const system_programs[] = { "/bin", "/sbin", "/usr/bin", "/usr/sbin",
	"/usr/local/bin", "/usr/local/sbin", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
	"/usr/libexec", "/usr/local/lib", NULL };

static const struct profile profiles[] = {
	{ .name = "git",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE | CALLS_WRITE,
		.reads = crypto_reads,
		.connected_reads = git_connected_reads },
	{ .name = "filesystem",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE | CALLS_WRITE,
		.reads = crypto_reads,
		.program_reads = runtime_reads },
	{ .name = "network",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE,
		.reads = network_reads },
	{ .name = "remote",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE,
		.reads = network_reads },
	{ .name = "courier",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE,
		.reads = network_reads },
	{ .name = "registrar",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE | CALLS_WRITE,
		.reads = network_reads },
	{ .name = "utils",
		.is_confined = true,
		.is_native = true,
		.calls = CALLS_BASE,
		.reads = time_reads },
	{ .name = "strict",
		.is_confined = true,
		.calls = CALLS_BASE | CALLS_WRITE | CALLS_PROCESSES,
		.reads = strict_reads,
		.connected_reads = connected_reads,
		.programs = system_programs },
	{ .name = "node",
		.is_confined = true,
		.calls = CALLS_BASE | CALLS_WRITE | CALLS_PROCESSES | CALLS_WIDE,
		.reads = runtime_reads,
		.connected_reads = connected_reads,
		.programs = system_programs },
	{ .name = "python",
		.is_confined = true,
		.calls = CALLS_BASE | CALLS_WRITE | CALLS_PROCESSES | CALLS_WIDE,
		.reads = runtime_reads,
		.connected_reads = connected_reads,
		.programs = system_programs },
	{ .name = "none" },
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(profiles); i++)
		if (streq(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}
