/* See process_usage.h. */
#include "supervisor/ops/process_usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

int process_usage_parse(const char *text, struct process_usage *ret)
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

int process_usage_read(pid_t pid, struct process_usage *ret)
{
	auto_strbuf text = { 0 };
	char path[40] = "/proc/self/stat";
	int r;

	if (pid != 0)
		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = fd_read_file(path, MAX_STAT_BYTES, &text);
	return r < 0 ? r : process_usage_parse(strbuf_get(&text), ret);
}

bool process_usage_add(struct process_usage_sum *sum, pid_t pid, unsigned *n_read,
	unsigned max_read, struct process_usage *ret)
{
	if (pid == 0)
		return false;
	if (*n_read >= max_read) {
		sum->is_partial = true;
		return false;
	}
	(*n_read)++;
	if (process_usage_read(pid, ret) < 0)
		return false;
	sum->resident_bytes += ret->resident_bytes;
	sum->cpu_us += ret->cpu_us;
	return true;
}
