/* See healing.h. */
#include "ctl/healing.h"

#include "shared/cleanup.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* The one of this name; NULL: there is none. */
static const json_t *find(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if (streq(text_of(item, "name"), name))
			return item;
	}
	return NULL;
}

/* Any that is ready and was not there before: the one of the drill's name may be gone for good, when the
 * domain needs no so many any more. */
static int64_t find_ready(const struct healing *healing, const json_t *domain)
{
	const json_t *processes = json_object_get(domain, "processes");
	const json_t *same = find(processes, healing->process);

	if (same && number_of(same, "pid") != healing->pid &&
		streq(text_of(same, "state"), "ready"))
		return number_of(same, "pid");
	for (size_t i = 0; !same && i < json_array_size(processes); i++) {
		const json_t *process = json_array_get(processes, i);

		if (streq(text_of(process, "state"), "ready"))
			return number_of(process, "pid");
	}
	return 0;
}

static int64_t count_lost(const json_t *domain)
{
	return number_of(json_object_get(domain, "calls"), "lost");
}

static bool look_at_domain(
	const struct healing *healing, const json_t *status, struct healing_end *ret)
{
	const json_t *before = find(json_object_get(healing->before, "domains"), healing->domain);
	const json_t *domain = find(json_object_get(status, "domains"), healing->domain);

	ret->state = text_of(domain, "state");
	ret->restarts_before = number_of(before, "restarts");
	ret->restarts_after = number_of(domain, "restarts");
	ret->calls_lost = count_lost(domain) - count_lost(before);
	ret->pid = find_ready(healing, domain);
	if (ret->restarts_after == ret->restarts_before)
		return false; /* not even noticed yet */
	return streq(ret->state, "asleep") || (streq(ret->state, "up") && ret->pid > 0);
}

/* Registered before, and since then looked at again. */
static bool are_confirmed(const json_t *before, const json_t *now)
{
	const json_t *domains = json_object_get(before, "domains");

	for (size_t i = 0; i < json_array_size(domains); i++) {
		const json_t *old = json_array_get(domains, i);
		const json_t *new = find(json_object_get(now, "domains"), text_of(old, "name"));

		if (!streq(text_of(old, "state"), "registered"))
			continue;
		if (!streq(text_of(new, "state"), "registered") ||
			streq(text_of(new, "last_sync"), text_of(old, "last_sync")))
			return false;
	}
	return true;
}

static bool look_at_gateway(
	const struct healing *healing, const json_t *status, struct healing_end *ret)
{
	const json_t *before = json_object_get(healing->before, "gateway");
	const json_t *now = json_object_get(status, "gateway");
	const json_t *process = json_object_get(now, "process");
	const char *state_before = text_of(json_object_get(before, "gateway"), "state");

	ret->state = text_of(json_object_get(now, "gateway"), "state");
	ret->restarts_before = number_of(json_object_get(before, "process"), "restarts");
	ret->restarts_after = number_of(process, "restarts");
	ret->calls_lost = 0;
	ret->pid = number_of(process, "pid");
	if (ret->pid == healing->pid)
		ret->pid = 0;
	if (ret->pid == 0 || !streq(text_of(process, "state"), "ready"))
		return false;
	return streq(ret->state, state_before) && are_confirmed(before, now);
}

bool healing_look(const struct healing *healing, const json_t *status, struct healing_end *ret)
{
	*ret = (struct healing_end){ 0 };
	return healing->domain ? look_at_domain(healing, status, ret)
			       : look_at_gateway(healing, status, ret);
}
