/* mcp-fleetctl remove: takes a domain away that has a file of its own in conf.d, and the files of its secrets. What
 * stands in a file with other things is for a person to change. */
#include <errno.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/ask.h"
#include "ctl/confd_verb.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/quote.h"

/* Why it cannot be removed here, NULL: it can. */
static int check(const struct place *place, const char *name, struct fail *fail)
{
	const struct place_domain *domain = place_find(place, name, NULL);
	auto_free char *own = alloc_printf("%s/%s.yaml", place->dir, name);
	char shown[QUOTE_SIZE];

	if (!domain)
		return fail_set(fail, -ENOENT, "there is no domain %s in %s and its conf.d",
			quote(shown, name), place->file);
	for (; domain; domain = place_find(place, name, domain)) {
		if (streq(domain->file, own) && domain->is_alone)
			continue;
		return fail_set(fail, -EINVAL,
			"the domain %s stands in %.300s:%d, among other settings: take it out there",
			name, domain->file, domain->line);
	}
	return 0;
}

static bool is_agreed(const struct ctl *ctl, const struct ctl_args *args, const char *name)
{
	auto_free char *question = alloc_printf("Remove the domain %s?", name);

	if (args_has(args, "yes"))
		return true;
	if (!ctl->is_json && ask_is_possible())
		return ask_yes(question);
	return false;
}

static json_t *paths_of(const struct confd_change *change)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < change->n; i++) {
		if (access(change->files[i].path, F_OK) == 0)
			(void)json_array_append_new(paths, out_text(change->files[i].path));
	}
	return paths;
}

static void show(const struct ctl *ctl, json_t *paths)
{
	size_t i;
	json_t *path;

	json_array_foreach(paths, i, path) {
		auto_strbuf clean = { 0 };

		out_clean(&clean, json_string_value(path));
		out_line(ctl, COLOR_NONE, "  %s", strbuf_get(&clean));
	}
}

static int finish(const struct ctl *ctl, const struct ctl_args *args,
	const struct confd_change *change, const char *name)
{
	json_auto_t *paths = paths_of(change);
	struct fail fail = { 0 };
	json_auto_t *result = NULL;
	int status;

	if (!ctl->is_json) {
		out_line(ctl, COLOR_NONE, "The domain %s is in:", name);
		show(ctl, paths);
	}
	if (!is_agreed(ctl, args, name)) {
		(void)fail_set(&fail, -ECANCELED, "nothing was removed%s",
			ask_is_possible() && !ctl->is_json ? "" : ": --yes removes it");
		return ctl_fail(ctl, &fail);
	}
	if (confd_apply(change, &fail) < 0)
		return ctl_fail(ctl, &fail);
	if (!ctl->is_json)
		out_line(ctl, COLOR_GOOD, "Removed.");
	result = json_pack("{s:s, s:O}", "domain", name, "removed", paths);
	status = confd_verb_reload(ctl, args, result);
	if (ctl->is_json)
		out_json(TAKE(result));
	return status;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(place_done) struct place place = { 0 };
	auto_(confd_done) struct confd_change change = { .place = &place };
	const char *name = args_at(args, 0);
	struct fail fail = { 0 };
	int r = place_open(ctl, args_get(args, "conf-dir"), true, &place, &fail);

	if (r == 0)
		r = check(&place, name, &fail);
	if (r < 0)
		return ctl_fail(ctl, &fail);
	confd_remove(&change, name);
	return finish(ctl, args, &change, name);
}

static const struct ctl_option options[] = {
	{ .name = "yes", .letter = 'y', .doc = "remove without asking" },
	CONFD_VERB_DIR,
	CONFD_VERB_RELOAD,
	{ 0 },
};

const struct verb verb_remove = {
	.name = "remove",
	.args = "NAME",
	.summary = "take a domain away that import or add made",
	.help = "It removes conf.d/NAME.yaml and the secrets beside it. A domain that stands in a file with other "
		"settings is not touched: it says where it is. It asks; where nobody can be asked it needs --yes.",
	.options = options,
	.word = CTL_WORD_DOMAIN,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
