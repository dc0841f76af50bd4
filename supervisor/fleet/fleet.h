/* The fleet: all domains, by name and by id. An id is never used twice, so that the layers above can
 * keep it without knowing whether the domain still exists. */
#pragma once

#include "supervisor/fleet/confine.h"
#include "supervisor/fleet/domain.h"

struct fleet;

/* `hooks` (copied; .stopped is not called) get `arg`. `libexec`: where the native workers lie. */
struct fleet *fleet_new(
	struct loop *loop, const char *libexec, const struct domain_hooks *hooks, void *arg);
void fleet_free(struct fleet *fleet); /* kills what still runs */

/* What can be enforced on the workers here; as long as the fleet. */
const struct confine_support *fleet_get_support(const struct fleet *fleet);

/* For a process that serves no domain; as long as the fleet. */
struct launcher *fleet_get_launcher(const struct fleet *fleet);

/* Adds, reloads and stops domains so that they are those of `conf`. `diff` is NULL at the start. */
void fleet_apply(struct fleet *fleet, const struct conf *conf, const struct conf_diff *diff);

/* Stops all domains; `fn` runs when no process is left (maybe at once). */
void fleet_stop(struct fleet *fleet, int64_t drain_ms, void (*fn)(void *arg), void *arg);

typedef domain_done_fn fleet_done_fn;

/* domain_restart() of the domain of this name. Beside its errors -ENOENT: there is none. */
int fleet_restart(struct fleet *fleet, const char *name, int64_t drain_ms, fleet_done_fn *fn,
	void *arg, struct fail *fail) must_check;

/* domain_disable() and domain_enable(), where it is not so already; holds over reloads as long as the domain is in the settings, and over the
 * end of the daemon, if there is a folder for state. 0: done; `ret_is_kept` says whether it is being written there
 * (trouble is logged), and if not, `fail` has the words why not. -ENOENT: no such domain.
 * -ESHUTDOWN: the fleet stops. */
int fleet_disable(struct fleet *fleet, const char *name, int64_t drain_ms, bool *ret_is_kept,
	struct fail *fail) must_check;
int fleet_enable(struct fleet *fleet, const char *name, bool *ret_is_kept, struct fail *fail)
	must_check;

/* domain_drill() of the domain of this name. Beside its errors -ENOENT: there is none. */
int fleet_drill(struct fleet *fleet, const char *name, enum drill_kind kind,
	struct domain_drill *ret, struct fail *fail) must_check;

/* 0: none of this name. */
uint32_t fleet_find(const struct fleet *fleet, const char *name);
/* NULL: no longer there. Borrowed for the time of a callback. */
struct domain *fleet_get(const struct fleet *fleet, uint32_t id);

/* Those that are disabled too, but not those that leave. In the order of names. */
void fleet_each(const struct fleet *fleet, void (*fn)(void *arg, struct domain *domain), void *arg);
