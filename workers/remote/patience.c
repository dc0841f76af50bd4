/* With wait_ms the client is a person's program that started us: its requests wait for a server that
 * restarts, and what can be sent again is, until that time is over; see remote.h. Without it the supervisor is
 * the client, which has its own idea of what is tried again and when. */
#include "shared/clock.h"
#include "workers/remote/remote.h"

enum {
	STABLE_SOON_MS = 500, /* a session that lived so long is opened again at once */
	CAP_MS = 2000,        /* of the pauses between attempts */
	AGAIN_MS = 200,       /* before a request that was refused is sent again */
	MAX_ATTEMPTS = 3,     /* to get an answer: the server may die of the request */
};

bool patience_is_set(const struct remote *remote)
{
	return remote->settings->wait_ms > 0;
}

int64_t patience_hold_ms(const struct remote *remote)
{
	return patience_is_set(remote) ? remote->settings->wait_ms : HOLD_MS;
}

int64_t patience_stable_ms(const struct remote *remote)
{
	return patience_is_set(remote) ? STABLE_SOON_MS : STABLE_MS;
}

int64_t patience_pause_ms(const struct remote *remote, unsigned n_failures)
{
	int64_t ms = remote_backoff_ms(n_failures);

	return patience_is_set(remote) && ms > CAP_MS ? CAP_MS : ms;
}

bool patience_hold(struct post *post)
{
	struct remote *remote = post->remote;
	int64_t now = clock_now_ms();

	if (!patience_is_set(remote) || post->rpc.kind != RPC_REQUEST || post->is_cancelled)
		return false;
	if (post->give_up_ms == 0)
		post->give_up_ms = now + remote->settings->wait_ms;
	if (now >= post->give_up_ms)
		return false;
	post_drop_exchange(post);
	post->state = POST_HELD;
	post->is_resumed = false;
	post->at_ms = now + AGAIN_MS;
	return true;
}

bool patience_hold_lost(struct post *post)
{
	return rpc_may_repeat(&post->rpc) && ++post->n_lost < MAX_ATTEMPTS && patience_hold(post);
}

bool patience_hold_refused(struct post *post, const struct rpc *answer)
{
	return rpc_is_stopping(answer) && patience_hold(post);
}
