/* A branch is a reference, its reflog, and a section of the configuration. */
#include "workers/git/branch_ref.h"

#include "shared/alloc.h"

DEFINE_FREEP(git_config_iterator, git_config_iterator_free)

/* Settings of one branch: the last part of each key, and its value. */
struct settings_list {
	struct names keys;
	struct names values; /* each with its key in front, so that no two are equal */
};

static void settings_done(struct settings_list *list)
{
	names_done(&list->keys);
	names_done(&list->values);
}

/* Only what stands in the repository's own configuration is moved or deleted. */
static int read_settings(
	struct writer *w, git_config *config, const char *name, struct settings_list *ret)
{
	auto_(git_config_iterator_freep) git_config_iterator *iterator = NULL;
	auto_free char *prefix = alloc_printf("branch.%s.", name);
	git_config_entry *entry = NULL;
	int rc = git_config_iterator_new(&iterator, config);

	while (rc == 0) {
		const char *key;
		auto_free char *value = NULL;

		rc = git_config_next(&entry, iterator);
		if (rc < 0 || strncmp(entry->name, prefix, strlen(prefix)) != 0)
			continue;
		key = entry->name + strlen(prefix);
		if (strchr(key, '.'))
			continue; /* of a branch whose name goes on after a point */
		value = alloc_printf("%s=%s", key, entry->value ? entry->value : "true");
		names_add(&ret->keys, key);
		names_add(&ret->values, value);
	}
	if (rc < 0 && rc != GIT_ITEROVER)
		return refuse_git(&w->why, rc, "cannot read the branch's settings");

	git_error_clear();
	return 0;
}

static int delete_settings(
	struct writer *w, git_config *config, const char *name, const struct settings_list *list)
{
	for (size_t i = 0; i < list->keys.n; i++) {
		auto_free char *key = alloc_printf("branch.%s.%s", name, list->keys.items[i]);
		int rc = LOCKED(w, git_config_delete_entry(config, key));

		if (rc < 0 && rc != GIT_ENOTFOUND)
			return refuse_git(&w->why, rc, "cannot change the branch's settings");
	}

	git_error_clear();
	return 0;
}

static int write_settings(
	struct writer *w, git_config *config, const char *name, const struct settings_list *list)
{
	for (size_t i = 0; i < list->values.n; i++) {
		const char *text = list->values.items[i];
		int len = (int)strcspn(text, "=");
		auto_free char *key = alloc_printf("branch.%s.%.*s", name, len, text);
		int rc = LOCKED(w, git_config_set_string(config, key, text + len + 1));

		if (rc < 0)
			return refuse_git(&w->why, rc, "cannot change the branch's settings");
	}

	return 0;
}

/* The settings of branch `name`; with `new_name` they become that branch's, else they go. */
static int move_settings(struct writer *w, const char *name, const char *new_name)
{
	auto_(settings_done) struct settings_list list = { 0 };
	auto_git(git_config) config = NULL;
	int rc = git_repository_config(&config, w->repo.git);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the configuration");
	if (read_settings(w, config, name, &list) < 0 ||
		(new_name && write_settings(w, config, new_name, &list) < 0))
		return -1;

	return delete_settings(w, config, name, &list);
}

int branch_delete(struct writer *w, git_reference *branch)
{
	auto_free char *name = alloc_str(git_reference_shorthand(branch));
	int rc = LOCKED(w, git_reference_delete(branch));

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot delete branch '%s'", name);

	return move_settings(w, name, NULL);
}

int branch_rename(struct writer *w, git_reference *branch, const char *new_name)
{
	auto_git(git_reference) moved = NULL;
	auto_free char *name = alloc_str(git_reference_shorthand(branch));
	auto_free char *old_full = alloc_str(git_reference_name(branch));
	auto_free char *new_full = alloc_printf("refs/heads/%s", new_name);
	auto_free char *message = alloc_printf("Branch: renamed %s to %s", old_full, new_full);
	int rc = LOCKED(w, git_reference_rename(&moved, branch, new_full, 0, message));

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot rename branch '%s'", name);

	return move_settings(w, name, new_name);
}
