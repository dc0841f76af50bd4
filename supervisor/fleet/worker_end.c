/* The end of a worker's process: what it means for the next one, how it is told to people, and how it is brought
 * about to see that. */
#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "shared/alloc.h"
#include "supervisor/fleet/worker_private.h"

enum { SOON_MS = 1000 }; /* dead so soon after ready, without one answer: counts as never ready */

/* Looks like a message to the eyes that skip what a careless server prints. */
static const char GARBAGE[] = "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"garbage of a drill\n";

static uint32_t random_bits(void)
{
	uint32_t bits = 0;

	(void)!getrandom(&bits, sizeof(bits), 0);
	return bits;
}

static bool is_killed_from_outside(const struct process_end *end)
{
	return !end->failed_exec && WIFSIGNALED(end->wait_status) &&
	       WTERMSIG(end->wait_status) == SIGKILL;
}

/* Trouble of the system that may be over soon; everything else somebody has to mend. */
static bool is_transient(int err)
{
	return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE || err == EINTR ||
	       err == ETXTBSY;
}

/* Restart by cause of death: ARCHITECTURE.md, "Life of a worker". */
enum worker_event worker_judge_death(struct worker *w, const struct process_end *end)
{
	int64_t served_ms = w->ready_ms ? loop_now_ms(w->loop) - w->ready_ms : 0;
	bool park = false;

	if (w->state == WORKER_DRAINING || w->state == WORKER_STOPPING ||
		w->state == WORKER_TERMINATING || w->state == WORKER_ENDING)
		return WORKER_EV_EXIT;
	if (served_ms >= w->setup->restart.stable_ms)
		backoff_reset(&w->backoff);
	if (w->ready_ms && (w->n_answers > 0 || served_ms >= SOON_MS))
		return WORKER_EV_CRASH;
	if (w->ready_ms && is_killed_from_outside(end)) {
		/* Not its own fault: no step towards being parked, but no busy loop either. */
		w->restart_wait_ms = w->setup->restart.first_ms;
		return WORKER_EV_EXIT;
	}
	w->restart_wait_ms = backoff_next(&w->backoff, &w->setup->restart, random_bits(), &park);
	if (end->failed_exec && !is_transient(end->report.err)) {
		/* Trying again soon would not help: somebody has to mend it. */
		park = true;
		w->restart_wait_ms = w->setup->restart.park_ms;
	}
	return park ? WORKER_EV_PARK : WORKER_EV_EXIT;
}

static enum worker_cause find_cause(const struct worker *w, const struct process_end *end)
{
	if (end->failed_exec)
		return WORKER_CAUSE_EXEC;
	if (w->is_drilled)
		return WORKER_CAUSE_DRILL;
	if (end->is_oom)
		return WORKER_CAUSE_MEMORY;
	if (w->trouble)
		return w->cause;
	return w->ready_ms ? WORKER_CAUSE_SERVING : WORKER_CAUSE_NOT_READY;
}

const char *worker_cause_name(enum worker_cause cause)
{
	static const char *const names[WORKER_CAUSES] = {
		[WORKER_CAUSE_EXEC] = "cannot_run",
		[WORKER_CAUSE_DRILL] = "drill",
		[WORKER_CAUSE_MEMORY] = "out_of_memory",
		[WORKER_CAUSE_HUNG] = "hung",
		[WORKER_CAUSE_PROTOCOL] = "protocol",
		[WORKER_CAUSE_LATE] = "start_timeout",
		[WORKER_CAUSE_NOT_READY] = "not_ready",
		[WORKER_CAUSE_SERVING] = "serving",
	};

	return names[cause];
}

void worker_describe_end(struct worker *w, const struct process_end *end)
{
	auto_strbuf text = { 0 };
	char words[PROCESS_END_TEXT];

	w->last_cause = find_cause(w, end);
	w->last_cpu_us = end->cpu_us;
	process_end_text(end, words);
	strbuf_adds(&text, words);
	if (end->failed_exec)
		strbuf_addf(&text, " ('%s')", w->setup->argv[0]);
	if (w->trouble) {
		strbuf_addf(&text, " after %s", w->trouble);
		free(TAKE(w->trouble));
	}
	if (w->errlog) {
		size_t before = text.len;

		strbuf_adds(&text, "; its last words: ");
		size_t empty = text.len;
		errlog_add_tail(w->errlog, &text);
		if (text.len == empty)
			strbuf_cut(&text, before);
	}
	free(w->last_end);
	w->last_end = strbuf_take(&text);
}

void worker_log_end(struct worker *w, enum worker_event event)
{
	if (event == WORKER_EV_PARK)
		log_err_about(&w->about, 0,
			"%s: %s; parked, it is tried again in %lld s. Mend the cause, then reload",
			w->name, w->last_end, (long long)(w->restart_wait_ms / CLOCK_SECOND_MS));
	else if (event == WORKER_EV_CRASH)
		log_warn_about(&w->about, "%s: %s; replaced at once", w->name, w->last_end);
	else if (w->state == WORKER_STOPPING || w->state == WORKER_DRAINING ||
		 w->state == WORKER_TERMINATING)
		log_debug_about(&w->about, "%s: %s", w->name, w->last_end);
	else
		log_warn_about(&w->about, "%s: %s", w->name, w->last_end);
}

int worker_drill(struct worker *w, enum drill_kind kind)
{
	if (!w->process || !w->link)
		return -ESRCH;
	w->is_drilled = true;
	switch (kind) {
	case DRILL_KILL:
		process_kill(w->process, SIGKILL);
		break;
	case DRILL_STOP:
		process_kill(w->process, SIGSTOP);
		break;
	case DRILL_GARBAGE:
		link_inject(w->link, GARBAGE, sizeof(GARBAGE) - 1);
		break;
	}
	return 0;
}
