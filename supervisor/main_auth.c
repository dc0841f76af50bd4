/* Who may come in over HTTP: makes the keys and the guard, keeps both in step with the settings, and ends the sessions
 * of those who may not come in any more. */
#include "shared/clock.h"
#include "supervisor/main_private.h"

enum { RENEW_MS = 1000 };

/* A session belongs to what its key allows now, or it ends. */
static void renew(void *arg, struct session *session)
{
	const struct daemon *d = arg;
	struct principal *principal = session_get_principal(session);
	struct principal *now;

	if (!principal)
		return; /* a local process */
	now = guard_renew(d->guard, principal, clock_wall_ms() / CLOCK_SECOND_MS);
	if (!now)
		session_close_later(
			session, "its key was revoked, or its key or token has expired");
	else if (now != principal)
		session_set_principal(session, now);
}

static void renew_all(struct daemon *d)
{
	sessions_each(mcp_get_sessions(d->mcp), renew, d);
}

static void on_renew(void *arg)
{
	struct daemon *d = arg;

	renew_all(d);
	timer_start(d->renew_timer, RENEW_MS);
}

static void on_keys_changed(void *arg)
{
	struct daemon *d = arg;

	if (!d->guard)
		return;
	guard_note_keys(d->guard);
	renew_all(d);
}

void main_make_guard(struct daemon *d)
{
	d->keys = keys_new(d->loop, on_keys_changed, d);
	keys_set_path(d->keys, d->conf->keys_path);
	d->guard =
		guard_new(&(struct guard_parts){ .keys = d->keys, .tokens = d->tokens }, d->conf);
	d->renew_timer = timer_new(d->loop, on_renew, d);
	timer_start(d->renew_timer, RENEW_MS);
}

void main_set_guard_conf(struct daemon *d, const struct conf *conf)
{
	guard_set_conf(d->guard, conf);
	keys_set_path(d->keys, conf->keys_path);
}

void main_free_guard(struct daemon *d)
{
	timer_free(d->renew_timer);
	guard_free(d->guard);
	d->guard = NULL;
	keys_free(d->keys);
}
