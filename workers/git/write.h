/* What the tools that change a repository share: opening it for writing, locks, HEAD, the files of an
 * unfinished merge, and making commits. */
#pragma once

#include "shared/quote.h"
#include "workers/git/names.h"
#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

/* One call that writes. While it is open no other worker of ours writes to the same repository. */
struct writer {
	struct call *call;
	struct repo repo;
	struct refusal why;
	int lock_fd;          /* the repository's directory, with a flock on it */
	char *branch;         /* of HEAD, also before its first commit; NULL: detached */
	git_commit *head;     /* NULL: no commit yet */
	struct names special; /* FIFOs, sockets and devices in the working tree (WRITER_TREE) */
};

#define auto_writer auto_(writer_close) struct writer

enum writer_needs {
	WRITER_ANY,  /* a bare repository will do */
	WRITER_TREE, /* a working tree is needed; special.h has looked through it */
};

/* Opens the repository for writing: repo_open(); read_only when its root is; waits for the locks
 * of index, HEAD and branch and for our own workers up to WRITER_LOCK_MS, then `busy`. 0, or
 * negative with w->why. */
int writer_open(struct writer *w, struct call *call, const char *repo_path, enum writer_needs needs)
	must_check;
void writer_close(struct writer *w);

/* The time somebody else's lock is waited for. It is never broken. */
enum { WRITER_LOCK_MS = 2000 };

/* Evaluates a libgit2 call again and again while it says GIT_ELOCKED, up to WRITER_LOCK_MS. */
#define LOCKED(w, expr)                                                                            \
	__extension__({                                                                            \
		int64_t locked_since_ = 0;                                                         \
		int locked_rc_;                                                                    \
		do                                                                                 \
			locked_rc_ = (expr);                                                       \
		while (locked_rc_ == GIT_ELOCKED && writer_wait((w), &locked_since_));             \
		locked_rc_;                                                                        \
	})

/* Sleeps a little; false when the time is over or the call was stopped. *since starts as 0. */
bool writer_wait(struct writer *w, int64_t *since);

/* With enforce_protected: `policy` when HEAD is on a protected branch. */
int writer_check_branch(struct writer *w, const char *what) must_check;

/* `dirty_tree` while a merge, rebase, cherry-pick or revert is unfinished or the index has
 * conflicts; `what` is what cannot be done ("cannot merge"). */
int writer_check_idle(struct writer *w, const char *what) must_check;

/* The tree of HEAD; *ret is NULL before the first commit. */
int writer_head_tree(struct writer *w, git_tree **ret) must_check;

/* Paths of the index that have conflicts, sorted. */
int writer_conflicts(struct writer *w, git_index *index, struct names *ret) must_check;

/* Moves what HEAD is (its branch, or HEAD itself when detached) from w->head to `to` and writes the
 * reflogs; `busy` when it is no longer where it was. w->head is the new commit afterwards. */
int writer_move_head(struct writer *w, const git_oid *to, const char *message) must_check;

/* ORIG_HEAD = HEAD, as git does before it moves a branch. Not having it is no failure. */
void writer_save_head(struct writer *w);

/* Removes MERGE_HEAD, CHERRY_PICK_HEAD, REVERT_HEAD and what belongs to them; a rebase stays. */
void writer_end_merge(struct writer *w);

/* The parents of one commit, at most. */
enum { WRITER_PARENTS_MAX = 32 };

/* A commit to be made. Its tree is in the object database. */
struct new_commit {
	const git_oid *tree;
	git_commit **parents;
	size_t n_parents;
	const git_signature *author; /* NULL: the committer */
	const git_signature *committer;
	const char *encoding; /* of the message; NULL: UTF-8 */
	const char *message;  /* a line break is added when the last one is missing */
};

/* Writes the commit object; no reference moves. */
int writer_make_commit(struct writer *w, const struct new_commit *commit, git_oid *ret) must_check;

/* The commit by its id. */
int writer_commit(struct writer *w, const git_oid *id, git_commit **ret) must_check;

/* The first paragraph of the message as one line of UTF-8. Yours to free. */
char *writer_subject(git_commit *commit) must_check;

/* `text` with a blank for each control character: for reflogs, which have one entry a line and into
 * which libgit2 writes line breaks as they are. Yours to free. */
char *writer_one_line(const char *text) must_check;

/* Whether `text` has nothing but white space. */
bool writer_is_blank(const char *text);

/* invalid_argument unless `name` can be a branch's (`what`: the argument). */
int writer_check_branch_name(struct writer *w, const char *what, const char *name) must_check;

/* Whether a sparse checkout leaves `path` out of the working tree, where libgit2 then misses it. */
bool writer_is_hidden(git_index *index, const char *path);

/* Whether another worktree of this repository has `branch` (without refs/heads/) checked out. */
bool writer_is_elsewhere(struct writer *w, const char *branch);

/* Where HEAD is after all: a short hash, "" before the first commit. For answers. */
json_t *writer_head_json(const struct writer *w) must_check;

/* Foreign text in a refusal, quoted. It lives until the end of the block. */
#define QUOTED(text) quote((char[QUOTE_SIZE]){ 0 }, (text))

/* The options struct of a libgit2 call, at its defaults: OPTIONS(diff) is a git_diff_options. All of
 * them are at version 1 in the releases we build with; libgit2 checks. */
#define OPTIONS(kind)                                                                              \
	__extension__({                                                                            \
		git_##kind##_options options_;                                                     \
		(void)git_##kind##_options_init(&options_, 1);                                     \
		options_;                                                                          \
	})

/* The table's entry of a tool: name git_<word>, function run_<word>, <word>_params, <word>_args. */
#define GIT_WRITE_TOOL(word, title_text, ...)                                                      \
	{                                                                                          \
		.name = "git_" #word, .title = (title_text), .run = run_##word,                    \
		.params = word##_params, .args_size = sizeof(struct word##_args), __VA_ARGS__      \
	}
