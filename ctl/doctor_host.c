/* mcp-fleetctl doctor: the kernel, the limits, the clock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#include "ctl/doctor.h"
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/fd.h"
#include "shared/kernel.h"
#include "shared/landlock.h"

/* Beside sessions and connections: sockets and pipes of workers, log, listeners. */
enum { OWN_FILES = 256, FIRST_YEAR = 2026 };

static void look_at_kernel(struct doctor *doctor)
{
	int abi = landlock_abi();

	if (abi >= LANDLOCK_ABI_FILES)
		finding_add(&doctor->findings, FINDING_OK, "landlock", NULL, NULL, "ABI %d", abi);
	else
		finding_add(&doctor->findings, FINDING_WARN, "landlock", NULL,
			"use Linux 5.19 or newer, with landlock in its lsm= list",
			"the kernel has %s: what files workers reach is not enforced",
			abi > 0 ? "too old a one" : "none");
	if (kernel_has_seccomp())
		finding_add(&doctor->findings, FINDING_OK, "seccomp", NULL, NULL, "filters work");
	else
		finding_add(&doctor->findings, FINDING_WARN, "seccomp", NULL,
			"use a kernel with CONFIG_SECCOMP_FILTER",
			"the kernel has none: which system calls workers make is not enforced");
}

/* The daemon's own limit, where we may look, else ours, up to which it raises its own. */
static uint64_t find_limit(const struct doctor *doctor)
{
	static const char name[] = "Max open files";
	struct rlimit own = { 0 };
	auto_strbuf limits = { 0 };
	const char *at;

	if (doctor->client) {
		auto_free char *path =
			alloc_printf("/proc/%d/limits", (int)client_get_daemon(doctor->client));
		auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && fd_read_all(fd, 65536, &limits) == 0 &&
			(at = strstr(strbuf_get(&limits), name))) {
			at += sizeof(name) - 1;
			at += strspn(at, " ");
			return ascii_is_digit(*at) ? strtoull(at, NULL, 10) : UINT64_MAX;
		}
	}
	(void)getrlimit(RLIMIT_NOFILE, &own);
	return own.rlim_max;
}

static void look_at_limit(struct doctor *doctor)
{
	uint64_t sessions = (uint64_t)doctor_number(doctor->settings, "limits.sessions");
	uint64_t connections = (uint64_t)doctor_number(doctor->settings, "limits.connections");
	uint64_t needed = (connections > sessions ? connections : sessions) + OWN_FILES;
	uint64_t limit = find_limit(doctor);

	if (limit >= needed)
		finding_add(&doctor->findings, FINDING_OK, "open_files", NULL, NULL,
			"%llu may be open, at most %llu are needed", (unsigned long long)limit,
			(unsigned long long)needed);
	else
		finding_add(&doctor->findings, FINDING_WARN, "open_files", NULL,
			"raise LimitNOFILE= of the unit, or lower limits.connections and "
			"limits.sessions",
			"%llu may be open, %llu are needed when all connections are used",
			(unsigned long long)limit, (unsigned long long)needed);
}

/* Tokens expire by the clock, and certificates too. */
static void look_at_clock(struct doctor *doctor)
{
	struct timex state = { 0 };
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || tm.tm_year + 1900 < FIRST_YEAR)
		finding_add(&doctor->findings, FINDING_FAIL, "clock", NULL,
			"set it: timedatectl set-ntp true", "it is years behind");
	else if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC))
		finding_add(&doctor->findings, FINDING_WARN, "clock", NULL,
			"timedatectl set-ntp true, unless something else keeps it",
			"nobody keeps it right, as far as the kernel knows");
	else
		finding_add(&doctor->findings, FINDING_OK, "clock", NULL, NULL, "it is kept right");
}

void doctor_check_host(struct doctor *doctor)
{
	look_at_kernel(doctor);
	if (doctor->settings)
		look_at_limit(doctor);
	look_at_clock(doctor);
}
