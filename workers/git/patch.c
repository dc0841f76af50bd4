#include "workers/git/patch.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/utf8.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/similar.h"
#include "workers/git/stat_table.h"

/* Larger files are shown as binary ones. */
#define MAX_FILE_BYTES (64 * MIB)

void patch_done(struct patch *patch)
{
	strbuf_done(&patch->text);
	json_decref(patch->files);
	*patch = (struct patch){ 0 };
}

/* Options */

static int on_progress(const git_diff *diff, const char *old_path, const char *new_path, void *arg)
{
	(void)diff;
	(void)old_path;
	(void)new_path;
	return arg && call_stopped(arg) ? GIT_EUSER : 0;
}

void patch_options(struct repo *repo, struct call *call, int64_t context_lines,
	const struct repo_paths *paths, git_diff_options *ret)
{
	(void)git_diff_options_init(ret, GIT_DIFF_OPTIONS_VERSION);
	ret->flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_INDENT_HEURISTIC;
	ret->ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
	ret->context_lines = (uint32_t)context_lines;
	ret->id_abbrev = (uint16_t)repo_abbrev_len(repo);
	ret->max_size = MAX_FILE_BYTES;
	ret->progress_cb = on_progress;
	ret->payload = call;
	/* The empty path is the whole tree, and so are no paths. */
	if (paths && paths->n > 0 && **paths->items) {
		ret->pathspec.strings = paths->items;
		ret->pathspec.count = paths->n;
	}
}

int patch_result(int rc, struct call *call, struct refusal *why)
{
	if (rc == 0)
		return 0;
	if (rc == GIT_EUSER && call && call_stopped(call))
		return refuse_stopped(why, "the comparison was not finished");

	return refuse_git(why, rc, "cannot compare");
}

int patch_find_renames(git_diff *diff, struct call *call, struct refusal *why)
{
	git_diff_similarity_metric metric;
	git_diff_find_options options;

	(void)git_diff_find_options_init(&options, GIT_DIFF_FIND_OPTIONS_VERSION);
	similar_metric(call, &metric);
	options.flags = GIT_DIFF_FIND_RENAMES;
	options.metric = &metric;

	return patch_result(git_diff_find_similar(diff, &options), call, why);
}

/* The text */

struct printer {
	struct strbuf *text;
	size_t max_bytes;
	bool is_cut;
	bool has_hunks; /* of the file that is being printed */
};

/* Cuts behind the last whole line that fits. */
static void cut(struct printer *printer)
{
	const char *text = strbuf_get(printer->text);
	const char *end = memrchr(text, '\n', printer->max_bytes);

	strbuf_cut(printer->text, end ? (size_t)(end - text) + 1 : 0);
	printer->is_cut = true;
}

/* The header of a file as git writes it: no lines "--- a" and "+++ b" where no hunk follows, and a tab
 * behind a name with a blank in them. */
static void add_header(struct printer *printer, const char *header, size_t len)
{
	enum { MARK = 4 }; /* "--- " */
	const char *end = header + len;

	while (header < end) {
		const char *stop = memchr(header, '\n', (size_t)(end - header));
		size_t n = (size_t)((stop ? stop : end) - header);
		bool is_name = n > MARK && (strncmp(header, "--- ", MARK) == 0 ||
						   strncmp(header, "+++ ", MARK) == 0);

		if (!is_name || printer->has_hunks) {
			utf8_repair(printer->text, header, n);
			if (is_name && memchr(header + MARK, ' ', n - MARK))
				strbuf_addc(printer->text, '\t');
			strbuf_addc(printer->text, '\n');
		}
		header += n + (stop != NULL);
	}
}

static int on_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
	const git_diff_line *line, void *arg)
{
	struct printer *printer = arg;

	(void)hunk;
	/* Only the name or the mode of a binary file changed: git has no line for that. */
	if (line->origin == GIT_DIFF_LINE_BINARY &&
		git_oid_equal(&delta->old_file.id, &delta->new_file.id))
		return 0;
	if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
		line->origin == GIT_DIFF_LINE_DELETION)
		strbuf_addc(printer->text, line->origin);
	if (line->origin == GIT_DIFF_LINE_FILE_HDR)
		add_header(printer, line->content, line->content_len);
	else
		utf8_repair(printer->text, line->content, line->content_len);
	if (printer->text->len <= printer->max_bytes)
		return 0;

	cut(printer);
	return GIT_EUSER;
}

static int print_name(struct printer *printer, const git_diff_delta *delta)
{
	out_name(printer->text,
		delta->status == GIT_DELTA_DELETED ? delta->old_file.path : delta->new_file.path);
	strbuf_addc(printer->text, '\n');
	if (printer->text->len > printer->max_bytes)
		cut(printer);

	return 0;
}

/* As git says it of a path with a conflict, which has no content to compare with. */
static int print_unmerged(struct printer *printer, const git_diff_delta *delta)
{
	strbuf_adds(printer->text, "* Unmerged path ");
	return print_name(printer, delta);
}

/* A file that became a link, or the like, comes as two deltas: deleted and added. In the patch they
 * stay two, as in git's; elsewhere the second one is joined with the first. */
static bool is_typechange(git_diff *diff, size_t i)
{
	const git_diff_delta *delta = git_diff_get_delta(diff, i);
	const git_diff_delta *before = i > 0 ? git_diff_get_delta(diff, i - 1) : NULL;

	return before && before->status == GIT_DELTA_DELETED && delta->status == GIT_DELTA_ADDED &&
	       streq(before->old_file.path, delta->new_file.path);
}

static int print_delta(
	struct printer *printer, enum patch_form form, git_diff *diff, git_patch *patch, size_t i)
{
	int rc;

	if (printer->is_cut)
		return 0;
	if (form == PATCH_NAMES)
		return is_typechange(diff, i) ? 0
					      : print_name(printer, git_diff_get_delta(diff, i));
	if (form != PATCH_FULL || !patch)
		return 0;
	if (git_diff_get_delta(diff, i)->status == GIT_DELTA_CONFLICTED)
		return print_unmerged(printer, git_diff_get_delta(diff, i));
	printer->has_hunks = git_patch_num_hunks(patch) > 0;
	rc = git_patch_print(patch, on_line, printer);

	return printer->is_cut ? 0 : rc;
}

static void join_with_last(struct patch *ret, struct stat_table *table, size_t additions)
{
	json_t *last = json_array_get(ret->files, json_array_size(ret->files) - 1);

	if (!last)
		return;
	json_object_set_new(last, "status", json_string(out_status(GIT_DELTA_TYPECHANGE)));
	json_object_set_new(last, "additions", json_integer((json_int_t)additions));
	if (table && table->n > 0)
		table->rows[table->n - 1].additions = additions;
}

static int count_delta(
	git_diff *diff, git_patch *patch, size_t i, struct patch *ret, struct stat_table *table)
{
	const git_diff_delta *delta =
		patch ? git_patch_get_delta(patch) : git_diff_get_delta(diff, i);
	bool is_binary = (delta->flags & GIT_DIFF_FLAG_BINARY) != 0;
	size_t additions = 0, deletions = 0;
	int rc = patch ? git_patch_line_stats(NULL, &additions, &deletions, patch) : 0;

	if (rc < 0)
		return rc;
	ret->additions += additions;
	ret->deletions += deletions;
	if (is_typechange(diff, i)) {
		if (ret->n_files <= PATCH_MAX_FILES)
			join_with_last(ret, table, additions);
		return 0;
	}
	ret->n_files++;
	if (ret->n_files > PATCH_MAX_FILES) {
		ret->truncated = true;
		return 0;
	}
	json_array_append_new(ret->files, out_filestat(delta, additions, deletions, is_binary));
	if (table)
		stat_table_add(table, delta, additions, deletions, is_binary);
	return 0;
}

int patch_render(struct call *call, git_diff *diff, enum patch_form form, size_t max_bytes,
	struct patch *ret, struct refusal *why)
{
	struct printer printer = { .text = &ret->text,
		.max_bytes = max_bytes < PATCH_MAX_BYTES ? max_bytes : PATCH_MAX_BYTES };
	auto_(stat_table_done) struct stat_table table = { 0 };

	ret->files = json_array();
	for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
		auto_git(git_patch) patch = NULL;
		int rc = git_patch_from_diff(&patch, diff, i);

		if (call && call_stopped(call))
			return refuse_stopped(why, "the patch was not finished");
		if (rc == 0)
			rc = print_delta(&printer, form, diff, patch, i);
		if (rc == 0)
			rc = count_delta(diff, patch, i, ret, form == PATCH_STAT ? &table : NULL);
		if (rc < 0)
			return patch_result(rc, call, why);
	}
	if (form == PATCH_STAT) {
		stat_table_print(&table, ret->n_files, ret->additions, ret->deletions, &ret->text);
		if (ret->text.len > printer.max_bytes)
			cut(&printer);
	}
	ret->truncated = ret->truncated || printer.is_cut;
	return 0;
}

void patch_add_cut_note(struct strbuf *text, const struct patch *patch)
{
	if (patch->truncated)
		strbuf_addf(text,
			"… cut: %zu files, %zu additions, %zu deletions in all. Ask for more with "
			"max_bytes (up to 2 MiB), or for single files.\n",
			patch->n_files, patch->additions, patch->deletions);
}
