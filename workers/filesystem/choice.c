/* See choice.h. */
#include "workers/filesystem/choice.h"

static bool fail(struct call *call, const char *name, const struct fail *why)
{
	(void)call_fail(call, "invalid_argument", "%s: %s. Give a simpler one.", name, why->text);
	return false;
}

bool choice_read(struct call *call, const char *name, const char *wanted,
	const struct str_list *excluded, struct choice *ret)
{
	struct fail why = { 0 };

	*ret = (struct choice){ 0 };
	if (patterns_add(&ret->wanted, wanted ? wanted : "*", &why) < 0)
		return fail(call, name, &why);
	if (excluded && patterns_add_list(&ret->excluded, excluded, &why) < 0)
		return fail(call, "exclude_patterns", &why);
	return true;
}

void choice_done(struct choice *choice)
{
	patterns_done(&choice->wanted);
	patterns_done(&choice->excluded);
}

static bool match(const struct patterns *patterns, const struct walk_entry *entry)
{
	return patterns_match(patterns, entry->path, entry->name, entry->type == S_IFDIR);
}

bool choice_excludes(const struct choice *choice, const struct walk_entry *entry)
{
	return match(&choice->excluded, entry);
}

bool choice_wants(const struct choice *choice, const struct walk_entry *entry)
{
	return match(&choice->wanted, entry);
}
