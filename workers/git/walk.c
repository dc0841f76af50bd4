#include "workers/git/walk.h"

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/oidset.h"

struct waiting {
	git_commit *commit;
	git_time_t time;
	uint64_t number; /* of equal times, who came first goes first */
};

struct walk {
	const struct repo *repo;
	struct call *call;
	struct walk_options options;
	struct oidset seen;
	struct oidset inside; /* of a range: what is not reachable from its left side */
	bool has_range;
	struct waiting *heap; /* the newest is the first */
	size_t n_heap;
	uint64_t n_pushed;
};

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	for (size_t i = 0; i < walk->n_heap; i++)
		git_commit_free(walk->heap[i].commit);
	free(walk->heap);
	oidset_done(&walk->seen);
	oidset_done(&walk->inside);
	free(walk);
}

/* The commits that wait */

static bool goes_before(const struct waiting *a, const struct waiting *b)
{
	return a->time != b->time ? a->time > b->time : a->number < b->number;
}

static void swap(struct waiting *a, struct waiting *b)
{
	struct waiting c = *a;

	*a = *b;
	*b = c;
}

static void heap_push(struct walk *walk, git_commit *commit)
{
	size_t at = walk->n_heap++;

	if ((at & (at - 1)) == 0)
		walk->heap = alloc_resize(walk->heap, at ? at * 2 : 1, sizeof(*walk->heap));
	walk->heap[at] = (struct waiting){ commit, git_commit_time(commit), walk->n_pushed++ };
	for (; at > 0 && goes_before(&walk->heap[at], &walk->heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&walk->heap[at], &walk->heap[(at - 1) / 2]);
}

static git_commit *heap_pop(struct walk *walk)
{
	git_commit *top = walk->heap[0].commit;
	size_t at = 0;

	walk->heap[0] = walk->heap[--walk->n_heap];
	for (;;) {
		size_t best = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < walk->n_heap;
			child++)
			if (goes_before(&walk->heap[child], &walk->heap[best]))
				best = child;
		if (best == at)
			return top;
		swap(&walk->heap[at], &walk->heap[best]);
		at = best;
	}
}

static int push(struct walk *walk, const git_oid *id, struct refusal *why)
{
	git_commit *commit = NULL;
	int rc;

	if ((walk->has_range && !oidset_has(&walk->inside, id)) || !oidset_add(&walk->seen, id))
		return 0;
	rc = git_commit_lookup(&commit, walk->repo->git, id);
	if (rc < 0)
		return refuse_git(why, rc, "the history is not complete");
	heap_push(walk, commit);
	return 0;
}

/* Ranges */

/* A...B leaves out what both sides have: all merge bases and what is behind them. */
static int hide(struct walk *walk, git_revwalk *revwalk, const struct rev_range *range)
{
	git_oidarray bases = { 0 };
	int rc;

	if (range->kind == REV_RANGE)
		return git_revwalk_hide(revwalk, &range->from);
	rc = git_merge_bases(&bases, walk->repo->git, &range->from, &range->to);
	if (rc == GIT_ENOTFOUND)
		return 0;
	for (size_t i = 0; rc == 0 && i < bases.count; i++)
		rc = git_revwalk_hide(revwalk, &bases.ids[i]);
	git_oidarray_dispose(&bases);
	return rc;
}

static int find_inside(struct walk *walk, const struct rev_range *range, struct refusal *why)
{
	auto_git(git_revwalk) revwalk = NULL;
	git_oid id;
	int rc = git_revwalk_new(&revwalk, walk->repo->git);

	if (rc == 0)
		rc = git_revwalk_push(revwalk, &range->to);
	if (rc == 0 && range->kind == REV_MERGE_BASE)
		rc = git_revwalk_push(revwalk, &range->from);
	if (rc == 0)
		rc = hide(walk, revwalk, range);
	while (rc == 0 && (rc = git_revwalk_next(&id, revwalk)) == 0) {
		(void)oidset_add(&walk->inside, &id);
		if (walk->call && call_stopped(walk->call))
			return refuse_stopped(why, "the range was not read to its end");
	}
	walk->has_range = true;

	return rc == GIT_ITEROVER ? 0 : refuse_git(why, rc, "cannot read the range");
}

int walk_new(const struct repo *repo, struct call *call, const struct rev_range *range,
	const struct walk_options *options, struct walk **ret, struct refusal *why)
{
	auto_(walk_freep) struct walk *walk = alloc_zero(sizeof(*walk));
	int r = 0;

	walk->repo = repo;
	walk->call = call;
	walk->options = *options;
	if (range->kind != REV_ONE)
		r = find_inside(walk, range, why);
	if (r == 0)
		r = push(walk, &range->to, why);
	if (r == 0 && range->kind == REV_MERGE_BASE)
		r = push(walk, &range->from, why);
	if (r < 0)
		return r;

	*ret = TAKE(walk);
	return 0;
}

/* Simplification */

/* What a tree has at the path: nothing is mode 0. */
struct state {
	git_oid id;
	git_filemode_t mode;
};

static int state_of(struct walk *walk, git_commit *commit, struct state *ret, struct refusal *why)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree_entry) entry = NULL;
	int rc = git_commit_tree(&tree, commit);

	*ret = (struct state){ 0 };
	if (rc == 0)
		rc = git_tree_entry_bypath(&entry, tree, walk->options.path);
	if (rc == GIT_ENOTFOUND)
		return 0;
	if (rc < 0)
		return refuse_git(why, rc, "cannot read a tree");
	ret->id = *git_tree_entry_id(entry);
	ret->mode = git_tree_entry_filemode(entry);
	return 0;
}

static int state_of_parent(
	struct walk *walk, git_commit *commit, unsigned i, struct state *ret, struct refusal *why)
{
	auto_git(git_commit) parent = NULL;
	int rc = git_commit_parent(&parent, commit, i);

	return rc < 0 ? refuse_git(why, rc, "the history is not complete")
		      : state_of(walk, parent, ret, why);
}

static bool is_same(const struct state *a, const struct state *b)
{
	return a->mode == b->mode && git_oid_equal(&a->id, &b->id);
}

static unsigned count_parents(const struct walk *walk, const git_commit *commit)
{
	unsigned n = git_commit_parentcount(commit);

	return n > 1 && walk->options.first_parent ? 1 : n;
}

static int push_parents(struct walk *walk, git_commit *commit, struct refusal *why)
{
	int r = 0;

	for (unsigned i = 0; i < count_parents(walk, commit) && r == 0; i++)
		r = push(walk, git_commit_parent_id(commit, i), why);

	return r;
}

/* Compares the path with each parent's. A parent inside of the range that has the same is the only
 * one to follow; one outside of it decides only when there is no other. */
static int simplify(struct walk *walk, git_commit *commit, bool *ret_shown, struct refusal *why)
{
	unsigned n_parents = count_parents(walk, commit);
	unsigned n_inside = 0, n_changed_inside = 0, n_changed_outside = 0;
	struct state own = { 0 }, other = { 0 };
	int r = state_of(walk, commit, &own, why);

	for (unsigned i = 0; i < n_parents && r == 0; i++) {
		const git_oid *id = git_commit_parent_id(commit, i);
		bool is_inside = !walk->has_range || oidset_has(&walk->inside, id);

		r = state_of_parent(walk, commit, i, &other, why);
		if (r == 0 && is_inside && is_same(&own, &other)) {
			*ret_shown = false;
			return push(walk, id, why);
		}
		n_inside += is_inside;
		n_changed_inside += is_inside && !is_same(&own, &other);
		n_changed_outside += !is_inside && !is_same(&own, &other);
	}
	if (r < 0)
		return r;

	if (n_parents == 0)
		*ret_shown = own.mode != 0;
	else
		*ret_shown = n_inside > 0 ? n_changed_inside > 0 : n_changed_outside > 0;

	return push_parents(walk, commit, why);
}

int walk_next(struct walk *walk, git_commit **ret, struct refusal *why)
{
	bool has_path = walk->options.path && *walk->options.path;

	*ret = NULL;
	while (walk->n_heap > 0) {
		auto_git(git_commit) commit = heap_pop(walk);
		bool is_shown = true;
		int r = 0;

		if (walk->call && call_stopped(walk->call))
			return refuse_stopped(why, "the history was not read to its end");
		if (walk->options.has_since && git_commit_time(commit) < walk->options.since)
			continue;
		r = has_path ? simplify(walk, commit, &is_shown, why)
			     : push_parents(walk, commit, why);
		if (r < 0)
			return r;
		if (is_shown) {
			*ret = TAKE(commit);
			return 0;
		}
	}
	return 0;
}
