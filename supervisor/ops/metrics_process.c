/* /metrics: what the kernel knows of processes. Source: proc(5); the names are those of Prometheus, "Writing client
 * libraries", "Process metrics". */
#include "supervisor/ops/metrics_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"

enum {
	MAX_STAT_BYTES = 4 * KIB,
	/* Fields of /proc/PID/stat, counted from the one behind the name, which is the third. */
	FIELD_UTIME = 11,
	FIELD_CSTIME = 14,
	FIELD_START = 19,
	FIELD_VSIZE = 20,
	FIELD_RSS = 21,
	FIELDS = 22,
};

int metrics_parse_stat(const char *text, struct process_usage *ret)
{
	const char *at = strrchr(text, ')'); /* the name before it may hold anything */
	int64_t fields[FIELDS] = { 0 };
	int64_t ticks = 0;
	int64_t tick_us = CLOCK_SECOND_MS * 1000 / sysconf(_SC_CLK_TCK);

	if (!at || at[1] != ' ')
		return -EBADMSG;
	at += 2;
	for (size_t i = 0; i < FIELDS; i++) {
		size_t len = strcspn(at, " \n");

		if (len == 0 || (at[len] != ' ' && i < FIELDS - 1))
			return -EBADMSG;
		fields[i] = strtoll(at, NULL, 10); /* the state, a letter, is 0 */
		at += len + 1;
	}
	for (size_t i = FIELD_UTIME; i <= FIELD_CSTIME; i++)
		ticks += fields[i];
	*ret = (struct process_usage){ .cpu_us = ticks * tick_us,
		.own_cpu_us = (fields[FIELD_UTIME] + fields[FIELD_UTIME + 1]) * tick_us,
		.resident_bytes = fields[FIELD_RSS] * sysconf(_SC_PAGESIZE),
		.virtual_bytes = fields[FIELD_VSIZE],
		.start_ticks = fields[FIELD_START] };
	return 0;
}

int metrics_read_usage(pid_t pid, struct process_usage *ret)
{
	auto_strbuf text = { 0 };
	char path[40] = "/proc/self/stat";
	int r;

	if (pid != 0)
		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = fd_read_file(path, MAX_STAT_BYTES, &text);
	return r < 0 ? r : metrics_parse_stat(strbuf_get(&text), ret);
}

/* From Linux 6.2 on the size of the folder is how many there are. */
static int64_t count_fds(void)
{
	struct stat st;
	int64_t n = 0;
	DIR *dir;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return st.st_size;
	dir = opendir("/proc/self/fd");
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 3; /* "." and "..", and the one that looks */
}

int64_t metrics_get_start_us(void)
{
	struct process_usage usage = { 0 };
	struct timespec boot = { 0 };
	int64_t hz = sysconf(_SC_CLK_TCK);
	int64_t booted_ms;

	if (metrics_read_usage(0, &usage) < 0)
		return 0;
	(void)clock_gettime(CLOCK_BOOTTIME, &boot);
	booted_ms = clock_wall_ms() - boot.tv_sec * CLOCK_SECOND_MS - boot.tv_nsec / 1000000;
	/* In tenths of a second: the two clocks are not read at once. */
	return (booted_ms + usage.start_ticks * CLOCK_SECOND_MS / hz + 50) / 100 * 100000;
}

void metrics_add_process(const struct metrics *metrics, struct metrics_text *text)
{
	struct process_usage usage = { 0 };
	struct rlimit files = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &files);
	if (metrics_read_usage(0, &usage) == 0) {
		metrics_begin(text, METRIC_PROCESS_CPU);
		metrics_add_us(text, usage.own_cpu_us, NULL);
		metrics_begin(text, METRIC_PROCESS_START);
		metrics_add_us(text, metrics->started_us, NULL);
		metrics_add_one(text, METRIC_PROCESS_RESIDENT, usage.resident_bytes);
		metrics_add_one(text, METRIC_PROCESS_VIRTUAL, usage.virtual_bytes);
	}
	metrics_add_one(text, METRIC_PROCESS_OPEN_FDS, count_fds());
	metrics_add_one(text, METRIC_PROCESS_MAX_FDS, (int64_t)files.rlim_cur);
}
