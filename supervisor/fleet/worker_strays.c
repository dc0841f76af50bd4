/* Strays: cancelled calls that may still run, although the worker has answered the probe behind them.
 *
 * They hold no place, but what the process asks or tells may be about one of them as well as about the call
 * that came after it, which may be another client's. A server that obeys a cancellation sends no answer, so
 * that a stray has really ended is known only when it does answer or its process ends; cancel_grace bounds the
 * wait, as it does for a call whose probe is not answered. Their number is bounded: the last place stands for
 * all that have none of their own.
 *
 * Source: MCP basic/utilities/cancellation, all revisions. */
#include "supervisor/fleet/worker_private.h"

static void forget_old(struct worker *w)
{
	int64_t now_ms = loop_now_ms(w->loop);
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_strays; i++)
		if (w->strays[i].until_ms > now_ms)
			w->strays[n++] = w->strays[i];
	w->n_strays = n;
}

void worker_add_stray(struct worker *w, const struct request *request)
{
	const struct stray stray = { .no = request->no,
		.session = request->session,
		.until_ms = request->since_ms + w->setup->cancel_grace_ms };
	struct stray *last = &w->strays[WORKER_MAX_STRAYS - 1];

	if (w->setup->native)
		return; /* one thing after the other: the probe was answered after the call */
	forget_old(w);
	if (w->n_strays < WORKER_MAX_STRAYS) {
		w->strays[w->n_strays++] = stray;
		return;
	}
	last->no = 0;
	last->session = last->session == stray.session ? stray.session : 0;
	last->until_ms = stray.until_ms > last->until_ms ? stray.until_ms : last->until_ms;
}

void worker_end_stray(struct worker *w, uint64_t no)
{
	for (unsigned i = 0; no != 0 && i < w->n_strays; i++)
		if (w->strays[i].no == no) {
			w->strays[i] = w->strays[--w->n_strays];
			return;
		}
}

static void count(unsigned *n, uint64_t *ret_session, uint64_t session)
{
	if (*n == 0)
		*ret_session = session;
	else if (*ret_session != session)
		*ret_session = 0;
	++*n;
}

unsigned worker_count_unsure(const struct worker *w, uint64_t *ret_session)
{
	int64_t now_ms = loop_now_ms(w->loop);
	const struct request *request;
	unsigned n = 0;

	*ret_session = 0;
	TAILQ_FOREACH(request, &w->calls, next)
		if (request->cancelled)
			count(&n, ret_session, request->session);
	for (unsigned i = 0; i < w->n_strays; i++)
		if (w->strays[i].until_ms > now_ms)
			count(&n, ret_session, w->strays[i].session);
	return n;
}
