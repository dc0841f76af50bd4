#include "workers/git/annotate.h"

#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/common/call.h"
#include "workers/git/similar.h"

/* A line of the file we were asked about, and where it is in a suspect's file (both from 0). */
struct item {
	size_t final;
	size_t line;
};

struct items {
	struct item *at; /* sorted by both */
	size_t n;
};

/* A commit that may have made some lines. */
struct suspect {
	git_commit *commit;
	char *path;
	git_oid blob;
	struct items items;
};

struct hunk {
	size_t start; /* first changed line here, from 0 */
	size_t end;   /* behind the last one */
	size_t n_old; /* lines that the parent has instead */
};

struct hunks {
	struct hunk *at;
	size_t n;
};

struct annotate {
	const struct repo *repo;
	struct call *call;
	struct annotation *result;
	size_t first;
	struct suspect *suspects; /* not looked at yet */
	size_t n;
};

void annotation_done(struct annotation *annotation)
{
	free(annotation->commits);
	*annotation = (struct annotation){ 0 };
}

static void add_item(struct items *items, struct item item)
{
	if ((items->n & (items->n - 1)) == 0)
		items->at = alloc_resize(items->at, items->n ? items->n * 2 : 1, sizeof(item));
	items->at[items->n++] = item;
}

static void suspect_done(struct suspect *suspect)
{
	git_commit_free(suspect->commit);
	free(suspect->path);
	free(suspect->items.at);
	*suspect = (struct suspect){ 0 };
}

static void annotate_done(struct annotate *work)
{
	for (size_t i = 0; i < work->n; i++)
		suspect_done(&work->suspects[i]);
	free(work->suspects);
}

/* Merges two sorted lists of different lines. */
static void join_items(struct items *into, const struct items *more)
{
	struct items all = { 0 };
	size_t i = 0, k = 0;

	while (i < into->n || k < more->n)
		if (k == more->n || (i < into->n && into->at[i].line <= more->at[k].line))
			add_item(&all, into->at[i++]);
		else
			add_item(&all, more->at[k++]);
	free(into->at);
	*into = all;
}

/* Takes over nothing: copies what it needs. */
static void add_suspect(struct annotate *work, git_commit *commit, const char *path,
	const git_oid *blob, const struct items *items)
{
	struct suspect *suspect;

	if (items->n == 0)
		return;
	for (size_t i = 0; i < work->n; i++) {
		suspect = &work->suspects[i];
		if (git_oid_equal(git_commit_id(suspect->commit), git_commit_id(commit)) &&
			streq(suspect->path, path)) {
			join_items(&suspect->items, items);
			return;
		}
	}
	work->suspects = alloc_resize(work->suspects, work->n + 1, sizeof(*work->suspects));
	suspect = &work->suspects[work->n++];
	*suspect = (struct suspect){ .path = alloc_str(path), .blob = *blob };
	(void)git_commit_dup(&suspect->commit, commit);
	join_items(&suspect->items, items);
}

/* The newest: so that all lines that lead to a commit have come there before it is looked at. */
static struct suspect take_newest(struct annotate *work)
{
	size_t best = 0;
	struct suspect suspect;

	for (size_t i = 1; i < work->n; i++)
		if (git_commit_time(work->suspects[i].commit) >
			git_commit_time(work->suspects[best].commit))
			best = i;
	suspect = work->suspects[best];
	work->suspects[best] = work->suspects[--work->n];

	return suspect;
}

/* Differences */

static int on_hunk(const git_diff_delta *delta, const git_diff_hunk *hunk, void *arg)
{
	struct hunks *hunks = arg;
	/* Where nothing is left here, new_start is the line before. */
	size_t start = (size_t)hunk->new_start - (hunk->new_lines > 0 ? 1 : 0);

	(void)delta;
	if ((hunks->n & (hunks->n - 1)) == 0)
		hunks->at =
			alloc_resize(hunks->at, hunks->n ? hunks->n * 2 : 1, sizeof(*hunks->at));
	hunks->at[hunks->n++] =
		(struct hunk){ start, start + (size_t)hunk->new_lines, (size_t)hunk->old_lines };
	return 0;
}

/* Bytes at the end of both that need no comparison: whole lines, found in steps of a block. git does
 * this too, and where lines repeat it decides which of them are taken as the new ones. */
static size_t common_tail(const char *a, size_t a_len, const char *b, size_t b_len)
{
	enum { BLOCK = 1024 };
	size_t smaller = a_len < b_len ? a_len : b_len;
	size_t tail = 0;
	const char *line;

	while (tail + BLOCK <= smaller &&
		memcmp(a + a_len - tail - BLOCK, b + b_len - tail - BLOCK, BLOCK) == 0)
		tail += BLOCK;
	line = tail > 0 ? memchr(a + a_len - tail, '\n', tail) : NULL;

	return line ? (size_t)(a + a_len - line - 1) : 0;
}

static int compare_blobs(const struct annotate *work, const git_oid *old_id, const git_oid *new_id,
	struct hunks *ret)
{
	auto_git(git_blob) old_blob = NULL;
	auto_git(git_blob) new_blob = NULL;
	git_diff_options options;
	size_t old_len, new_len, tail;
	int rc;

	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_FORCE_TEXT | GIT_DIFF_INDENT_HEURISTIC;
	options.context_lines = 0;
	rc = git_blob_lookup(&old_blob, work->repo->git, old_id);
	if (rc == 0)
		rc = git_blob_lookup(&new_blob, work->repo->git, new_id);
	if (rc < 0)
		return rc;
	old_len = (size_t)git_blob_rawsize(old_blob);
	new_len = (size_t)git_blob_rawsize(new_blob);
	tail = common_tail(
		git_blob_rawcontent(old_blob), old_len, git_blob_rawcontent(new_blob), new_len);

	return git_diff_buffers(git_blob_rawcontent(old_blob), old_len - tail, NULL,
		git_blob_rawcontent(new_blob), new_len - tail, NULL, &options, NULL, NULL, on_hunk,
		NULL, ret);
}

/* Splits `items` into those that the parent has too, with their lines there, and the rest. */
static void split(const struct items *items, const struct hunks *hunks, struct items *ret_passed,
	struct items *ret_kept)
{
	size_t n_old = 0, n_new = 0, h = 0;

	for (size_t i = 0; i < items->n; i++) {
		struct item item = items->at[i];

		for (; h < hunks->n && hunks->at[h].end <= item.line; h++) {
			n_old += hunks->at[h].n_old;
			n_new += hunks->at[h].end - hunks->at[h].start;
		}
		if (h < hunks->n && hunks->at[h].start <= item.line) {
			add_item(ret_kept, item);
		} else {
			item.line = item.line + n_old - n_new;
			add_item(ret_passed, item);
		}
	}
}

/* Where the file was in a parent */

struct origin {
	git_commit *commit;
	char *path; /* NULL: the parent has no such file */
	git_oid blob;
};

static void origin_done(struct origin *origin)
{
	git_commit_free(origin->commit);
	free(origin->path);
}

static int find_blob(git_commit *commit, const char *path, git_oid *ret)
{
	auto_git(git_tree) tree = NULL;
	auto_git(git_tree_entry) entry = NULL;
	int rc = git_commit_tree(&tree, commit);

	if (rc == 0)
		rc = git_tree_entry_bypath(&entry, tree, path);
	if (rc == 0 && git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		rc = GIT_ENOTFOUND;
	if (rc == 0)
		*ret = *git_tree_entry_id(entry);

	return rc;
}

static int on_compare(const git_diff *diff, const char *old_path, const char *new_path, void *arg)
{
	(void)diff;
	(void)old_path;
	(void)new_path;
	return call_stopped(arg) ? GIT_EUSER : 0;
}

/* Files that are in the parent and not in the commit: those that may have been renamed. */
static int diff_names(struct annotate *work, git_commit *parent, git_commit *commit, git_diff **ret)
{
	auto_git(git_tree) new_tree = NULL;
	auto_git(git_tree) old_tree = NULL;
	git_diff_options options;
	int rc = git_commit_tree(&new_tree, commit);

	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.progress_cb = work->call ? on_compare : NULL;
	options.payload = work->call;
	if (rc == 0)
		rc = git_commit_tree(&old_tree, parent);

	return rc < 0 ? rc
		      : git_diff_tree_to_tree(ret, work->repo->git, old_tree, new_tree, &options);
}

static int load_similar(struct annotate *work, const git_oid *id, struct similar **ret)
{
	auto_git(git_blob) blob = NULL;
	int rc = git_blob_lookup(&blob, work->repo->git, id);

	if (rc == 0)
		*ret = similar_new(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));

	return rc;
}

/* How much a deleted file is like `wanted`; 100 for the very same. */
static int rate(struct annotate *work, const git_diff_delta *delta, const struct suspect *suspect,
	const struct similar *wanted, int *ret)
{
	auto_(similar_freep) struct similar *similar = NULL;
	int rc = 0;

	*ret = 0;
	if (delta->status != GIT_DELTA_DELETED || (delta->old_file.mode & S_IFMT) != S_IFREG)
		return 0;
	if (git_oid_equal(&delta->old_file.id, &suspect->blob)) {
		*ret = 100;
		return 0;
	}
	if (work->call && call_stopped(work->call))
		return GIT_EUSER;
	rc = load_similar(work, &delta->old_file.id, &similar);
	if (rc == 0)
		*ret = similar_score(similar, wanted);

	return rc;
}

/* The deleted file that is most like the suspect's, when it is half of it at least. */
static int find_rename(struct annotate *work, const struct suspect *suspect, struct origin *origin)
{
	enum { LEAST = 50 };
	auto_(similar_freep) struct similar *wanted = NULL;
	auto_git(git_diff) diff = NULL;
	int best = LEAST - 1;
	int rc = diff_names(work, origin->commit, suspect->commit, &diff);

	if (rc == 0)
		rc = load_similar(work, &suspect->blob, &wanted);
	for (size_t i = 0; rc == 0 && best < 100 && i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);
		int score = 0;

		rc = rate(work, delta, suspect, wanted, &score);
		if (rc < 0 || score <= best)
			continue;
		best = score;
		free(origin->path);
		origin->path = alloc_str(delta->old_file.path);
		origin->blob = delta->old_file.id;
	}
	return rc;
}

static int find_origin(
	struct annotate *work, const struct suspect *suspect, unsigned parent, struct origin *ret)
{
	int rc = git_commit_parent(&ret->commit, suspect->commit, parent);

	if (rc == 0)
		rc = find_blob(ret->commit, suspect->path, &ret->blob);
	if (rc == 0)
		ret->path = alloc_str(suspect->path);
	if (rc == GIT_ENOTFOUND && ret->commit)
		rc = find_rename(work, suspect, ret);

	return rc;
}

/* The work */

static void blame(struct annotate *work, const struct suspect *suspect)
{
	for (size_t i = 0; i < suspect->items.n; i++)
		work->result->commits[suspect->items.at[i].final] = *git_commit_id(suspect->commit);
}

/* Hands what the parent has over to it; the rest stays. */
static int pass_to(struct annotate *work, struct suspect *suspect, const struct origin *origin)
{
	struct hunks hunks = { 0 };
	struct items passed = { 0 }, kept = { 0 };
	int rc = compare_blobs(work, &origin->blob, &suspect->blob, &hunks);

	if (rc == 0) {
		split(&suspect->items, &hunks, &passed, &kept);
		add_suspect(work, origin->commit, origin->path, &origin->blob, &passed);
		free(suspect->items.at);
		suspect->items = kept;
	}
	free(passed.at);
	free(hunks.at);
	return rc;
}

/* A parent that has the very same file gets all, whichever parent it is. */
static bool pass_whole(
	struct annotate *work, struct suspect *suspect, const struct origin *origins, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (origins[i].path && git_oid_equal(&origins[i].blob, &suspect->blob)) {
			add_suspect(work, origins[i].commit, origins[i].path, &origins[i].blob,
				&suspect->items);
			suspect->items.n = 0;
			return true;
		}

	return false;
}

static int examine(struct annotate *work, struct suspect *suspect)
{
	unsigned n = git_commit_parentcount(suspect->commit);
	struct origin *origins = alloc_zero((n + 1) * sizeof(*origins));
	int rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = find_origin(work, suspect, i, &origins[i]);
	if (rc == 0 && !pass_whole(work, suspect, origins, n))
		for (unsigned i = 0; i < n && rc == 0 && suspect->items.n > 0; i++)
			if (origins[i].path)
				rc = pass_to(work, suspect, &origins[i]);
	if (rc == 0)
		blame(work, suspect);
	for (unsigned i = 0; i < n; i++)
		origin_done(&origins[i]);
	free(origins);
	return rc;
}

static int start(
	struct annotate *work, git_commit *commit, const char *path, size_t n, struct refusal *why)
{
	struct items items = { 0 };
	git_oid blob;
	int rc = find_blob(commit, path, &blob);

	if (rc < 0)
		return refuse_git(why, rc, "cannot read the file");
	for (size_t i = 0; i < n; i++)
		add_item(&items, (struct item){ i, work->first - 1 + i });
	add_suspect(work, commit, path, &blob, &items);
	free(items.at);
	return 0;
}

int annotate(const struct repo *repo, struct call *call, git_commit *commit, const char *path,
	size_t first, size_t last, struct annotation *ret, struct refusal *why)
{
	auto_(annotate_done) struct annotate work = { repo, call, ret, first, NULL, 0 };
	int r;

	ret->n = last - first + 1;
	ret->commits = alloc_zero(ret->n * sizeof(*ret->commits));
	r = start(&work, commit, path, ret->n, why);
	while (r == 0 && work.n > 0) {
		auto_(suspect_done) struct suspect suspect = take_newest(&work);
		int rc = call && call_stopped(call) ? GIT_EUSER : examine(&work, &suspect);

		if (rc == GIT_EUSER)
			r = refuse_stopped(why, "the history of the file was not read to its end");
		else if (rc < 0)
			r = refuse_git(why, rc, "cannot read the history of the file");
	}
	return r;
}
