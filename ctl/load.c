/* See load.h. Time is the daemon's own, its uptime_ms: how long an answer was under way does not matter. A daemon
 * that began anew between two samples has other counters: then nothing is known of the window. */
#include "ctl/load.h"

#include "ctl/member.h"
#include "shared/alloc.h"

struct load_sample {
	json_t *status;
	struct usage *usages; /* of the daemon, then of each process in the order of the status */
	size_t n_usages;
};

/* --- samples ----------------------------------------------------------------------------------- */

static void add_usage(struct load_sample *sample, const json_t *process)
{
	struct usage *usage;

	sample->usages =
		alloc_resize(sample->usages, sample->n_usages + 1, sizeof(*sample->usages));
	usage = &sample->usages[sample->n_usages++];
	if (!usage_read((pid_t)member_int(process, "pid"), usage))
		usage->began = 0;
}

struct load_sample *load_sample_new(json_t *status)
{
	struct load_sample *sample = alloc_zero(sizeof(*sample));
	size_t i;
	json_t *domain;

	sample->status = json_incref(status);
	add_usage(sample, status);
	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		size_t k;
		json_t *process;

		json_array_foreach(json_object_get(domain, "processes"), k, process)
			add_usage(sample, process);
	}
	return sample;
}

void load_sample_free(struct load_sample *sample)
{
	if (!sample)
		return;
	json_decref(sample->status);
	free(sample->usages);
	free(sample);
}

json_t *load_sample_get(const struct load_sample *sample)
{
	return sample->status;
}

/* That of the same process in the sample before; NULL: there was none. */
static const struct usage *find_usage(
	const struct load_sample *sample, pid_t pid, const struct usage *now)
{
	size_t at = 1;
	size_t i;
	json_t *domain;

	if (!sample)
		return NULL;
	if (member_int(sample->status, "pid") == pid)
		return &sample->usages[0];
	json_array_foreach(json_object_get(sample->status, "domains"), i, domain) {
		size_t k;
		json_t *process;

		json_array_foreach(json_object_get(domain, "processes"), k, process) {
			if (member_int(process, "pid") == pid &&
				sample->usages[at].began == now->began)
				return &sample->usages[at];
			at++;
		}
	}
	return NULL;
}

/* --- the view ---------------------------------------------------------------------------------- */

/* The two statuses and the time between them; `before` is NULL when they are not of one daemon. */
struct window {
	const struct load_sample *now;
	const struct load_sample *before;
	double seconds;
};

static struct window make_window(const struct load_sample *now, const struct load_sample *before)
{
	struct window window = { now, before, 0 };

	if (!before)
		return window;
	window.seconds = (double)(member_int(now->status, "uptime_ms") -
				  member_int(before->status, "uptime_ms")) /
			 1000;
	if (window.seconds <= 0 ||
		member_int(now->status, "pid") != member_int(before->status, "pid"))
		window.before = NULL;
	return window;
}

static double rate(const struct window *window, int64_t now, int64_t before)
{
	return now >= before ? (double)(now - before) / window->seconds : -1;
}

static void set_usage(const struct window *window, struct load *load, size_t at)
{
	const struct usage *now = &window->now->usages[at];
	const struct usage *before;

	load->cpu_percent = -1;
	load->has_usage = now->began > 0;
	if (!load->has_usage)
		return;
	load->rss_bytes = now->rss_bytes;
	before = find_usage(window->before, load->pid, now);
	if (before)
		load->cpu_percent = usage_cpu_percent(now, before);
}

static json_t *domain_before(const struct window *window, const json_t *domain)
{
	return window->before ? member_find(json_object_get(window->before->status, "domains"),
					"name", member_text(domain, "name"))
			      : NULL;
}

/* Of a domain or process. */
static void set_latency(const json_t *now, const json_t *before, struct load *ret)
{
	const json_t *latency = json_object_get(now, "latency");
	const json_t *then = json_object_get(before, "latency");

	ret->p50 = latency_get(latency, then, 0.5);
	ret->p99 = latency_get(latency, then, 0.99);
}

static void fill_process(const struct window *window, const json_t *domain, const json_t *process,
	size_t at, struct load *ret)
{
	const json_t *before =
		member_find(json_object_get(domain_before(window, domain), "processes"), "name",
			member_text(process, "name"));

	*ret = (struct load){
		.name = member_text(process, "name"),
		.state = member_text(process, "state"),
		.pid = (pid_t)member_int(process, "pid"),
		.calls_per_second = -1,
		.in_flight = member_int(process, "calls"),
	};
	if (before) {
		ret->calls_per_second = rate(
			window, member_int(process, "answered"), member_int(before, "answered"));
		set_latency(process, before, ret);
	}
	set_usage(window, ret, at);
}

static void add_to_domain(struct load *domain, const struct load *process)
{
	domain->has_usage |= process->has_usage;
	domain->rss_bytes += process->rss_bytes;
	if (process->cpu_percent >= 0)
		domain->cpu_percent =
			(domain->cpu_percent < 0 ? 0 : domain->cpu_percent) + process->cpu_percent;
}

static void fill_domain(const struct window *window, const json_t *domain, struct load *ret)
{
	const json_t *calls = json_object_get(domain, "calls");
	const json_t *before = domain_before(window, domain);

	*ret = (struct load){
		.name = member_text(domain, "name"),
		.state = member_text(domain, "state"),
		.calls_per_second = -1,
		.in_flight = member_int(calls, "in_flight"),
		.queued = member_int(calls, "queued"),
		.cpu_percent = -1,
	};
	if (!before)
		return;
	ret->calls_per_second = rate(window, member_int(calls, "total"),
		member_int(json_object_get(before, "calls"), "total"));
	set_latency(domain, before, ret);
}

static void add_domain(
	const struct window *window, const json_t *domain, size_t *at, struct load_view *ret)
{
	struct load *load = &ret->domains[ret->n_domains++];
	size_t i;
	json_t *process;

	fill_domain(window, domain, load);
	load->first = ret->n_processes;
	json_array_foreach(json_object_get(domain, "processes"), i, process) {
		fill_process(window, domain, process, (*at)++, &ret->processes[ret->n_processes++]);
		add_to_domain(load, &ret->processes[ret->n_processes - 1]);
		load->n++;
	}
}

static void fill_daemon(const struct window *window, struct load *ret)
{
	*ret = (struct load){
		.name = "mcp-fleetd",
		.state = "",
		.pid = (pid_t)member_int(window->now->status, "pid"),
		.calls_per_second = -1,
	};
	set_usage(window, ret, 0);
}

/* --- order ------------------------------------------------------------------------------------- */

static double weight(const struct load *load, enum load_order order)
{
	switch (order) {
	case LOAD_BY_NAME:
		return 0;
	case LOAD_BY_CALLS:
		return load->calls_per_second;
	case LOAD_BY_LATENCY:
		return load->p99.n_calls ? load->p99.ms + load->p99.is_above : -1;
	case LOAD_BY_QUEUE:
		return (double)(load->queued + load->in_flight);
	case LOAD_BY_MEMORY:
		return (double)load->rss_bytes;
	case LOAD_BY_CPU:
		return load->cpu_percent;
	}
	return 0;
}

/* The heaviest first, equal ones as they were: they are few. */
static void sort(struct load *loads, size_t n, enum load_order order)
{
	for (size_t i = 1; i < n; i++) {
		struct load load = loads[i];
		size_t at = i;

		for (; at > 0 && weight(&loads[at - 1], order) < weight(&load, order); at--)
			loads[at] = loads[at - 1];
		loads[at] = load;
	}
}

void load_view_make(const struct load_sample *now, const struct load_sample *before,
	enum load_order order, struct load_view *ret)
{
	struct window window = make_window(now, before);
	const json_t *domains = json_object_get(now->status, "domains");
	size_t at = 1;
	size_t i;
	json_t *domain;

	*ret = (struct load_view){ 0 };
	ret->domains = alloc_zero((json_array_size(domains) + 1) * sizeof(*ret->domains));
	ret->processes = alloc_zero((now->n_usages + 1) * sizeof(*ret->processes));
	fill_daemon(&window, &ret->daemon);
	json_array_foreach(domains, i, domain)
		add_domain(&window, domain, &at, ret);
	sort(ret->domains, ret->n_domains, order);
	for (i = 0; i < ret->n_domains; i++)
		sort(ret->processes + ret->domains[i].first, ret->domains[i].n, order);
}

void load_view_done(struct load_view *view)
{
	free(view->domains);
	free(view->processes);
}
