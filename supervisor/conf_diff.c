/* What differs between two sets of settings: conf_diff() of conf.h. Both lists of domains are in
 * order of their names, so they are walked side by side. */
#include "supervisor/conf.h"

#include "shared/alloc.h"
#include "supervisor/conf_decode.h"
#include "supervisor/conf_type.h"

static void add_text(struct conf_strs *list, const char *text)
{
	list->items = alloc_resize(list->items, list->n + 1, sizeof(char *));
	list->items[list->n++] = alloc_str(text);
}

static void note_key(struct conf_diff *diff, const struct conf_key *key)
{
	add_text(&diff->keys, key->path);
	switch (key->reload) {
	case CONF_RELOAD_LISTENERS:
		diff->listeners = true;
		break;
	case CONF_RELOAD_RESTART:
		add_text(&diff->restart, key->path);
		break;
	case CONF_RELOAD_LIVE:
		if (strncmp(key->path, "log.", 4) == 0)
			diff->log = true;
		else
			diff->live = true;
		break;
	case CONF_RELOAD_WORKERS: /* seen in the settings_json of the domains */
		break;
	}
}

static void compare_top(const struct conf *old, const struct conf *new, struct conf_diff *diff)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (conf_scope_has(&conf_scope_top, key) && !conf_key_equal(key, old, new))
			note_key(diff, key);
	}
}

static void note_domain(struct conf_diff *diff, const char *name, enum conf_domain_change change)
{
	diff->domains = alloc_resize(diff->domains, diff->n_domains + 1, sizeof(*diff->domains));
	diff->domains[diff->n_domains++] =
		(struct conf_domain_diff){ .name = alloc_str(name), .change = change };
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

/* What a native worker is told includes keys of the top level, so its text is compared as a whole. */
static bool needs_new_processes(const struct conf_domain *old, const struct conf_domain *new)
{
	return !is_same_text(old->native, new->native) ||
	       !is_same_text(old->settings_json, new->settings_json);
}

static void compare_domain(
	const struct conf_domain *old, const struct conf_domain *new, struct conf_diff *diff)
{
	bool replaced = needs_new_processes(old, new);
	bool tuned = false;
	struct conf_domain_scope ds;

	conf_domain_scope_init(&ds, old->name, old->native && new->native);
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (!conf_scope_has(&ds.scope, key) || conf_key_equal(key, old, new))
			continue;
		if (key->reload == CONF_RELOAD_WORKERS)
			replaced = true;
		else
			tuned = true;
	}
	if (replaced)
		note_domain(diff, old->name, CONF_DOMAIN_REPLACED);
	else if (tuned)
		note_domain(diff, old->name, CONF_DOMAIN_TUNED);
}

static void compare_domains(const struct conf *old, const struct conf *new, struct conf_diff *diff)
{
	size_t i = 0;
	size_t k = 0;

	while (i < old->n_domains && k < new->n_domains) {
		int order = strcmp(old->domains[i].name, new->domains[k].name);

		if (order < 0)
			note_domain(diff, old->domains[i++].name, CONF_DOMAIN_REMOVED);
		else if (order > 0)
			note_domain(diff, new->domains[k++].name, CONF_DOMAIN_ADDED);
		else
			compare_domain(&old->domains[i++], &new->domains[k++], diff);
	}
	for (; i < old->n_domains; i++)
		note_domain(diff, old->domains[i].name, CONF_DOMAIN_REMOVED);
	for (; k < new->n_domains; k++)
		note_domain(diff, new->domains[k].name, CONF_DOMAIN_ADDED);
}

void conf_diff(const struct conf *old, const struct conf *new, struct conf_diff *ret)
{
	*ret = (struct conf_diff){ 0 };
	compare_top(old, new, ret);
	compare_domains(old, new, ret);
}

void conf_diff_done(struct conf_diff *diff)
{
	for (size_t i = 0; i < diff->n_domains; i++)
		free(diff->domains[i].name);
	free(diff->domains);
	conf_clear_strs(&diff->keys);
	conf_clear_strs(&diff->restart);
	*diff = (struct conf_diff){ 0 };
}
