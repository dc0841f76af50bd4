/* See zone.h. The C library has one zone for the whole process (TZ, tzset()). A worker does one call
 * at a time and has no threads, so switching it is safe; the log writes UTC in any case. */
#include "workers/utils/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"

#define ZONE_DIR "/usr/share/zoneinfo"

enum {
	LIST_MAX_BYTES = 1 * MIB,
	NAME_MAX_BYTES = 64,
	DAY_S = 86400,
	SEARCH_DAYS = 2 * 366,
};

struct zone_names {
	struct strbuf text; /* that the names lie in, each with a NUL behind */
	const char **names;
	size_t n;
	const char *local;  /* in names; NULL: unknown */
	const char *in_use; /* in names: what TZ says now; NULL: what it said at the start */
	bool is_loaded;
};

static struct zone_names zones;

/* Letters, digits, "+", "-", "_" between single slashes: no dots, so no way out of the folder. */
static bool is_name(const char *text, size_t len)
{
	if (len == 0 || len > NAME_MAX_BYTES || text[0] == '/' || text[len - 1] == '/')
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_letter =
			(text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z');

		if (is_letter || (text[i] >= '0' && text[i] <= '9'))
			continue;
		if (text[i] == '\0' || !strchr("+-_/", text[i]))
			return false;
		if (text[i] == '/' && text[i - 1] == '/')
			return false;
	}
	return true;
}

/* Field `n` (from 0) of a line, whose fields end with one of `blanks`. */
static size_t field_of(const char *line, const char *blanks, int n, const char **ret)
{
	for (; n > 0; n--) {
		line += strcspn(line, blanks);
		line += strspn(line, blanks);
	}
	*ret = line;
	return strcspn(line, blanks);
}

/* A line's zone: in tzdata.zi "Z name …" and "L target name", in *.tab the third column. */
static size_t name_of_line(const char *line, bool is_tab, const char **ret)
{
	if (is_tab)
		return *line == '#' ? 0 : field_of(line, "\t\n", 2, ret);
	if (strncmp(line, "Z ", 2) == 0)
		return field_of(line, " \n", 1, ret);
	if (strncmp(line, "L ", 2) == 0)
		return field_of(line, " \n", 2, ret);
	return 0;
}

/* Appends the names of a file, each with a NUL behind, to `names`. 0 or -errno. */
static int read_names(const char *path, bool is_tab, struct strbuf *names)
{
	auto_strbuf file = { 0 };
	const char *name;
	char *rest;
	int r = fd_read_file(path, LIST_MAX_BYTES, &file);

	if (r < 0)
		return r;
	rest = file.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		size_t len = name_of_line(line, is_tab, &name);

		if (len == 0 || !is_name(name, len))
			continue;
		strbuf_add(names, name, len);
		strbuf_addc(names, '\0');
	}
	return 0;
}

/* tzdata.zi has every name, also the old ones; the tables, where it is missing, the current ones. */
static int read_all_names(struct strbuf *names)
{
	static const char basic[] = "UTC\0GMT\0Etc/UTC";
	int r = read_names(ZONE_DIR "/tzdata.zi", false, names);

	if (r != -ENOENT)
		return r;
	r = read_names(ZONE_DIR "/zone1970.tab", true, names);
	if (r < 0)
		return r;
	r = read_names(ZONE_DIR "/zone.tab", true, names);
	strbuf_add(names, basic, sizeof(basic));
	return r == -ENOENT ? 0 : r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the names, and keeps each once. */
static size_t sort_names(const char **names, size_t n)
{
	size_t kept = 0;

	qsort(names, n, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !streq(names[kept - 1], names[i]))
			names[kept++] = names[i];
	}
	return kept;
}

/* The name at the end of "…/zoneinfo/Europe/Berlin", or of ":Europe/Berlin" in TZ. */
static const char *find_at_end(const char *text)
{
	static const char folder[] = "/zoneinfo/";
	const char *at = strstr(text, folder);

	if (at)
		return zone_find(at + strlen(folder));
	return zone_find(*text == ':' ? text + 1 : text);
}

/* As the C library finds it: TZ, else /etc/localtime, else UTC. A copy instead of a link has no name. */
static const char *find_local(void)
{
	char target[PATH_MAX];
	const char *tz = getenv("TZ");
	ssize_t n;

	if (tz && *tz)
		return find_at_end(tz);
	n = tz ? -1 : readlink("/etc/localtime", target, sizeof(target) - 1);
	if (n < 0)
		return tz || errno == ENOENT ? zone_find("UTC") : NULL;
	target[n] = '\0';
	return find_at_end(target);
}

/* Fills `zones` with the names that have a file: some systems list old ones and do not install them. */
static int load_names(void)
{
	auto_close int dir = open(ZONE_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_strbuf text = { 0 };
	size_t n = 0;
	int r;

	if (dir < 0)
		return -errno;
	r = read_all_names(&text);
	if (r < 0)
		return r;
	for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1)
		n++;
	zones.names = alloc_resize(NULL, n, sizeof(zones.names[0]));
	n = 0;
	for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1) {
		if (faccessat(dir, text.data + i, R_OK, 0) == 0)
			zones.names[n++] = text.data + i;
	}
	zones.text = text;
	text = (struct strbuf){ 0 };
	zones.n = sort_names(zones.names, n);
	zones.is_loaded = true;
	zones.local = find_local();
	return 0;
}

void zone_done(void)
{
	free(zones.names);
	strbuf_done(&zones.text);
	zones = (struct zone_names){ 0 };
}

int zone_list(const char *const **ret_names, size_t *ret_n)
{
	int r = zones.is_loaded ? 0 : load_names();

	if (r < 0)
		return r;
	*ret_names = zones.names;
	*ret_n = zones.n;
	return 0;
}

const char *zone_find(const char *name)
{
	const char *const *names;
	const char *const *found;
	size_t n;

	if (zone_list(&names, &n) < 0)
		return NULL;
	found = bsearch(&name, names, n, sizeof(names[0]), compare_names);
	return found ? *found : NULL;
}

const char *zone_local(void)
{
	const char *const *names;
	size_t n;

	return zone_list(&names, &n) < 0 ? NULL : zones.local;
}

/* Equal but for capitals, and with blanks in `asked` for underscores. */
static bool is_like(const char *name, const char *asked)
{
	for (; *name && *asked; name++, asked++) {
		if (*name == '_' && *asked == ' ')
			continue;
		if (strncasecmp(name, asked, 1) != 0)
			return false;
	}
	return *name == *asked;
}

const char *zone_suggest(const char *name)
{
	const char *const *names;
	size_t n;

	if (zone_list(&names, &n) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (is_like(names[i], name))
			return names[i];
	}
	for (size_t i = 0; i < n; i++) {
		const char *place = strrchr(names[i], '/');

		if (place && is_like(place + 1, name))
			return names[i];
	}
	return NULL;
}

/* The C library takes a file that it cannot read for UTC, so look first. */
static int check_file(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char magic[4];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, magic, sizeof(magic));
	if (n < 0)
		return -errno;
	return n == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0 ? 0 : -EBADMSG;
}

static int use_zone(const char *zone)
{
	auto_free char *path = alloc_printf("%s/%s", ZONE_DIR, zone);
	auto_free char *tz = alloc_printf(":%s", path);
	int r;

	if (zones.in_use == zone)
		return 0;
	r = check_file(path);
	if (r < 0)
		return r;
	if (setenv("TZ", tz, 1) < 0)
		return -errno;
	tzset();
	zones.in_use = zone;
	return 0;
}

/* As zone_at(), in the zone that is in use. */
static int read_clock(int64_t instant, struct zone_time *ret)
{
	time_t t = (time_t)instant;
	struct tm tm;

	if (instant < ISO8601_MIN_SECONDS - DAY_S || instant > ISO8601_MAX_SECONDS + DAY_S)
		return -ERANGE;
	if (!localtime_r(&t, &tm))
		return -ERANGE; /* the year does not fit */
	if (tm.tm_year + 1900 < 1 || tm.tm_year + 1900 > 9999)
		return -ERANGE;
	*ret = (struct zone_time){
		.instant = instant,
		.year = tm.tm_year + 1900,
		.month = tm.tm_mon + 1,
		.day = tm.tm_mday,
		.hour = tm.tm_hour,
		.minute = tm.tm_min,
		.second = tm.tm_sec,
		.weekday = tm.tm_wday,
		.offset_s = (int)tm.tm_gmtoff,
		.is_dst = tm.tm_isdst > 0,
	};
	(void)snprintf(ret->abbreviation, sizeof(ret->abbreviation), "%s", tm.tm_zone);
	return 0;
}

int zone_at(const char *zone, int64_t instant, struct zone_time *ret)
{
	int r = use_zone(zone);

	return r < 0 ? r : read_clock(instant, ret);
}

/* The offset of the zone in use at an instant; at the ends of the calendar that of the end. */
static int offset_near(int64_t instant, int *ret)
{
	struct zone_time time;
	int r;

	if (instant < ISO8601_MIN_SECONDS + DAY_S)
		instant = ISO8601_MIN_SECONDS + DAY_S;
	if (instant > ISO8601_MAX_SECONDS - DAY_S)
		instant = ISO8601_MAX_SECONDS - DAY_S;
	r = read_clock(instant, &time);
	if (r == 0)
		*ret = time.offset_s;
	return r;
}

/* Around a clock change an old and a new offset hold; each gives one candidate, and a candidate
 * counts when the offset it was made with is the one that holds then. */
int zone_instant_of(const char *zone, const struct wall *wall, int64_t *ret)
{
	int64_t as_utc = iso8601_seconds(wall);
	int64_t candidates[2];
	int offsets[2] = { 0 };
	int r = use_zone(zone);

	if (r == 0)
		r = offset_near(as_utc - DAY_S, &offsets[0]);
	if (r == 0)
		r = offset_near(as_utc + DAY_S, &offsets[1]);
	if (r < 0)
		return r;
	candidates[0] = as_utc - (offsets[0] > offsets[1] ? offsets[0] : offsets[1]);
	candidates[1] = as_utc - (offsets[0] > offsets[1] ? offsets[1] : offsets[0]);
	for (size_t i = 0; i < N_ELEMENTS(candidates); i++) {
		struct zone_time time;

		r = read_clock(candidates[i], &time);
		if (r < 0)
			return r;
		if (candidates[i] + time.offset_s == as_utc) {
			*ret = candidates[i];
			return 0;
		}
	}
	return -ESRCH;
}

static bool is_same_rule(const struct zone_time *a, const struct zone_time *b)
{
	return a->offset_s == b->offset_s && a->is_dst == b->is_dst &&
	       streq(a->abbreviation, b->abbreviation);
}

/* Bisects: the rule of `before` holds at its instant and no more at `after`. */
static int find_change(const struct zone_time *before, int64_t after, int64_t *ret)
{
	int64_t low = before->instant;
	int64_t high = after;

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		struct zone_time time;
		int r = read_clock(middle, &time);

		if (r < 0)
			return r;
		if (is_same_rule(before, &time))
			low = middle;
		else
			high = middle;
	}
	*ret = high;
	return 0;
}

int zone_next_change(const char *zone, int64_t from, int64_t *ret)
{
	struct zone_time before;
	int r = zone_at(zone, from, &before);

	for (int day = 0; r == 0 && day < SEARCH_DAYS; day++) {
		struct zone_time after;

		r = read_clock(before.instant + DAY_S, &after);
		if (r == 0 && !is_same_rule(&before, &after))
			return find_change(&before, after.instant, ret);
		before = after;
	}
	return r < 0 && r != -ERANGE ? r : -ESRCH;
}

void zone_add_datetime(struct strbuf *buf, const struct zone_time *time)
{
	strbuf_addf(buf, "%04d-%02d-%02dT%02d:%02d:%02d", time->year, time->month, time->day,
		time->hour, time->minute, time->second);
	iso8601_add_offset(buf, time->offset_s);
}

const char *zone_day_name(const struct zone_time *time)
{
	static const char *const names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
		"Friday", "Saturday" };

	return names[time->weekday];
}
