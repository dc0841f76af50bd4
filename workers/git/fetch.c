/* git_fetch. Where things are put is what the repository's configuration says (remote.<name>.fetch),
 * but never into local branches of a repository with a working tree. */
#include "workers/git/fetch.h"

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/exchange.h"
#include "workers/git/out.h"
#include "workers/git/tools.h"
#include "workers/git/write.h"

DEFINE_FREEP(git_refspec, git_refspec_free)

void fetched_done(struct fetched *fetched)
{
	json_decref(fetched->updated);
	json_decref(fetched->pruned);
	strbuf_done(&fetched->text);
	*fetched = (struct fetched){ 0 };
}

/* Whether a destination, up to its star, may lie in `prefix`. */
static bool may_write_to(const char *destination, const char *prefix)
{
	size_t fixed = strcspn(destination, "*");
	size_t len = strlen(prefix);

	return strncmp(destination, prefix, fixed < len ? fixed : len) == 0;
}

static int check_spec(
	const struct repo *repo, const char *remote, const char *text, struct refusal *why)
{
	auto_(git_refspec_freep) git_refspec *spec = NULL;
	const char *destination;

	if (git_refspec_parse(&spec, text, 1) < 0) {
		git_error_clear();
		return refuse(why, "repo_refused",
			"remote.%s.fetch has a value that this server cannot read", remote);
	}
	destination = git_refspec_dst(spec);
	if (!destination || !*destination)
		return 0;
	if (strncmp(destination, "refs/", 5) != 0 ||
		(!repo->is_bare && may_write_to(destination, "refs/heads/")))
		return refuse(why, "repo_refused",
			"remote.%s.fetch would overwrite local branches, which this server does not do. "
			"Let it write to refs/remotes/.",
			remote);

	return 0;
}

/* Whether one of the refspecs brings the remote's branch. */
static bool brings(const struct names *specs, const char *ref)
{
	for (size_t i = 0; i < specs->n; i++) {
		auto_(git_refspec_freep) git_refspec *spec = NULL;

		if (git_refspec_parse(&spec, specs->items[i], 1) == 0 &&
			git_refspec_src_matches(spec, ref) == 1)
			return true;
	}

	git_error_clear();
	return false;
}

static void add_update(struct repo *repo, const struct ref_update *update, struct fetched *ret)
{
	char old[REPO_SHORT_SIZE] = "(new)";
	char new[REPO_SHORT_SIZE] = "(gone)";
	json_t *entry;

	if (!git_oid_is_zero(&update->old))
		(void)repo_short(repo, &update->old, old);
	if (!git_oid_is_zero(&update->new))
		(void)repo_short(repo, &update->new, new);
	out_name(&ret->text, update->ref);
	strbuf_addf(&ret->text, ": %s..%s\n", old, new);

	if (git_oid_is_zero(&update->new)) {
		json_array_append_new(ret->pruned, out_str(update->ref));
		return;
	}
	entry = json_pack("{s:o, s:o}", "ref", out_str(update->ref), "new", out_oid(&update->new));
	if (!git_oid_is_zero(&update->old))
		json_object_set_new(entry, "old", out_oid(&update->old));
	json_array_append_new(ret->updated, entry);
}

static int find_tip(struct exchange *x, const struct fetch_what *what, struct fetched *ret)
{
	auto_free char *ref = what->branch ? alloc_printf("refs/heads/%s", what->branch) : NULL;

	if (!ref || exchange_find(x, ref, &ret->tip))
		return 0;

	return refuse(&x->why, "not_found",
		"%s has no branch '%s'. "
		"git_branch with branch_type=remote lists those that were fetched.",
		x->shown, what->branch);
}

static int fetch_with(struct exchange *x, struct repo *repo, const struct fetch_what *what,
	struct remote_config *config, struct fetched *ret)
{
	auto_free char *ref = what->branch ? alloc_printf("refs/heads/%s", what->branch) : NULL;
	auto_free char *reflog = alloc_printf("fetch %s", what->remote);
	struct fetch_how how = {
		.specs = &config->fetch,
		.tags = what->tags ? GIT_REMOTE_DOWNLOAD_TAGS_ALL : config->tags,
		.prune = what->prune,
		.reflog = reflog,
	};

	for (size_t i = 0; i < config->fetch.n; i++)
		if (check_spec(repo, what->remote, config->fetch.items[i], &x->why) < 0)
			return -1;
	if (ref && !brings(&config->fetch, ref))
		names_add(&config->fetch, ref);
	if (config->fetch.n == 0)
		return refuse(&x->why, "repo_refused",
			"the configuration does not say what to fetch (remote.%s.fetch)",
			what->remote);

	exchange_sign_reflogs(repo);
	if (exchange_connect(x, repo, GIT_DIRECTION_FETCH) < 0 || find_tip(x, what, ret) < 0 ||
		exchange_fetch(x, &how) < 0)
		return -1;

	ret->updated = json_array();
	ret->pruned = json_array();
	for (size_t i = 0; i < x->n_updates; i++)
		add_update(repo, &x->updates[i], ret);
	return 0;
}

int fetch(struct call *call, struct repo *repo, const struct fetch_what *what, struct fetched *ret,
	struct refusal *why)
{
	auto_remote_config config = { 0 };
	auto_exchange x = { 0 };

	if (repo_need_writable(repo, why) < 0 ||
		remote_config_read(repo, what->remote, &config, why) < 0)
		return -1;
	if (exchange_open(&x, call, config.url, repo->dir) == 0 &&
		fetch_with(&x, repo, what, &config, ret) == 0)
		return 0;

	*why = x.why;
	return -1;
}

struct fetch_args {
	const char *repo_path;
	const char *remote;
	bool prune;
	bool tags;
};

static const struct param fetch_params[] = {
	PARAM_REPO(fetch_args),
	PARAM(fetch_args, remote, RANGE(1, 244), .def_str = "origin", .doc = "Remote"),
	PARAM(fetch_args, prune, .doc = "Drop remote branches that are gone"),
	PARAM(fetch_args, tags, .doc = "Fetch all tags"),
	{ 0 },
};

static int run_fetch(struct call *call, const void *args)
{
	const struct fetch_args *a = args;
	struct fetch_what what = { .remote = a->remote, .prune = a->prune, .tags = a->tags };
	auto_repo repo = { 0 };
	auto_fetched fetched = { 0 };
	struct refusal why = { 0 };

	if (repo_open(call_settings(call), a->repo_path, &repo, &why) < 0 ||
		fetch(call, &repo, &what, &fetched, &why) < 0)
		return refusal_answer(call, &why);

	if (fetched.text.len == 0)
		strbuf_adds(&fetched.text, "Already up to date.");
	return call_resultf(call,
		json_pack("{s:o, s:o, s:o}", "remote", out_str(a->remote), "updated",
			TAKE(fetched.updated), "pruned", TAKE(fetched.pruned)),
		"%s", strbuf_get(&fetched.text));
}

const struct tool git_fetch_tools[] = {
	GIT_WRITE_TOOL(fetch, "Fetch",
		.doc = "Fetch from a remote: its branches become remote-tracking branches. Local "
		       "branches and files stay as they are.",
		.out = "remote string, updated {ref string, old? string, new string}[], "
		       "pruned string[]",
		.hints = TOOL_OPEN_WORLD, .timeout_s = 300),
	{ 0 },
};
