/* Which reference a branch follows: branch.<name>.remote and .merge, mapped by
 * remote.<remote>.fetch. */
#include "workers/git/upstream.h"

#include "shared/alloc.h"

DEFINE_FREEP(git_config_iterator, git_config_iterator_free)
DEFINE_FREEP(git_refspec, git_refspec_free)

/* The text of a setting; NULL: not set. Yours to free. */
static char *read_text(git_config *config, const char *name, const char *key)
{
	auto_free char *full = alloc_printf("branch.%s.%s", name, key);
	auto_git_buf text = { 0 };

	if (git_config_get_string_buf(&text, config, full) == 0)
		return alloc_str(text.ptr);

	git_error_clear();
	return NULL;
}

/* Where fetching puts the remote's `ref`; NULL: nowhere. Yours to free. */
static char *map_ref(git_config *config, const char *remote, const char *ref)
{
	auto_free char *key = alloc_printf("remote.%s.fetch", remote);
	auto_(git_config_iterator_freep) git_config_iterator *iterator = NULL;
	git_config_entry *entry = NULL;

	if (git_config_multivar_iterator_new(&iterator, config, key, NULL) < 0)
		return NULL;

	while (git_config_next(&entry, iterator) == 0) {
		auto_(git_refspec_freep) git_refspec *spec = NULL;
		auto_git_buf mapped = { 0 };

		if (git_refspec_parse(&spec, entry->value, 1) == 0 &&
			git_refspec_src_matches(spec, ref) == 1 &&
			git_refspec_transform(&mapped, spec, ref) == 0)
			return alloc_str(mapped.ptr);
	}

	return NULL;
}

int upstream_find(
	const struct repo *repo, const char *name, git_reference **ret, struct refusal *why)
{
	auto_git(git_config) config = NULL;
	auto_free char *remote = NULL;
	auto_free char *merge = NULL;
	auto_free char *full = NULL;
	int rc = git_repository_config_snapshot(&config, repo->git);

	*ret = NULL;
	if (rc < 0)
		return refuse_git(why, rc, "cannot read the configuration");

	remote = read_text(config, name, "remote");
	merge = read_text(config, name, "merge");
	if (!remote || !merge)
		return 0;

	full = streq(remote, ".") ? alloc_str(merge) : map_ref(config, remote, merge);
	rc = full ? git_reference_lookup(ret, repo->git, full) : 0;
	if (rc < 0 && rc != GIT_ENOTFOUND && rc != GIT_EINVALIDSPEC)
		return refuse_git(why, rc, "cannot read the upstream of '%s'", name);

	git_error_clear();

	return 0;
}
