/* See page_words.h. */
#include "supervisor/ops/page_words.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/limits.h"

enum {
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
	DIGITS_OF_GROUP = 3,
};

const char *page_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

bool page_has_number(const json_t *object, const char *name)
{
	return json_is_integer(json_object_get(object, name));
}

json_int_t page_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool page_is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

void page_add_count(struct strbuf *out, json_int_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && digits[i - 1] != '-' && (len - i) % DIGITS_OF_GROUP == 0)
			strbuf_addc(out, ',');
		strbuf_addc(out, digits[i]);
	}
}

/* "2 h 5 min": the smaller unit only where there is some of it. */
static void add_two(
	struct strbuf *out, long long s, int unit_s, const char *unit, int part_s, const char *part)
{
	strbuf_addf(out, "%lld %s", s / unit_s, unit);
	if (s % unit_s / part_s > 0)
		strbuf_addf(out, " %lld %s", s % unit_s / part_s, part);
}

void page_add_age(struct strbuf *out, json_int_t ms)
{
	long long s = ms / CLOCK_SECOND_MS;

	if (s < 1)
		strbuf_adds(out, "under 1 s");
	else if (s < MINUTE_S)
		strbuf_addf(out, "%lld s", s);
	else if (s < HOUR_S)
		strbuf_addf(out, "%lld min", s / MINUTE_S);
	else if (s < DAY_S)
		add_two(out, s, HOUR_S, "h", MINUTE_S, "min");
	else
		add_two(out, s, DAY_S, "d", HOUR_S, "h");
}

void page_add_bytes(struct strbuf *out, json_int_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = bytes > 0 ? (double)bytes : 0;
	size_t unit = 0;

	/* What would be shown as 1024.0 is 1.0 of the next. */
	for (; value >= (unit ? 1023.95 : 1024) && unit + 1 < N_ELEMENTS(units); unit++)
		value /= KIB;
	strbuf_addf(out, "%.*f %s", unit ? 1 : 0, value, units[unit]);
}

void page_add_cpu(struct strbuf *out, json_int_t ms)
{
	double s = (double)ms / CLOCK_SECOND_MS;

	if (s >= MINUTE_S)
		page_add_age(out, ms);
	else
		strbuf_addf(out, s < 10 ? "%.2f s" : "%.1f s", s);
}

/* The bound of the bucket in which it lies, as mcp-fleetctl has it; INT64_MAX: above all bounds. */
static int64_t bound_at(const struct histogram *latency, double share)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += latency->counts[i];
		if (latency->counts[i] > 0 && (double)below >= share * (double)latency->n)
			return histogram_bound(i);
	}
	return INT64_MAX;
}

void page_add_latency(struct strbuf *out, const struct histogram *latency, double share)
{
	int64_t us = latency->n ? bound_at(latency, share) : 0;
	double ms = (double)us / 1000;

	if (latency->n == 0)
		strbuf_adds(out, "–");
	else if (us == INT64_MAX)
		strbuf_adds(out, "over an hour");
	else if (ms < 10)
		strbuf_addf(out, "%.3g ms", ms);
	else if (ms < CLOCK_SECOND_MS)
		strbuf_addf(out, "%.0f ms", ms);
	else
		strbuf_addf(out, "%.3g s", ms / CLOCK_SECOND_MS);
}

/* -1: it is none. */
static int64_t bound_of(const json_t *bucket)
{
	const json_t *bound = json_array_get(bucket, 0);
	double us = json_number_value(bound) * 1000;

	if (json_is_null(bound))
		return INT64_MAX;
	return us > 0 && us <= (double)histogram_bound(HISTOGRAM_BUCKETS - 2) ? (int64_t)(us + 0.5)
									      : -1;
}

void page_load_latency(const json_t *object, struct histogram *ret)
{
	size_t i;
	json_t *bucket;

	*ret = (struct histogram){ 0 };
	json_array_foreach(json_object_get(object, "latency"), i, bucket) {
		json_int_t n = json_integer_value(json_array_get(bucket, 1));

		if (n < 0 || !histogram_load(ret, bound_of(bucket), (uint64_t)n))
			return;
	}
}
