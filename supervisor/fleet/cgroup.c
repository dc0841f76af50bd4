/* See cgroup.h. */
#include "supervisor/fleet/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/strbuf.h"

enum {
	MAX_FILE_BYTES = 1024 * 1024,
	REMOVE_EVERY_MS = 50,
	LAST_REMOVALS = 100, /* at our own end, 10 ms between them */
	CPU_PERIOD_US = 100000,
};

static const char SUPERVISOR[] = "supervisor";
static const char WORKER_PREFIX[] = "worker.";

struct cgroup {
	LIST_ENTRY(cgroup) next; /* in `dying` */
	struct cgroups *owner;
	char *path;
	int procs_fd; /* cgroup.procs */
};

struct cgroups {
	struct timer *timer;
	char *path; /* of the delegated cgroup */
	unsigned controllers;
	unsigned n_made;
	LIST_HEAD(, cgroup) dying; /* to be removed */
};

/* --- files of the kernel ------------------------------------------------------------------------ */

static int write_file(const char *dir, const char *name, const char *text)
{
	auto_free char *path = alloc_printf("%s/%s", dir, name);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* The rest of the line of /proc/self/cgroup that begins with "0::", our place in the tree of version
 * 2; yours to free. */
static char *own_place(void)
{
	auto_strbuf text = { 0 };
	char *save = NULL;

	if (fd_read_file("/proc/self/cgroup", MAX_FILE_BYTES, &text) < 0 || text.len == 0)
		return NULL;
	for (char *line = strtok_r(text.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "0::/", 4) == 0)
			return alloc_str(line + 3);
	return NULL;
}

/* Where version 2 is mounted: the fifth word of a line of mountinfo whose type, behind " - ", is
 * cgroup2. Yours to free. */
static char *find_mount(void)
{
	auto_strbuf text = { 0 };
	char *save = NULL;

	if (fd_read_file("/proc/self/mountinfo", MAX_FILE_BYTES, &text) < 0 || text.len == 0)
		return NULL;
	for (char *line = strtok_r(text.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		const char *behind = strstr(line, " - cgroup2 ");
		char *word = line;

		for (int i = 0; behind && word && i < 4; i++)
			word = strchr(word + 1, ' ');
		if (behind && word && word < behind)
			return alloc_mem(word + 1, strcspn(word + 1, " "));
	}
	return NULL;
}

static bool is_delegated(const char *path)
{
	static const char *const names[] = { "user.delegate", "trusted.delegate" };
	char value[2];

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (getxattr(path, names[i], value, sizeof(value)) >= 1 && value[0] == '1')
			return true;
	return false;
}

/* --- one cgroup -------------------------------------------------------------------------------- */

static int set_limit(
	const char *path, const char *name, unsigned long long value, const char *behind)
{
	auto_free char *text = alloc_printf("%llu%s", value, behind);

	return write_file(path, name, text);
}

/* What has no controller is told by confine.c. */
static int set_limits(const struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	const unsigned controllers = cgroup->owner->controllers;
	int r = 0;

	if (limits->memory && (controllers & CGROUP_MEMORY)) {
		r = set_limit(cgroup->path, "memory.max", limits->memory, "");
		(void)write_file(cgroup->path, "memory.oom.group", "1");
	}
	if (r == 0 && limits->processes && (controllers & CGROUP_PIDS))
		r = set_limit(cgroup->path, "pids.max", limits->processes, "");
	if (r == 0 && limits->cpu && (controllers & CGROUP_CPU)) {
		auto_free char *period = alloc_printf(" %d", CPU_PERIOD_US);

		r = set_limit(cgroup->path, "cpu.max",
			(unsigned long long)limits->cpu * CPU_PERIOD_US, period);
	}
	return r;
}

static void destroy(struct cgroup *cgroup)
{
	(void)fd_close(cgroup->procs_fd);
	free(cgroup->path);
	free(cgroup);
}

int cgroup_new(struct cgroups *cgroups, const char *name, const struct cgroup_limits *limits,
	struct cgroup **ret)
{
	struct cgroup *cgroup = alloc_zero(sizeof(*cgroup));
	auto_free char *procs = NULL;
	int r;

	cgroup->owner = cgroups;
	cgroup->procs_fd = -1;
	/* One that is there is an earlier supervisor's, and what lives in it still dies. */
	do {
		free(cgroup->path);
		cgroup->path = alloc_printf(
			"%s/%s%s.%u", cgroups->path, WORKER_PREFIX, name, ++cgroups->n_made);
		r = mkdir(cgroup->path, 0755) < 0 ? -errno : 0;
	} while (r == -EEXIST);
	if (r == 0)
		r = set_limits(cgroup, limits);
	procs = alloc_printf("%s/cgroup.procs", cgroup->path);
	if (r == 0) {
		cgroup->procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
		r = cgroup->procs_fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		(void)rmdir(cgroup->path);
		destroy(cgroup);
		return r;
	}
	*ret = cgroup;
	return 0;
}

int cgroup_enter(const struct cgroup *cgroup)
{
	return write(cgroup->procs_fd, "0", 1) == 1 ? 0 : -errno;
}

void cgroup_kill(struct cgroup *cgroup)
{
	(void)write_file(cgroup->path, "cgroup.kill", "1");
}

/* --- removal ----------------------------------------------------------------------------------- */

/* Killed processes keep a cgroup busy for a moment. */
static void remove_dying(struct cgroups *cgroups)
{
	struct cgroup *cgroup = LIST_FIRST(&cgroups->dying);

	while (cgroup) {
		struct cgroup *after = LIST_NEXT(cgroup, next);

		if (rmdir(cgroup->path) == 0 || errno != EBUSY) {
			LIST_REMOVE(cgroup, next);
			destroy(cgroup);
		} else {
			cgroup_kill(cgroup); /* for what was forked meanwhile */
		}
		cgroup = after;
	}
}

bool cgroup_had_oom(const struct cgroup *cgroup)
{
	static const char key[] = "\noom_kill ";
	auto_free char *path = alloc_printf("%s/memory.events", cgroup->path);
	auto_strbuf text = { 0 };
	const char *at;

	if (fd_read_file(path, MAX_FILE_BYTES, &text) < 0)
		return false;
	at = strstr(strbuf_get(&text), key);
	return at && at[sizeof(key) - 1] != '0';
}

static void on_timer(void *arg)
{
	struct cgroups *cgroups = arg;

	remove_dying(cgroups);
	if (!LIST_EMPTY(&cgroups->dying))
		timer_start(cgroups->timer, REMOVE_EVERY_MS);
}

void cgroup_free(struct cgroup *cgroup)
{
	struct cgroups *cgroups;

	if (!cgroup)
		return;
	cgroups = cgroup->owner;
	cgroup_kill(cgroup);
	LIST_INSERT_HEAD(&cgroups->dying, cgroup, next);
	on_timer(cgroups);
}

void cgroups_free(struct cgroups *cgroups)
{
	const struct timespec pause = { .tv_nsec = 10000000L };
	struct cgroup *cgroup;

	if (!cgroups)
		return;
	for (int i = 0; i < LAST_REMOVALS && !LIST_EMPTY(&cgroups->dying); i++) {
		remove_dying(cgroups);
		if (!LIST_EMPTY(&cgroups->dying))
			(void)nanosleep(&pause, NULL);
	}
	while ((cgroup = LIST_FIRST(&cgroups->dying))) {
		log_warn("cgroup %s cannot be removed, leaving it", cgroup->path);
		LIST_REMOVE(cgroup, next);
		destroy(cgroup);
	}
	timer_free(cgroups->timer);
	free(cgroups->path);
	free(cgroups);
}

/* --- taking over ------------------------------------------------------------------------------ */

/* The delegated cgroup: ours, or the one above where the service manager (DelegateSubgroup=supervisor),
 * or an earlier exec of us, has put us into a child of it. NULL and why. */
static char *find_delegated(const char **ret_why)
{
	auto_free char *mount = find_mount();
	auto_free char *place = own_place();
	char *path;

	*ret_why = "the system has no cgroups of version 2";
	if (!mount || !place)
		return NULL;
	path = alloc_printf("%s%s", mount, streq(place, "/") ? "" : place);
	*ret_why = "no cgroup is delegated (Delegate=yes in the unit)";
	if (is_delegated(path))
		return path;
	if (streq(strrchr(path, '/') + 1, SUPERVISOR) &&
		strrchr(path, '/') > path + strlen(mount)) {
		*strrchr(path, '/') = '\0';
		if (is_delegated(path))
			return path;
	}
	free(path);
	return NULL;
}

static int move_self(const char *path)
{
	auto_free char *child = alloc_printf("%s/%s", path, SUPERVISOR);
	char pid[16];

	if (mkdir(child, 0755) < 0 && errno != EEXIST)
		return -errno;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return write_file(child, "cgroup.procs", pid);
}

static unsigned enable_controllers(const char *path)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = { { "memory", CGROUP_MEMORY }, { "pids", CGROUP_PIDS }, { "cpu", CGROUP_CPU } };
	unsigned enabled = 0;

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		auto_free char *order = alloc_printf("+%s", known[i].name);

		if (write_file(path, "cgroup.subtree_control", order) == 0)
			enabled |= known[i].bit;
	}
	return enabled;
}

/* What an earlier supervisor has left behind when it was killed. */
static void remove_earlier(struct cgroups *cgroups)
{
	DIR *dir = opendir(cgroups->path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct cgroup *cgroup;

		if (strncmp(entry->d_name, WORKER_PREFIX, strlen(WORKER_PREFIX)) != 0)
			continue;
		log_info("killing what is left in cgroup %s", entry->d_name);
		cgroup = alloc_zero(sizeof(*cgroup));
		cgroup->owner = cgroups;
		cgroup->procs_fd = -1;
		cgroup->path = alloc_printf("%s/%s", cgroups->path, entry->d_name);
		cgroup_free(cgroup);
	}
	if (dir)
		(void)closedir(dir);
}

struct cgroups *cgroups_new(struct loop *loop, const char **ret_why)
{
	auto_free char *path = find_delegated(ret_why);

	return path ? cgroups_take(loop, path, ret_why) : NULL;
}

struct cgroups *cgroups_take(struct loop *loop, const char *path, const char **ret_why)
{
	struct cgroups *cgroups;

	*ret_why = "the delegated cgroup cannot be written to";
	if (move_self(path) < 0)
		return NULL;
	cgroups = alloc_zero(sizeof(*cgroups));
	cgroups->path = alloc_str(path);
	cgroups->controllers = enable_controllers(cgroups->path);
	LIST_INIT(&cgroups->dying);
	cgroups->timer = timer_new(loop, on_timer, cgroups);
	remove_earlier(cgroups);
	return cgroups;
}

unsigned cgroups_controllers(const struct cgroups *cgroups)
{
	return cgroups->controllers;
}
