/* /metrics: domains and their processes.
 *
 * Each domain is looked at once; then its numbers are told family by family. What the kernel knows of processes is
 * read for the first MAX_READ of them: a domain of which not all were read has no memory and no processor time. */
#include "supervisor/ops/metrics_private.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"

enum { MAX_READ = 1000 };

/* A domain as it is now; texts are borrowed. */
struct row {
	const char *name;
	struct domain_stats stats;
	size_t n_tools;
	struct process_usage_sum usage; /* with the processor time of those that have ended */
};

struct rows {
	const struct metrics *metrics;
	struct row *items;
	size_t n, size;
	unsigned n_read;
};

/* --- looking ------------------------------------------------------------------------------------ */

static void read_process(void *arg, const struct domain_process *process)
{
	struct rows *rows = arg;
	struct process_usage usage;

	(void)process_usage_add(
		&rows->items[rows->n - 1].usage, process->pid, &rows->n_read, MAX_READ, &usage);
}

static void add_row(void *arg, struct domain *domain)
{
	struct rows *rows = arg;
	struct catalog *catalog = mcp_get_catalog(rows->metrics->parts.mcp);
	const struct endpoint *endpoint = catalog_endpoint(catalog, domain_get_name(domain));
	struct row *row;

	if (rows->n == rows->size) {
		rows->size = rows->size ? rows->size * 2 : 16;
		rows->items = alloc_resize(rows->items, rows->size, sizeof(*rows->items));
	}
	row = &rows->items[rows->n++];
	*row = (struct row){ .name = domain_get_name(domain),
		.n_tools = endpoint ? endpoint_count_tools(endpoint) : 0 };
	domain_get_stats(domain, &row->stats);
	row->usage.cpu_us = row->stats.ended_cpu_us;
	domain_each_process(domain, read_process, rows);
}

/* --- telling ------------------------------------------------------------------------------------ */

typedef int64_t number_fn(const struct row *row);

static int64_t is_up(const struct row *row)
{
	return domain_state_is_up(row->stats.state);
}

static int64_t n_tools(const struct row *row)
{
	return (int64_t)row->n_tools;
}

static int64_t last_start(const struct row *row)
{
	return row->stats.last_start_ms / CLOCK_SECOND_MS;
}

static int64_t n_in_flight(const struct row *row)
{
	return row->stats.n_in_flight;
}

static int64_t n_queued(const struct row *row)
{
	return row->stats.n_queued;
}

static int64_t queue_limit(const struct row *row)
{
	return row->stats.n_queue_max;
}

static void add_numbers(
	struct metrics_text *text, enum metric_id id, const struct rows *rows, number_fn *number)
{
	metrics_begin(text, id);
	for (size_t i = 0; i < rows->n; i++)
		metrics_add(text, number(&rows->items[i]), &rows->items[i].name);
}

static void add_states(struct metrics_text *text, const struct rows *rows)
{
	metrics_begin(text, METRIC_DOMAIN_STATE);
	for (size_t i = 0; i < rows->n; i++)
		for (unsigned state = 0; state <= DOMAIN_STOPPED; state++)
			metrics_add(text, rows->items[i].stats.state == state,
				(const char *[]){ rows->items[i].name,
					domain_state_name((enum domain_state)state) });
}

/* Some numbers of each domain, told apart by a second label. */
struct part {
	const char *label;
	uint64_t value;
};

static void add_parts(
	struct metrics_text *text, const struct row *row, const struct part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		metrics_add(text, (int64_t)parts[i].value,
			(const char *[]){ row->name, parts[i].label });
}

static void add_processes(struct metrics_text *text, const struct rows *rows)
{
	metrics_begin(text, METRIC_DOMAIN_PROCESSES);
	for (size_t i = 0; i < rows->n; i++) {
		const struct domain_stats *stats = &rows->items[i].stats;
		const struct part parts[] = {
			{ "starting", stats->n_starting },
			{ "ready", stats->n_ready },
			{ "stopping", stats->n_stopping },
			{ "waiting", stats->n_waiting },
			{ "parked", stats->n_parked },
		};

		add_parts(text, &rows->items[i], parts, N_ELEMENTS(parts));
	}
}

static void add_restarts(struct metrics_text *text, const struct rows *rows)
{
	metrics_begin(text, METRIC_DOMAIN_RESTARTS);
	for (size_t i = 0; i < rows->n; i++)
		for (unsigned cause = 0; cause < WORKER_CAUSES; cause++)
			metrics_add(text, (int64_t)rows->items[i].stats.restarts[cause],
				(const char *[]){ rows->items[i].name,
					worker_cause_name((enum worker_cause)cause) });
}

static void add_calls(struct metrics_text *text, const struct rows *rows)
{
	metrics_begin(text, METRIC_DOMAIN_CALLS);
	for (size_t i = 0; i < rows->n; i++) {
		const struct domain_stats *stats = &rows->items[i].stats;
		const struct part parts[] = {
			{ "ok", stats->n_ok },
			{ "error", stats->n_errors },
			{ "lost", stats->n_lost },
			{ "timed_out", stats->n_timed_out },
			{ "cancelled", stats->n_cancelled },
		};

		add_parts(text, &rows->items[i], parts, N_ELEMENTS(parts));
	}
	metrics_begin(text, METRIC_DOMAIN_CALL_DURATION);
	for (size_t i = 0; i < rows->n; i++)
		metrics_add_histogram(text, rows->items[i].stats.latency, &rows->items[i].name);
}

static void add_usage(struct metrics_text *text, const struct rows *rows)
{
	metrics_begin(text, METRIC_DOMAIN_MEMORY);
	for (size_t i = 0; i < rows->n; i++)
		if (!rows->items[i].usage.is_partial)
			metrics_add(
				text, rows->items[i].usage.resident_bytes, &rows->items[i].name);
	metrics_begin(text, METRIC_DOMAIN_CPU);
	for (size_t i = 0; i < rows->n; i++)
		if (!rows->items[i].usage.is_partial)
			metrics_add_us(text, rows->items[i].usage.cpu_us, &rows->items[i].name);
}

void metrics_add_domains(const struct metrics *metrics, struct metrics_text *text)
{
	struct rows rows = { .metrics = metrics };

	fleet_each(mcp_get_fleet(metrics->parts.mcp), add_row, &rows);
	add_numbers(text, METRIC_DOMAIN_UP, &rows, is_up);
	add_states(text, &rows);
	add_numbers(text, METRIC_DOMAIN_TOOLS, &rows, n_tools);
	add_processes(text, &rows);
	add_restarts(text, &rows);
	add_numbers(text, METRIC_DOMAIN_LAST_START, &rows, last_start);
	add_numbers(text, METRIC_DOMAIN_IN_FLIGHT, &rows, n_in_flight);
	add_numbers(text, METRIC_DOMAIN_QUEUED, &rows, n_queued);
	add_numbers(text, METRIC_DOMAIN_QUEUE_LIMIT, &rows, queue_limit);
	add_calls(text, &rows);
	add_usage(text, &rows);
	free(rows.items);
}
