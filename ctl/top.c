/* mcp-fleetctl top: how busy the fleet is, live on a terminal, as lines or JSON elsewhere.
 *
 * The daemon tells its status every interval; the rates are those between two of them. What processes use is read
 * here, from /proc: that works where the daemon is on the same machine, which a Unix socket says. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/load.h"
#include "ctl/member.h"
#include "ctl/number.h"
#include "ctl/output.h"
#include "ctl/screen.h"
#include "ctl/signals.h"
#include "ctl/top_frame.h"
#include "shared/clock.h"
#include "shared/fd.h"

enum {
	DEFAULT_INTERVAL_MS = 1000,
	MIN_INTERVAL_MS = 100,
	MAX_INTERVAL_S = 3600,
	MAX_COUNT = INT_MAX
};

const struct verb verb_top;

struct top {
	const struct ctl *ctl;
	struct client *client;
	int64_t interval_ms;
	uint64_t count; /* how many to show still; UINT64_MAX: no end */
	enum load_order order;
	int signals;
	bool is_screen;
	bool is_ended;
	struct load_sample *before;
	struct load_sample *now;
	int64_t told_ms; /* when the daemon told the last status */
};

/* --- showing ----------------------------------------------------------------------------------- */

static void draw(const struct top *top)
{
	struct top_frame frame = { .interval_ms = top->interval_ms, .order = top->order };
	struct load_view view;
	auto_strbuf text = { 0 };

	if (!top->now)
		return;
	load_view_make(top->now, top->before, top->order, &view);
	frame.silent_ms = clock_now_ms() - top->told_ms;
	if (frame.silent_ms < 2 * top->interval_ms + CLOCK_SECOND_MS)
		frame.silent_ms = 0;
	if (top->is_screen)
		screen_get_size(&frame.columns, &frame.rows);
	top_frame_render(top->ctl, load_sample_get(top->now), &view, &frame, &text);
	if (top->is_screen)
		screen_draw(strbuf_get(&text));
	else
		(void)printf("%s\n", strbuf_get(&text));
	load_view_done(&view);
}

static void show(struct top *top)
{
	struct load_view view;

	if (top->ctl->is_json) {
		json_auto_t *json = NULL;

		load_view_make(top->now, top->before, top->order, &view);
		json = top_frame_json(load_sample_get(top->now), &view);
		load_view_done(&view);
		out_json_line(json);
	} else {
		draw(top);
	}
	if (fflush(stdout) != 0)
		top->is_ended = true;
	if (top->count != UINT64_MAX && --top->count == 0)
		top->is_ended = true;
}

/* The daemon tells changes at once: a window is not cut short by them. Without a screen the first status is only
 * what the second is compared with. */
static void take_status(struct top *top, json_t *status)
{
	bool is_first = !top->now;

	top->told_ms = clock_now_ms();
	if (!is_first &&
		(member_int(status, "pid") == member_int(load_sample_get(top->now), "pid")) &&
		member_int(status, "uptime_ms") -
				member_int(load_sample_get(top->now), "uptime_ms") <
			top->interval_ms * 8 / 10)
		return;
	load_sample_free(top->before);
	top->before = top->now;
	top->now = load_sample_new(status);
	if (!is_first)
		show(top);
	else if (top->is_screen)
		draw(top);
}

/* --- what comes -------------------------------------------------------------------------------- */

/* 0, or -ENOTCONN with words. */
static int take_news(struct top *top, struct fail *fail)
{
	const char *method;
	json_t *params;
	int r;

	while (!top->is_ended &&
		(r = client_next(top->client, 0, &method, &params, fail)) != -ETIMEDOUT) {
		if (r < 0)
			return r;
		if (streq(method, "status"))
			take_status(top, params);
		json_decref(params);
	}
	return 0;
}

/* Ctrl-Z: the terminal is the shell's until we are continued. */
static void suspend(void)
{
	screen_close();
	(void)raise(SIGSTOP);
	screen_open();
}

static void take_signals(struct top *top)
{
	int signo;

	while ((signo = signals_next(top->signals)) != 0) {
		if (signo == SIGTSTP)
			suspend();
		else if (signo != SIGWINCH)
			top->is_ended = true;
		if (signo == SIGTSTP || signo == SIGWINCH)
			draw(top);
	}
}

static void take_keys(struct top *top)
{
	static const struct {
		char key;
		enum load_order order;
	} orders[] = { { 'n', LOAD_BY_NAME }, { 'c', LOAD_BY_CALLS }, { 'l', LOAD_BY_LATENCY },
		{ 'w', LOAD_BY_QUEUE }, { 'm', LOAD_BY_MEMORY }, { 'p', LOAD_BY_CPU } };
	char key;

	while (top->is_screen && (key = screen_get_key()) != 0) {
		if (key == 'q' || key == 'Q')
			top->is_ended = true;
		for (size_t i = 0; i < N_ELEMENTS(orders); i++)
			if (orders[i].key == key)
				top->order = orders[i].order;
		draw(top);
	}
}

static int follow(struct top *top, struct fail *fail)
{
	int r = 0;

	while (!top->is_ended && (r = take_news(top, fail)) == 0) {
		take_signals(top);
		take_keys(top);
		if (top->is_ended)
			break;
		/* A screen says how old it is, and waits for better times; a program is told. */
		if (!top->is_screen && (r = client_check_alive(top->client, fail)) < 0)
			break;
		/* A whole interval without news is drawn too. */
		signals_wait(top->signals, client_get_fd(top->client),
			top->is_screen ? screen_get_key_fd() : -1,
			top->is_screen ? top->interval_ms : CLOCK_SECOND_MS);
		if (top->is_screen && clock_now_ms() - top->told_ms > 2 * top->interval_ms)
			draw(top);
	}
	return r;
}

/* --- the verb ---------------------------------------------------------------------------------- */

static bool read_order(const char *name, enum load_order *ret)
{
	static const char *const names[] = { [LOAD_BY_NAME] = "name",
		[LOAD_BY_CALLS] = "calls",
		[LOAD_BY_LATENCY] = "latency",
		[LOAD_BY_QUEUE] = "queue",
		[LOAD_BY_MEMORY] = "memory",
		[LOAD_BY_CPU] = "cpu" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		if (streq(names[i], name)) {
			*ret = (enum load_order)i;
			return true;
		}
	}
	return false;
}

static int read_options(struct top *top, const struct ctl_args *args)
{
	const char *interval = args_get(args, "interval");
	const char *count = args_get(args, "count");
	const char *order = args_get(args, "sort");

	if (interval && (!number_read_seconds(interval, MAX_INTERVAL_S, &top->interval_ms) ||
				top->interval_ms < MIN_INTERVAL_MS))
		return ctl_usage(&verb_top,
			"--interval: '%s' is no number of seconds from 0.1 to %d", interval,
			MAX_INTERVAL_S);
	if (count && (!number_read(count, MAX_COUNT, &top->count) || top->count == 0))
		return ctl_usage(
			&verb_top, "--count: '%s' is no number from 1 to %d", count, MAX_COUNT);
	if (order)
		(void)read_order(order, &top->order);
	return CTL_DONE;
}

static int watch(struct top *top, struct fail *fail)
{
	json_auto_t *result = NULL;
	int r = client_open(top->ctl, &top->client, fail);

	if (r < 0)
		return r;
	result = client_call(top->client, "watch",
		json_pack("{s:I}", "interval_ms", (json_int_t)top->interval_ms), fail);
	if (!result)
		return fail->code;
	top->told_ms = clock_now_ms();
	if (top->is_screen)
		screen_open();
	r = follow(top, fail);
	screen_close();
	return r;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	const char *term = getenv("TERM");
	struct top top = { .ctl = ctl, .interval_ms = DEFAULT_INTERVAL_MS, .count = UINT64_MAX };
	struct fail fail = { 0 };
	int r = read_options(&top, args);

	if (r != CTL_DONE)
		return r;
	top.is_screen = ctl->is_terminal && !ctl->is_json && term && *term && !streq(term, "dumb");
	top.signals = signals_open(top.is_screen);
	r = watch(&top, &fail);
	client_free(top.client);
	load_sample_free(top.before);
	load_sample_free(top.now);
	(void)fd_close(top.signals);
	return r < 0 ? ctl_fail(ctl, &fail) : CTL_DONE;
}

static const struct ctl_option options[] = {
	{ "interval", 'i', "SECONDS", CTL_WORD_TEXT, NULL, false,
		"between two looks (default: 1)" },
	{ "count", 'n', "N", CTL_WORD_TEXT, NULL, false, "end after so many" },
	{ "sort", 's', "KEY", CTL_WORD_CHOICE, "name calls latency queue memory cpu", false,
		"the highest first (default: name, as the settings have them)" },
	{ 0 },
};

const struct verb verb_top = {
	.name = "top",
	.args = "",
	.summary = "show how busy domains and processes are, live",
	.help = "Calls a second, the times within which half and 99 of 100 calls were answered, what runs and waits,\n"
		"and the memory and processor time of the processes, each of the last interval.\n"
		"On a terminal q and Ctrl-C end it; n, c, l, w, m and p sort by name, calls, latency (P99), waiting\n"
		"calls, memory and processor. Elsewhere, and with --json, one snapshot is printed each interval.",
	.options = options,
	.run = run,
};
