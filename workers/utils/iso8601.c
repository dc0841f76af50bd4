/* See iso8601.h. The readers are a cursor over the text: each eats what it expects, or fails. */
#include "workers/utils/iso8601.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "shared/ascii.h"

enum {
	NS_DIGITS = 9,
	NS_PER_SECOND = 1000000000,
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
};

static const char want_date[] = "a date is YYYY-MM-DD";
static const char want_time[] = "a time is HH:MM or HH:MM:SS, optionally with a fraction";
static const char want_clock[] = "a time of day is HH:MM or HH:MM:SS";
static const char want_offset[] = "behind the time only Z or an offset like +01:00 may stand";
static const char want_instant[] =
	"an instant is an ISO 8601 date and time or a number of seconds since 1970";
static const char out_of_range[] = "only the years 1 to 9999 can be handled";

static int fail_with(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* Exactly `n` digits with a value of at most `max`. */
static bool eat_number(const char **at, int n, int max, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (!ascii_is_digit((*at)[i]))
			return false;
		value = value * 10 + ((*at)[i] - '0');
	}
	if (value > max)
		return false;
	*at += n;
	*ret = value;
	return true;
}

static bool eat_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* One to nine digits: nanoseconds. */
static bool eat_fraction(const char **at, int *ret)
{
	int value = 0;
	int n = 0;

	for (; n < NS_DIGITS && ascii_is_digit(**at); n++)
		value = value * 10 + (*(*at)++ - '0');
	if (n == 0 || ascii_is_digit(**at))
		return false;
	for (; n < NS_DIGITS; n++)
		value *= 10;
	*ret = value;
	return true;
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

static bool eat_date(const char **at, struct wall *wall)
{
	return eat_number(at, 4, 9999, &wall->year) && eat_char(at, '-') &&
	       eat_number(at, 2, 12, &wall->month) && eat_char(at, '-') &&
	       eat_number(at, 2, 31, &wall->day);
}

static bool eat_time(const char **at, struct wall *wall)
{
	if (!eat_number(at, 2, 23, &wall->hour) || !eat_char(at, ':') ||
		!eat_number(at, 2, 59, &wall->minute))
		return false;
	wall->has_time = true;
	if (!eat_char(at, ':'))
		return true;
	if (!eat_number(at, 2, 59, &wall->second))
		return false;
	if (!eat_char(at, '.') && !eat_char(at, ','))
		return true;
	return eat_fraction(at, &wall->nanosecond);
}

/* Z, +HH, +HHMM, +HH:MM, or nothing. */
static bool eat_offset(const char **at, struct wall *wall)
{
	int sign = **at == '-' ? -1 : 1;
	int hours = 0;
	int minutes = 0;

	if (**at == '\0')
		return true;
	wall->has_offset = true;
	if (eat_char(at, 'Z') || eat_char(at, 'z'))
		return true;
	if (!eat_char(at, '+') && !eat_char(at, '-'))
		return false;
	if (!eat_number(at, 2, 23, &hours))
		return false;
	if (**at != '\0') {
		(void)eat_char(at, ':');
		if (!eat_number(at, 2, 59, &minutes))
			return false;
	}
	wall->offset_s = sign * (hours * HOUR_S + minutes * MINUTE_S);
	return true;
}

int iso8601_parse(const char *text, struct wall *ret, const char **ret_why)
{
	struct wall wall = { 0 };
	const char *at = text;

	if (!eat_date(&at, &wall))
		return fail_with(ret_why, want_date);
	if (wall.year < 1)
		return fail_with(ret_why, out_of_range);
	if (wall.month < 1 || wall.day < 1 || wall.day > days_of_month(wall.year, wall.month))
		return fail_with(ret_why, "the calendar has no such day");
	if (*at == 'T' || *at == 't' || *at == ' ') {
		at++;
		if (!eat_time(&at, &wall))
			return fail_with(ret_why, want_time);
		if (!eat_offset(&at, &wall))
			return fail_with(ret_why, want_offset);
	}
	if (*at != '\0')
		return fail_with(ret_why, wall.has_time ? want_offset : want_date);
	*ret = wall;
	return 0;
}

int iso8601_parse_clock(const char *text, struct wall *ret, const char **ret_why)
{
	struct wall wall = { .has_time = true };
	const char *at = text;
	int digits = ascii_is_digit(text[0]) && text[1] == ':' ? 1 : 2;

	if (!eat_number(&at, digits, 23, &wall.hour) || !eat_char(&at, ':') ||
		!eat_number(&at, 2, 59, &wall.minute))
		return fail_with(ret_why, want_clock);
	if (eat_char(&at, ':') && !eat_number(&at, 2, 59, &wall.second))
		return fail_with(ret_why, want_clock);
	if (*at != '\0')
		return fail_with(ret_why, want_clock);
	*ret = wall;
	return 0;
}

int64_t iso8601_seconds(const struct wall *wall)
{
	struct tm tm = {
		.tm_year = wall->year - 1900,
		.tm_mon = wall->month - 1,
		.tm_mday = wall->day,
		.tm_hour = wall->hour,
		.tm_min = wall->minute,
		.tm_sec = wall->second,
	};

	return timegm(&tm);
}

/* True for what can only be meant as a number: an optional sign, then digits and a point. */
static bool looks_like_number(const char *text)
{
	size_t sign = text[0] == '-' || text[0] == '+';

	return text[sign] != '\0' && strspn(text + sign, "0123456789.") == strlen(text + sign);
}

static int parse_seconds(const char *text, struct instant *ret, const char **ret_why)
{
	bool is_negative = *text == '-';
	const char *at = text + (*text == '-' || *text == '+');
	int64_t s = 0;
	int ns = 0;

	if (!ascii_is_digit(*at))
		return fail_with(ret_why, want_instant);
	for (; ascii_is_digit(*at); at++) {
		if (s > ISO8601_MAX_SECONDS)
			return fail_with(ret_why, out_of_range);
		s = s * 10 + (*at - '0');
	}
	if (eat_char(&at, '.') && !eat_fraction(&at, &ns))
		return fail_with(ret_why, "seconds may have up to nine decimal places");
	if (*at != '\0')
		return fail_with(ret_why, want_instant);
	if (is_negative)
		*ret = iso8601_subtract((struct instant){ 0 }, (struct instant){ s, ns });
	else
		*ret = (struct instant){ s, ns };
	return 0;
}

int iso8601_parse_instant(const char *text, struct instant *ret, const char **ret_why)
{
	struct instant instant = { 0 };
	struct wall wall = { 0 };
	int r;

	if (looks_like_number(text)) {
		r = parse_seconds(text, &instant, ret_why);
	} else if (!ascii_is_digit(*text)) {
		r = fail_with(ret_why, want_instant);
	} else {
		r = iso8601_parse(text, &wall, ret_why);
		instant.s = r < 0 ? 0 : iso8601_seconds(&wall) - wall.offset_s;
		instant.ns = wall.nanosecond;
	}
	if (r < 0)
		return r;
	if (instant.s < ISO8601_MIN_SECONDS || instant.s > ISO8601_MAX_SECONDS)
		return fail_with(ret_why, out_of_range);
	*ret = instant;
	return 0;
}

struct instant iso8601_subtract(struct instant a, struct instant b)
{
	struct instant d = { a.s - b.s, a.ns - b.ns };

	if (d.ns < 0) {
		d.s--;
		d.ns += NS_PER_SECOND;
	}
	return d;
}

void iso8601_add_offset(struct strbuf *buf, int offset_s)
{
	int abs_s = abs(offset_s);

	strbuf_addf(buf, "%c%02d:%02d", offset_s < 0 ? '-' : '+', abs_s / HOUR_S,
		abs_s / MINUTE_S % 60);
	if (abs_s % MINUTE_S)
		strbuf_addf(buf, ":%02d", abs_s % MINUTE_S);
}

/* A duration in parts, all of them positive. */
struct parts {
	bool is_negative;
	int64_t days;
	int hours, minutes, seconds, ns;
};

static struct parts split(struct instant duration)
{
	bool is_negative = duration.s < 0;
	struct instant d =
		is_negative ? iso8601_subtract((struct instant){ 0 }, duration) : duration;

	return (struct parts){
		.is_negative = is_negative,
		.days = d.s / DAY_S,
		.hours = (int)(d.s % DAY_S / HOUR_S),
		.minutes = (int)(d.s % HOUR_S / MINUTE_S),
		.seconds = (int)(d.s % MINUTE_S),
		.ns = d.ns,
	};
}

/* "4" or "4.5": no zeros at the end. */
static void add_seconds(struct strbuf *buf, const struct parts *parts)
{
	strbuf_addf(buf, "%d", parts->seconds);
	if (parts->ns == 0)
		return;
	strbuf_addf(buf, ".%09d", parts->ns);
	while (buf->data[buf->len - 1] == '0')
		strbuf_cut(buf, buf->len - 1);
}

void iso8601_add_duration(struct strbuf *buf, struct instant duration)
{
	struct parts parts = split(duration);
	bool has_seconds = parts.seconds || parts.ns;
	bool is_zero = !parts.days && !parts.hours && !parts.minutes && !has_seconds;

	strbuf_adds(buf, parts.is_negative ? "-P" : "P");
	if (parts.days)
		strbuf_addf(buf, "%lldD", (long long)parts.days);
	if (parts.hours || parts.minutes || has_seconds || is_zero)
		strbuf_addc(buf, 'T');
	if (parts.hours)
		strbuf_addf(buf, "%dH", parts.hours);
	if (parts.minutes)
		strbuf_addf(buf, "%dM", parts.minutes);
	if (has_seconds || is_zero) {
		add_seconds(buf, &parts);
		strbuf_addc(buf, 'S');
	}
}

static void add_unit(struct strbuf *buf, size_t start, int64_t n, const char *unit)
{
	if (n == 0)
		return;
	strbuf_addf(buf, "%s%lld %s%s", buf->len > start ? ", " : "", (long long)n, unit,
		n == 1 ? "" : "s");
}

void iso8601_add_words(struct strbuf *buf, struct instant duration)
{
	struct parts parts = split(duration);
	size_t start = buf->len;

	add_unit(buf, start, parts.days, "day");
	add_unit(buf, start, parts.hours, "hour");
	add_unit(buf, start, parts.minutes, "minute");
	if (parts.ns) {
		strbuf_adds(buf, buf->len > start ? ", " : "");
		add_seconds(buf, &parts);
		strbuf_adds(buf, " seconds");
	} else {
		add_unit(buf, start, parts.seconds, "second");
	}
	if (buf->len == start)
		strbuf_adds(buf, "0 seconds");
	if (parts.is_negative)
		strbuf_adds(buf, " earlier");
}
