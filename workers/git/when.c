#include "workers/git/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <strings.h>

enum {
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
	WEEK = 7 * DAY,
	MAX_TEXT = 64,
	MAX_COUNT_DIGITS = 9,
	MAX_EPOCH_DIGITS = 12,
};

/* The first and the last second of the years 1 to 9999. */
#define FIRST_SECOND INT64_C(-62135596800)
#define LAST_SECOND INT64_C(253402300799)

struct date {
	int64_t year;
	int month; /* 1 to 12 */
	int day;
};

static int days_in_month(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970-01-01. Years are counted from March, so that the leap day is the last. */
static int64_t days_of_date(struct date date)
{
	int64_t year = date.month <= 2 ? date.year - 1 : date.year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int month = (date.month + 9) % 12;
	int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static struct date date_of_days(int64_t days)
{
	struct date date = { .year = 1970 + days / 366, .month = 1, .day = 1 };

	while (days_of_date((struct date){ date.year + 1, 1, 1 }) <= days)
		date.year++;
	while (days_of_date((struct date){ date.year, 1, 1 }) > days)
		date.year--;
	days -= days_of_date(date);
	while (days >= days_in_month(date.year, date.month))
		days -= days_in_month(date.year, date.month++);
	date.day = (int)days + 1;

	return date;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Exactly `n` digits. */
static bool take_digits(const char **at, int n, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		value = value * 10 + ((*at)[i] - '0');
	}
	*at += n;
	*ret = value;
	return true;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* HH:MM[:SS[.digits]] */
static bool take_time(const char **at, int64_t *ret_seconds)
{
	int hour, minute, second = 0;

	if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute))
		return false;
	if (take_char(at, ':')) {
		if (!take_digits(at, 2, &second))
			return false;
		if (take_char(at, '.')) {
			if (!isdigit((unsigned char)**at))
				return false;
			while (isdigit((unsigned char)**at))
				(*at)++;
		}
	}
	*ret_seconds = (int64_t)hour * HOUR + (int64_t)minute * MINUTE + second;
	return hour < 24 && minute < 60 && second < 60;
}

/* Nothing, Z, +HH, +HH:MM or +HHMM; a blank may stand before it. */
static bool take_zone(const char **at, int64_t *ret_seconds)
{
	int hour, minute = 0;
	bool is_minus;

	*ret_seconds = 0;
	while (take_char(at, ' '))
		;
	if (**at == '\0')
		return true;
	if (take_char(at, 'Z') || take_char(at, 'z'))
		return true;
	is_minus = **at == '-';
	if ((**at != '+' && !is_minus) || ((*at)++, !take_digits(at, 2, &hour)))
		return false;
	(void)take_char(at, ':');
	if (**at != '\0' && !take_digits(at, 2, &minute))
		return false;
	*ret_seconds = (int64_t)hour * HOUR + (int64_t)minute * MINUTE;
	if (is_minus)
		*ret_seconds = -*ret_seconds;

	return hour < 24 && minute < 60;
}

static bool parse_iso(const char *at, int64_t *ret)
{
	struct date date;
	int64_t time = 0, zone = 0;
	int year;

	if (!take_digits(&at, 4, &year) || !take_char(&at, '-') ||
		!take_digits(&at, 2, &date.month) || !take_char(&at, '-') ||
		!take_digits(&at, 2, &date.day))
		return false;
	date.year = year;
	if (year < 1 || date.month < 1 || date.month > 12 || date.day < 1 ||
		date.day > days_in_month(year, date.month))
		return false;
	if (*at != '\0') {
		if (!take_char(&at, 'T') && !take_char(&at, 't') && !take_char(&at, ' '))
			return false;
		if (!take_time(&at, &time) || !take_zone(&at, &zone))
			return false;
	}
	*ret = days_of_date(date) * DAY + time - zone;
	return *at == '\0';
}

static bool parse_epoch(const char *at, int64_t *ret)
{
	int64_t value = 0;
	int n;

	for (n = 0; n <= MAX_EPOCH_DIGITS && isdigit((unsigned char)at[n]); n++)
		value = value * 10 + (at[n] - '0');
	*ret = value;
	return n > 0 && n <= MAX_EPOCH_DIGITS && at[n] == '\0';
}

/* The same day and time of day `months` before; the last day of a month that is shorter. */
static int64_t months_before(int64_t now, int64_t months)
{
	int64_t day = floor_div(now, DAY);
	struct date date = date_of_days(day);
	int64_t count = date.year * 12 + date.month - 1 - months;
	int last;

	date.year = floor_div(count, 12);
	date.month = (int)(count - date.year * 12) + 1;
	last = days_in_month(date.year, date.month);
	if (date.day > last)
		date.day = last;

	return days_of_date(date) * DAY + now - day * DAY;
}

static bool parse_ago(const char *at, int64_t now, int64_t *ret)
{
	static const struct {
		const char *name;
		int seconds;
		int months;
	} units[] = {
		{ "second", 1, 0 },
		{ "minute", MINUTE, 0 },
		{ "hour", HOUR, 0 },
		{ "day", DAY, 0 },
		{ "week", WEEK, 0 },
		{ "month", 0, 1 },
		{ "year", 0, 12 },
	};
	int64_t n = 0;
	int digits = 0;

	for (; digits < MAX_COUNT_DIGITS && isdigit((unsigned char)*at); at++, digits++)
		n = n * 10 + (*at - '0');
	if (digits == 0 || !take_char(&at, ' '))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncasecmp(at, units[i].name, len) != 0)
			continue;
		at += len;
		if (*at == 's' || *at == 'S')
			at++;
		*ret = units[i].months ? months_before(now, n * units[i].months)
				       : now - n * units[i].seconds;
		return strcasecmp(at, " ago") == 0;
	}
	return false;
}

static bool parse_word(const char *text, int64_t now, int64_t *ret)
{
	int64_t midnight = floor_div(now, DAY) * DAY;

	if (strcasecmp(text, "now") == 0)
		*ret = now;
	else if (strcasecmp(text, "today") == 0)
		*ret = midnight;
	else if (strcasecmp(text, "yesterday") == 0)
		*ret = midnight - DAY;
	else
		return false;

	return true;
}

/* `text` without blanks around it and with single ones inside. */
static bool trim(const char *text, char ret[MAX_TEXT])
{
	size_t n = 0;

	for (; *text; text++) {
		bool is_blank = isspace((unsigned char)*text) != 0;

		if (is_blank && (n == 0 || ret[n - 1] == ' '))
			continue;
		if (n == MAX_TEXT - 1)
			return false;
		ret[n++] = (char)(is_blank ? ' ' : *text);
	}
	if (n > 0 && ret[n - 1] == ' ')
		n--;
	ret[n] = '\0';
	return n > 0;
}

int when_parse(const char *text, int64_t now, int64_t *ret)
{
	char clean[MAX_TEXT] = "";
	int64_t at;

	if (!trim(text, clean))
		return -EINVAL;
	if (!parse_word(clean, now, &at) && !parse_iso(clean, &at) && !parse_epoch(clean, &at) &&
		!parse_ago(clean, now, &at))
		return -EINVAL;
	if (at < FIRST_SECOND || at > LAST_SECOND)
		return -ERANGE;

	*ret = at;
	return 0;
}
