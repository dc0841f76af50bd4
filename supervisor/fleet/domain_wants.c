/* What the sessions of a domain want to hear, told to its workers.
 *
 * A worker is told all that its sessions want, when it is ready and after each change; changes of one
 * loop turn are told together, but before the next call, which may cause the news. */
#include <errno.h>

#include "shared/alloc.h"
#include "supervisor/fleet/domain_private.h"

enum { REFUSED_BURST = 5 };

static void tell(struct domain *d, struct slot *slot)
{
	const uint64_t *session = slot->is_owned ? &slot->owner : NULL;
	auto_free const char **uris = NULL;
	const char *level;
	size_t n;

	if (d->is_isolated && !session)
		return; /* nobody's */
	n = wants_list(d->wants, session, &uris);
	level = wants_get_level(d->wants, session);
	worker_set_subscriptions(slot->worker, uris, n);
	if (level)
		worker_set_level(slot->worker, level);
}

void domain_tell_wants(struct domain *d)
{
	struct slot *slot;

	d->wants_changed = false;
	timer_stop(d->wants_timer);
	TAILQ_FOREACH(slot, &d->slots, next) {
		if (slot->told_wants == d->wants_version ||
			worker_get_state(slot->worker) != WORKER_READY)
			continue;
		slot->told_wants = d->wants_version;
		tell(d, slot);
	}
}

void domain_on_wants_timer(void *arg)
{
	domain_tell_wants(arg);
}

void domain_change_wants(struct domain *d)
{
	d->wants_version++;
	d->wants_changed = true;
	if (!timer_is_running(d->wants_timer))
		timer_start(d->wants_timer, 0);
}

void domain_subscribe(struct domain *d, uint64_t session, const char *uri)
{
	int r = wants_add(d->wants, session, uri);

	if (r == -ENOBUFS && log_limit_ok(&d->refused, REFUSED_BURST, d->name))
		log_warn_about(&d->about,
			"domain %s: a session subscribes to more than %d resources, or all to more "
			"than %d MiB of names; ignoring",
			d->name, WANTS_MAX_URIS, WANTS_MAX_BYTES / (1024 * 1024));
	if (r < 0)
		return;
	domain_change_wants(d);
	domain_wake(d); /* who sleeps tells nothing */
}

void domain_unsubscribe(struct domain *d, uint64_t session, const char *uri)
{
	if (wants_remove(d->wants, session, uri))
		domain_change_wants(d);
}

void domain_set_level(struct domain *d, uint64_t session, const char *level)
{
	if (wants_set_level(d->wants, session, level))
		domain_change_wants(d);
}

void domain_tell(struct domain *d, uint64_t session, const char *line, size_t len)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (slot->is_owned && slot->owner == session)
			worker_tell(slot->worker, line, len);
}
