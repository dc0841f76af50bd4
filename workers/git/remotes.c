#include "workers/git/remotes.h"

#include "shared/alloc.h"

/* What lies between `prefix` and `suffix` in a key: yours to free, NULL when it is another key. */
static char *middle(const char *key, const char *prefix, const char *suffix)
{
	size_t len = strlen(key), before = strlen(prefix), behind = strlen(suffix);

	if (len <= before + behind || strncmp(key, prefix, before) != 0 ||
		!streq(key + len - behind, suffix))
		return NULL;

	return alloc_mem(key + before, len - before - behind);
}

/* Calls `fn` for every entry of the repository's configuration. */
static int for_each_entry(const struct repo *repo, void (*fn)(const git_config_entry *, void *),
	void *arg, struct refusal *why)
{
	auto_git(git_config) config = NULL;
	git_config_iterator *it = NULL;
	git_config_entry *entry;
	int rc = git_repository_config_snapshot(&config, repo->git);

	if (rc == 0)
		rc = git_config_iterator_new(&it, config);
	while (rc == 0 && (rc = git_config_next(&entry, it)) == 0)
		fn(entry, arg);
	git_config_iterator_free(it);

	return rc == GIT_ITEROVER ? 0 : refuse_git(why, rc, "cannot read the remotes");
}

/* Names */

static bool has_name(const struct remotes *remotes, const char *name)
{
	for (size_t i = 0; i < remotes->n; i++)
		if (streq(remotes->names[i], name))
			return true;

	return false;
}

static void on_name(const git_config_entry *entry, void *arg)
{
	struct remotes *remotes = arg;
	auto_free char *name = middle(entry->name, "remote.", ".url");

	if (!name)
		name = middle(entry->name, "remote.", ".pushurl");
	if (!name || has_name(remotes, name))
		return;
	if ((remotes->n & (remotes->n - 1)) == 0)
		remotes->names = alloc_resize(
			remotes->names, remotes->n ? remotes->n * 2 : 1, sizeof(*remotes->names));
	remotes->names[remotes->n++] = TAKE(name);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int remotes_read(const struct repo *repo, struct remotes *ret, struct refusal *why)
{
	int r = for_each_entry(repo, on_name, ret, why);

	if (ret->n > 0)
		qsort(ret->names, ret->n, sizeof(*ret->names), by_bytes);
	return r;
}

void remotes_done(struct remotes *remotes)
{
	for (size_t i = 0; i < remotes->n; i++)
		free(remotes->names[i]);
	free(remotes->names);
	*remotes = (struct remotes){ 0 };
}

/* URLs */

struct url {
	const char *remote;
	char *fetch; /* the first of each counts */
	char *push;
};

static void on_url(const git_config_entry *entry, void *arg)
{
	struct url *url = arg;
	auto_free char *fetch = middle(entry->name, "remote.", ".url");
	auto_free char *push = middle(entry->name, "remote.", ".pushurl");

	if (fetch && streq(fetch, url->remote) && !url->fetch)
		url->fetch = alloc_str(entry->value);
	if (push && streq(push, url->remote) && !url->push)
		url->push = alloc_str(entry->value);
}

/* The longest beginning of a URL that is to be replaced wins. */
struct rewrite {
	const char *key; /* ".insteadof", ".pushinsteadof" */
	const char *url;
	char *base;
	size_t len; /* of the beginning that is replaced */
};

static void on_rewrite(const git_config_entry *entry, void *arg)
{
	struct rewrite *rewrite = arg;
	auto_free char *base = middle(entry->name, "url.", rewrite->key);
	size_t len = base && entry->value ? strlen(entry->value) : 0;

	if (len <= rewrite->len || strncmp(rewrite->url, entry->value, len) != 0)
		return;
	free(rewrite->base);
	rewrite->base = TAKE(base);
	rewrite->len = len;
}

/* Replaces *url where a rule of this kind fits; *ret_fits says so. */
static int apply(
	const struct repo *repo, const char *key, char **url, bool *ret_fits, struct refusal *why)
{
	struct rewrite rewrite = { .key = key, .url = *url };
	int r = for_each_entry(repo, on_rewrite, &rewrite, why);
	char *rewritten;

	*ret_fits = rewrite.base != NULL;
	if (rewrite.base) {
		rewritten = alloc_printf("%s%s", rewrite.base, *url + rewrite.len);
		free(*url);
		*url = rewritten;
	}
	free(rewrite.base);
	return r;
}

int remotes_url(
	const struct repo *repo, const char *name, bool for_push, char **ret, struct refusal *why)
{
	struct url found = { .remote = name };
	int r = for_each_entry(repo, on_url, &found, why);
	auto_free char *fetch = found.fetch;
	auto_free char *push = found.push;
	char **chosen = for_push && push ? &push : &fetch;
	bool fits = false;

	/* pushInsteadOf is for remotes without a pushurl, and goes before insteadOf. */
	if (r == 0 && *chosen && for_push && !push)
		r = apply(repo, ".pushinsteadof", chosen, &fits, why);
	if (r == 0 && *chosen && !fits)
		r = apply(repo, ".insteadof", chosen, &fits, why);
	if (r == 0)
		*ret = TAKE(*chosen);

	return r;
}
