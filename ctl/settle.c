/* See settle.h.
 *
 * The state of the domain does not tell it: it is up while the old processes serve, and one that was parked stays
 * so until its new process is ready. So the processes are looked at, all the time: it takes seconds at most. */
#include "ctl/settle.h"

#include <errno.h>
#include <poll.h>

#include "ctl/live.h"
#include "ctl/member.h"
#include "ctl/output.h"
#include "shared/clock.h"

enum { LOOK_MS = 75 };

struct waiting {
	const struct ctl *ctl;
	json_t *coming;  /* name: change */
	json_t *results; /* of --json */
	struct live live;
	size_t n_done, n_failed;
	bool is_lost; /* the daemon is gone */
};

/* --- one domain --------------------------------------------------------------------------------- */

static bool is_broken(const json_t *process)
{
	const char *state = member_text(process, "state");

	return *member_text(process, "last_end") || streq(state, "backoff") ||
	       streq(state, "parked");
}

static enum settle tell_why(const json_t *domain, const json_t *process, struct strbuf *why)
{
	const char *end = member_text(process, "last_end");
	const char *remedy = member_text(json_object_get(domain, "last_error"), "remedy");

	strbuf_addf(why, "%s: %s", member_text(process, "name"), *end ? end : "it cannot start");
	if (*remedy)
		strbuf_addf(why, " (%s)", remedy);
	return SETTLE_FAILED;
}

static enum settle look_at_processes(const json_t *domain, struct strbuf *why)
{
	const json_t *broken = NULL;
	bool is_coming = false;
	size_t i;
	json_t *process;

	json_array_foreach(json_object_get(domain, "processes"), i, process) {
		if (json_is_true(json_object_get(process, "retiring")))
			continue;
		if (streq(member_text(process, "state"), "ready"))
			return SETTLE_SERVES;
		if (is_broken(process))
			broken = process;
		is_coming = true;
	}
	if (broken)
		return tell_why(domain, broken, why);
	return !is_coming && streq(member_text(domain, "state"), "asleep") ? SETTLE_ASLEEP
									   : SETTLE_COMING;
}

enum settle settle_look(const json_t *status, const char *domain, struct strbuf *why)
{
	const json_t *found = member_find(json_object_get(status, "domains"), "name", domain);
	const char *state = member_text(found, "state");

	if (!found)
		return SETTLE_GONE;
	if (streq(state, "disabled"))
		return SETTLE_DISABLED;
	if (streq(state, "stopped")) {
		strbuf_adds(why, "the fleet is stopping");
		return SETTLE_FAILED;
	}
	return look_at_processes(found, why);
}

bool settle_is_waited(const json_t *change)
{
	const char *what = member_text(change, "change");

	return *member_text(change, "name") && (streq(what, "added") || streq(what, "replaced"));
}

/* --- all of them -------------------------------------------------------------------------------- */

static void note_result(struct waiting *w, const char *name, const char *error)
{
	json_t *result = json_pack("{s:s, s:b}", "domain", name, "ok", error == NULL);

	if (error)
		(void)json_object_set_new(result, "error", json_string(error));
	(void)json_array_append_new(w->results, result);
	w->n_done += error == NULL;
	w->n_failed += error != NULL;
}

static void note_failed(struct waiting *w, const char *name, const char *error)
{
	auto_strbuf line = { 0 };

	note_result(w, name, error);
	out_clean(&line, name);
	strbuf_adds(&line, ": ");
	out_clean(&line, error);
	live_end(&w->live);
	if (!w->ctl->is_json)
		out_note("%s", strbuf_get(&line));
}

static void note_settled(
	struct waiting *w, const char *name, const char *change, enum settle settle)
{
	static const char *const words[] = {
		[SETTLE_SERVES] = "and serves",
		[SETTLE_ASLEEP] = "and sleeps until its first call",
		[SETTLE_DISABLED] = "but it is disabled",
		[SETTLE_GONE] = "and gone since",
	};
	auto_strbuf line = { 0 };

	note_result(w, name, NULL);
	out_clean(&line, name);
	live_end(&w->live);
	if (!w->ctl->is_json)
		out_line(w->ctl, settle == SETTLE_SERVES ? COLOR_GOOD : COLOR_DIM,
			"domain %s: %s, %s", strbuf_get(&line), change, words[settle]);
}

static void look_at_all(struct waiting *w, const json_t *status)
{
	const char *name;
	json_t *change;
	void *after;

	json_object_foreach_safe(w->coming, after, name, change) {
		auto_strbuf error = { 0 };
		enum settle settle;

		strbuf_adds(&error, "does not come up: ");
		settle = settle_look(status, name, &error);
		if (settle == SETTLE_COMING)
			continue;
		if (settle == SETTLE_FAILED)
			note_failed(w, name, strbuf_get(&error));
		else
			note_settled(w, name, json_string_value(change), settle);
		(void)json_object_del(w->coming, name);
	}
}

static void give_up(struct waiting *w, const char *error)
{
	const char *name;
	json_t *change;

	json_object_foreach(w->coming, name, change)
		note_failed(w, name, error);
	(void)json_object_clear(w->coming);
}

static void give_up_late(struct waiting *w)
{
	auto_strbuf error = { 0 };

	strbuf_addf(&error,
		"has not come up within %g s; the daemon goes on with it. --timeout lets it have more "
		"time",
		(double)w->ctl->limit_ms / CLOCK_SECOND_MS);
	give_up(w, strbuf_get(&error));
}

static void give_up_lost(struct waiting *w, const struct fail *fail)
{
	auto_strbuf error = { 0 };

	strbuf_addf(&error, "whether it comes up is not known: %s", fail->text);
	w->is_lost = fail->code == -ENOTCONN;
	give_up(w, strbuf_get(&error));
}

static void draw(struct waiting *w)
{
	auto_strbuf lines = { 0 };
	const char *name;
	json_t *change;

	if (w->live.n_drawn == json_object_size(w->coming))
		return; /* it stands there already */
	json_object_foreach(w->coming, name, change) {
		strbuf_adds(&lines, "waiting for ");
		out_clean(&lines, name);
		strbuf_adds(&lines, " …\n");
	}
	live_draw(&w->live, strbuf_get(&lines));
}

static void wait_for_all(struct waiting *w, struct client *client, int64_t asked_ms)
{
	int64_t limit_ms = w->ctl->limit_ms;

	while (json_object_size(w->coming) > 0) {
		struct fail fail = { 0 };
		json_auto_t *status = client_call(client, "status", NULL, &fail);

		if (!status) {
			give_up_lost(w, &fail);
			return;
		}
		look_at_all(w, status);
		if (limit_ms >= 0 && clock_now_ms() - asked_ms >= limit_ms) {
			give_up_late(w);
			return;
		}
		draw(w);
		if (json_object_size(w->coming) > 0)
			(void)poll(NULL, 0, LOOK_MS);
	}
}

int settle_wait(const struct ctl *ctl, struct client *client, const json_t *answer,
	int64_t asked_ms, json_t *result)
{
	json_auto_t *coming = json_object();
	json_auto_t *results = json_array();
	struct waiting w = {
		.ctl = ctl, .coming = coming, .results = results, .live = live_begin(ctl)
	};
	size_t i;
	json_t *change;

	json_array_foreach(json_object_get(answer, "domains"), i, change) {
		if (settle_is_waited(change))
			(void)json_object_set_new(coming, member_text(change, "name"),
				json_string(member_text(change, "change")));
	}
	(void)json_object_set(result, "waited", results);
	draw(&w);
	wait_for_all(&w, client, asked_ms);
	live_end(&w.live);
	if (w.n_failed == 0)
		return CTL_DONE;
	if (w.n_done > 0)
		return CTL_PARTLY;
	return w.is_lost ? CTL_UNREACHABLE : CTL_FAILED;
}
