/* See metrics_text.h. */
#include "supervisor/ops/metrics_text.h"

#include <assert.h>
#include <stdio.h>

enum { US = 1000000 };

const char *metric_type_name(enum metric_type type)
{
	switch (type) {
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "unknown";
}

/* The family's name: OpenMetrics has a counter's without what makes it one. */
static int family_len(const struct metrics_text *text)
{
	static const char total[] = "_total";
	size_t len = strlen(text->m->name);

	if (text->is_open && text->m->type == METRIC_COUNTER)
		len -= sizeof(total) - 1;
	return (int)len;
}

void metrics_begin(struct metrics_text *text, enum metric_id id)
{
	const struct metric *m = &metrics_table[id];
	int len;

	text->m = m;
	len = family_len(text);
	strbuf_addf(text->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, m->name, m->help, len,
		m->name, metric_type_name(m->type));
	if (text->is_open && m->unit)
		strbuf_addf(text->out, "# UNIT %.*s %s\n", len, m->name, m->unit);
}

/* In a label's value these three are escaped. */
static void add_escaped(struct strbuf *out, const char *value)
{
	for (;;) {
		size_t len = strcspn(value, "\n\"\\");

		strbuf_add(out, value, len);
		value += len;
		if (!*value)
			return;
		strbuf_addc(out, '\\');
		strbuf_addc(out, (char)(*value == '\n' ? 'n' : *value));
		value++;
	}
}

/* "a="1",b="2"", without braces. */
static void add_labels(struct strbuf *out, const struct metric *m, const char *const *values)
{
	for (size_t i = 0; i < METRIC_LABELS && m->labels[i]; i++) {
		assert(values);
		if (i > 0)
			strbuf_addc(out, ',');
		strbuf_adds(out, m->labels[i]);
		strbuf_adds(out, "=\"");
		add_escaped(out, values[i]);
		strbuf_addc(out, '"');
	}
}

static void add_name(struct metrics_text *text, const char *const *values)
{
	strbuf_adds(text->out, text->m->name);
	if (text->m->labels[0]) {
		strbuf_addc(text->out, '{');
		add_labels(text->out, text->m, values);
		strbuf_addc(text->out, '}');
	}
	strbuf_addc(text->out, ' ');
}

void metrics_add(struct metrics_text *text, int64_t value, const char *const *values)
{
	add_name(text, values);
	strbuf_addf(text->out, "%lld\n", (long long)value);
}

/* As short as it can be, and exact: "0", "1.5". */
static void add_seconds(struct strbuf *out, uint64_t us)
{
	char fraction[8];
	size_t len = 6;

	strbuf_addf(out, "%llu", (unsigned long long)(us / US));
	if (us % US == 0)
		return;
	(void)snprintf(fraction, sizeof(fraction), "%06u", (unsigned)(us % US));
	while (fraction[len - 1] == '0')
		len--;
	strbuf_addc(out, '.');
	strbuf_add(out, fraction, len);
}

void metrics_add_us(struct metrics_text *text, int64_t us, const char *const *values)
{
	add_name(text, values);
	add_seconds(text->out, us > 0 ? (uint64_t)us : 0);
	strbuf_addc(text->out, '\n');
}

/* One line of a histogram; `labels` is ready made, `bound` "" for none. */
static void add_part(struct metrics_text *text, const char *suffix, const struct strbuf *labels,
	const char *bound)
{
	struct strbuf *out = text->out;

	strbuf_adds(out, text->m->name);
	strbuf_adds(out, suffix);
	if (labels->len > 0 || *bound)
		strbuf_addc(out, '{');
	strbuf_add(out, labels->data, labels->len);
	if (*bound) {
		if (labels->len > 0)
			strbuf_addc(out, ',');
		strbuf_adds(out, "le=\"");
		strbuf_adds(out, bound);
		strbuf_addc(out, '"');
	}
	if (labels->len > 0 || *bound)
		strbuf_addc(out, '}');
	strbuf_addc(out, ' ');
}

static void add_count(struct strbuf *out, uint64_t n)
{
	strbuf_addf(out, "%llu\n", (unsigned long long)n);
}

/* A bound is written as a number with a point, which OpenMetrics wants of a float that is whole. */
static void add_bound(struct strbuf *out, uint64_t us)
{
	add_seconds(out, us);
	if (us % US == 0)
		strbuf_adds(out, ".0");
}

void metrics_add_histogram(
	struct metrics_text *text, const struct histogram *histogram, const char *const *values)
{
	const struct metric *m = text->m;
	auto_strbuf labels = { 0 };
	uint64_t n_below = 0;
	unsigned bucket = 0;

	add_labels(&labels, m, values);
	for (unsigned bits = m->first; bits <= m->last; bits += m->step) {
		auto_strbuf bound = { 0 };

		for (; histogram_bound(bucket) <= INT64_C(1) << bits; bucket++)
			n_below += histogram->counts[bucket];
		add_bound(&bound, (UINT64_C(1) << bits) * m->scale);
		add_part(text, "_bucket", &labels, strbuf_get(&bound));
		add_count(text->out, n_below);
	}
	add_part(text, "_bucket", &labels, "+Inf");
	add_count(text->out, histogram->n);
	add_part(text, "_sum", &labels, "");
	add_seconds(text->out, histogram->sum_us * m->scale);
	strbuf_addc(text->out, '\n');
	add_part(text, "_count", &labels, "");
	add_count(text->out, histogram->n);
}

void metrics_add_one(struct metrics_text *text, enum metric_id id, int64_t value)
{
	metrics_begin(text, id);
	metrics_add(text, value, NULL);
}

void metrics_end(struct metrics_text *text)
{
	if (text->is_open)
		strbuf_adds(text->out, "# EOF\n");
}
