/* See amount.h. */
#include "shared/amount.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/strbuf.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* From large to small. */
static const struct unit duration_units[] = {
	{ "d", INT64_C(86400000) },
	{ "h", INT64_C(3600000) },
	{ "m", INT64_C(60000) },
	{ "s", INT64_C(1000) },
	{ "ms", INT64_C(1) },
};

static const struct unit size_units[] = {
	{ "", INT64_C(1) },
	{ "B", INT64_C(1) },
	{ "kB", INT64_C(1000) },
	{ "MB", INT64_C(1000000) },
	{ "GB", INT64_C(1000000000) },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
};

/* The digits at *at, which is moved behind them. */
static int take_digits(const char **at, int64_t *ret)
{
	int64_t value = 0;

	if (!ascii_is_digit(**at))
		return -EINVAL;
	for (; ascii_is_digit(**at); (*at)++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, **at - '0', &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int amount_parse_count(const char *text, int64_t *ret)
{
	int64_t value = 0;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret = value;
	return 0;
}

int amount_parse_size(const char *text, int64_t *ret)
{
	int64_t value = 0;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	for (size_t i = 0; i < N_ELEMENTS(size_units); i++) {
		if (!streq(text, size_units[i].name))
			continue;
		if (__builtin_mul_overflow(value, size_units[i].factor, &value))
			return -ERANGE;
		*ret = value;
		return 0;
	}
	return -EINVAL;
}

/* The unit at *at, looked for from `from` on; its index, or -1. A unit ends where a digit or the text
 * ends it, so "m" is not found in "ms". */
static int take_duration_unit(const char **at, int from)
{
	size_t len = strcspn(*at, "0123456789");

	for (int i = from; i < (int)N_ELEMENTS(duration_units); i++) {
		if (strlen(duration_units[i].name) == len &&
			strncmp(*at, duration_units[i].name, len) == 0) {
			*at += len;
			return i;
		}
	}
	return -1;
}

int amount_parse_duration(const char *text, int64_t *ret_ms)
{
	int64_t sum = 0;
	int next = 0;

	do {
		int64_t value = 0;
		int r = take_digits(&text, &value);
		int unit;

		if (r < 0)
			return r;
		unit = take_duration_unit(&text, next);
		if (unit < 0)
			return -EINVAL;
		next = unit + 1;
		if (__builtin_mul_overflow(value, duration_units[unit].factor, &value) ||
			__builtin_add_overflow(sum, value, &sum))
			return -ERANGE;
	} while (*text);
	*ret_ms = sum;
	return 0;
}

int amount_parse_seconds(const char *text, int64_t *ret_ms)
{
	int64_t ms = 0;
	int r = take_digits(&text, &ms);

	if (r < 0)
		return r;
	if (__builtin_mul_overflow(ms, 1000, &ms))
		return -ERANGE;
	if (*text == '.') {
		int64_t factor = 100;

		for (text++; ascii_is_digit(*text) && factor > 0; text++, factor /= 10) {
			if (__builtin_add_overflow(ms, (*text - '0') * factor, &ms))
				return -ERANGE;
		}
		if (factor == 100)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

char *amount_format_size(int64_t bytes)
{
	static const struct unit units[] = { { "GiB", INT64_C(1) << 30 },
		{ "MiB", INT64_C(1) << 20 }, { "KiB", INT64_C(1) << 10 } };

	for (size_t i = 0; bytes && i < N_ELEMENTS(units); i++) {
		if (bytes % units[i].factor == 0)
			return alloc_printf(
				"%lld%s", (long long)(bytes / units[i].factor), units[i].name);
	}
	return alloc_printf("%lld", (long long)bytes);
}

char *amount_format_duration(int64_t ms)
{
	auto_strbuf text = { 0 };

	if (ms == 0)
		return alloc_str("0s");
	for (size_t i = 0; i < N_ELEMENTS(duration_units); i++) {
		int64_t n = ms / duration_units[i].factor;

		if (n)
			strbuf_addf(&text, "%lld%s", (long long)n, duration_units[i].name);
		ms -= n * duration_units[i].factor;
	}
	return strbuf_take(&text);
}
