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

char *upstream_map(git_config *config, const char *remote, const char *ref)
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

	full = streq(remote, ".") ? alloc_str(merge) : upstream_map(config, remote, merge);
	rc = full ? git_reference_lookup(ret, repo->git, full) : 0;
	if (rc < 0 && rc != GIT_ENOTFOUND && rc != GIT_EINVALIDSPEC)
		return refuse_git(why, rc, "cannot read the upstream of '%s'", name);

	git_error_clear();

	return 0;
}

bool upstream_names(const struct repo *repo, const char *name, char **ret_remote, char **ret_branch)
{
	static const char heads[] = "refs/heads/";
	auto_git(git_config) config = NULL;
	auto_free char *remote = NULL;
	auto_free char *merge = NULL;

	if (git_repository_config_snapshot(&config, repo->git) < 0) {
		git_error_clear();
		return false;
	}
	remote = read_text(config, name, "remote");
	merge = read_text(config, name, "merge");
	if (!remote || !merge || strncmp(merge, heads, strlen(heads)) != 0)
		return false;

	*ret_branch = alloc_str(merge + strlen(heads));
	*ret_remote = TAKE(remote);
	return true;
}

int upstream_set(const struct repo *repo, const char *name, const char *remote, struct refusal *why)
{
	auto_git(git_config) config = NULL;
	auto_free char *remote_key = alloc_printf("branch.%s.remote", name);
	auto_free char *merge_key = alloc_printf("branch.%s.merge", name);
	auto_free char *merge = alloc_printf("refs/heads/%s", name);
	int rc = git_repository_config(&config, repo->git);

	if (rc == 0)
		rc = git_config_set_string(config, remote_key, remote);
	if (rc == 0)
		rc = git_config_set_string(config, merge_key, merge);

	return rc < 0 ? refuse_git(why, rc, "cannot record the upstream of '%s'", name) : 0;
}
