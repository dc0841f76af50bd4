/* See usage.h. Source: proc(5). */
#include "ctl/usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/fd.h"

/* Places behind the name, which is in parentheses and may hold anything. */
enum { FIELD_UTIME = 11, FIELD_STIME = 12, FIELD_BEGAN = 19, MAX_FILE = 4096 };

/* The number at the n-th place of those that blanks separate; false: there is none. */
static bool get_field(const char *text, unsigned n, uint64_t *ret)
{
	char *end;

	while (n > 0 && *text) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
		n--;
	}
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && (*end == ' ' || *end == '\n' || *end == '\0');
}

bool usage_parse(const char *stat, const char *statm, struct usage *ret)
{
	const char *behind_name = strrchr(stat, ')');
	uint64_t user;
	uint64_t kernel;
	uint64_t pages;
	uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);

	if (!behind_name || behind_name[1] != ' ' ||
		!get_field(behind_name + 2, FIELD_UTIME, &user) ||
		!get_field(behind_name + 2, FIELD_STIME, &kernel) ||
		!get_field(behind_name + 2, FIELD_BEGAN, &ret->began) ||
		!get_field(statm, 1, &pages))
		return false;
	ret->cpu_ms = (user + kernel) * 1000 / tick;
	ret->rss_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

bool usage_read(pid_t pid, struct usage *ret)
{
	char path[64];
	auto_strbuf stat = { 0 };
	auto_strbuf statm = { 0 };

	*ret = (struct usage){ .read_us = clock_now_us() };
	if (pid <= 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (fd_read_file(path, MAX_FILE, &statm) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return fd_read_file(path, MAX_FILE, &stat) == 0 &&
	       usage_parse(strbuf_get(&stat), strbuf_get(&statm), ret);
}

double usage_cpu_percent(const struct usage *now, const struct usage *before)
{
	int64_t span_us = now->read_us - before->read_us;

	if (now->began != before->began || span_us <= 0 || now->cpu_ms < before->cpu_ms)
		return -1;
	return (double)(now->cpu_ms - before->cpu_ms) * 1000 * 100 / (double)span_us;
}
