/* /metrics: what the kernel knows of processes. Source: proc(5); the names are those of Prometheus, "Writing client
 * libraries", "Process metrics". */
#include "supervisor/ops/metrics_private.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"

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

	if (process_usage_read(0, &usage) < 0)
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
	if (process_usage_read(0, &usage) == 0) {
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
