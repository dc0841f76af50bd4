/* A repository opened for one call, by the safety rules of the tools' sections 6.2 and 6.3.
 *
 * repo_open() is the only way in: what it hands out was found inside of the roots, has the right
 * owner and a layout that libgit2 reads correctly, and its configuration includes no other file.
 * Nothing here asks the environment, the user's or the system's configuration; no program is run. */
#pragma once

#include <git2.h>
#include <stdbool.h>

#include "shared/fail.h"
#include "workers/common/roots.h"
#include "workers/git/refusal.h"
#include "workers/git/settings.h"

struct repo {
	git_repository *git;
	const struct git_settings *settings;
	const struct root *root; /* in which `dir` lies */
	char *dir;               /* real path of the working tree (of a bare repository: itself) */
	bool relative;           /* asked for with a relative path: answers show paths like that */
	int dir_fd;              /* O_PATH descriptor of `dir` */
	bool is_bare;
	unsigned abbrev_len; /* hexadecimal digits of a short hash; 0: not asked yet */
};

/* libgit2's global state: start before the first repo_open, stop at the end. Drops GIT_*, HOME and
 * XDG_* from the environment and empties every search path. 0 or -errno with words. */
int repo_start(struct fail *fail) must_check;
void repo_stop(void);

/* Opens the repository that `path` lies in (NULL: the default one) and checks it.
 * 0: repo_close() it. Negative: `why` says not_a_repository, repo_refused, outside_roots, not_found,
 * not_a_directory, permission_denied, invalid_argument; then *ret is untouched. */
int repo_open(const struct git_settings *settings, const char *path, struct repo *ret,
	struct refusal *why) must_check;
void repo_close(struct repo *repo); /* also one that is all zero */

#define auto_repo auto_(repo_close) struct repo

/* Refuses a bare repository (a tool that needs a working tree). 0 or negative. */
int repo_need_worktree(const struct repo *repo, struct refusal *why) must_check;

/* Refuses (read_only) when any part of the repository lies in a root that may only be read. */
int repo_need_writable(const struct repo *repo, struct refusal *why) must_check;

/* The index, read afresh; refuses what libgit2 cannot read (split, sparse, without hash).
 * git_index_free() it. */
int repo_index(const struct repo *repo, git_index **ret, struct refusal *why) must_check;

/* Turns a path argument (relative to the repository, or absolute inside of its working tree) into a
 * clean path as the index has it: no leading "./", no "..", no slash at the end; "" is the whole.
 * invalid_argument, outside_roots. *ret is yours to free. The file itself is not looked at. */
int repo_relative(const struct repo *repo, const char *path, char **ret, struct refusal *why)
	must_check;

/* Checks by openat2() that no parent directory of `rel` (from repo_relative) is a symlink: libgit2
 * would follow it and read or write outside. Missing parents are fine. outside_roots. */
int repo_check_parents(const struct repo *repo, const char *rel, struct refusal *why) must_check;

/* The directory that `rel` lies in, of which no part may be a symlink: a descriptor (O_PATH), or -errno:
 * -ENOENT, -ENOTDIR where there is none, -ELOOP. */
int repo_open_parent(const struct repo *repo, const char *rel) must_check;

/* True when `rel` has a component .git (without regard to case). */
bool repo_is_git_path(const char *rel);

/* Whether an absolute path, resolved as far as it exists, ends inside of the roots. */
bool repo_path_is_inside(const char *path);

/* Whether `text` has no control character: libgit2 lets a line break in a name or an e-mail address
 * pass, and whoever chose it could then add headers of his own to a commit. */
bool repo_is_one_line(const char *text);

/* The identity for a new commit: user.name and user.email of the repository's own configuration,
 * else of the settings, else no_identity. git_signature_free() it. The time is now, in UTC. */
int repo_identity(const struct repo *repo, git_signature **ret, struct refusal *why) must_check;

/* The shortest unique abbreviation of `id`, at least as long as git would choose for this
 * repository (repo_abbrev_len). */
enum { REPO_SHORT_SIZE = GIT_OID_HEXSZ + 1 };
unsigned repo_abbrev_len(struct repo *repo);
const char *repo_short(struct repo *repo, const git_oid *id, char ret[REPO_SHORT_SIZE]);

/* "none", "merge", "rebase", "cherry-pick", "revert", "bisect". */
const char *repo_state(const struct repo *repo);

/* Literal pathspecs for diffs and checkouts: the options' pathspec points into `paths`, which must
 * outlive it; set GIT_DIFF_DISABLE_PATHSPEC_MATCH or its like beside it. */
struct repo_paths {
	char **items; /* from repo_relative; may be none */
	size_t n;
};
int repo_paths(const struct repo *repo, struct str_list list, struct repo_paths *ret,
	struct refusal *why) must_check;
void repo_paths_done(struct repo_paths *paths);

#define auto_repo_paths auto_(repo_paths_done) struct repo_paths

/* For libgit2's objects in locals. */
DEFINE_FREEP(git_object, git_object_free)
DEFINE_FREEP(git_commit, git_commit_free)
DEFINE_FREEP(git_tree, git_tree_free)
DEFINE_FREEP(git_tree_entry, git_tree_entry_free)
DEFINE_FREEP(git_blob, git_blob_free)
DEFINE_FREEP(git_tag, git_tag_free)
DEFINE_FREEP(git_reference, git_reference_free)
DEFINE_FREEP(git_reference_iterator, git_reference_iterator_free)
DEFINE_FREEP(git_branch_iterator, git_branch_iterator_free)
DEFINE_FREEP(git_index, git_index_free)
DEFINE_FREEP(git_diff, git_diff_free)
DEFINE_FREEP(git_diff_stats, git_diff_stats_free)
DEFINE_FREEP(git_patch, git_patch_free)
DEFINE_FREEP(git_revwalk, git_revwalk_free)
DEFINE_FREEP(git_config, git_config_free)
DEFINE_FREEP(git_odb, git_odb_free)
DEFINE_FREEP(git_odb_object, git_odb_object_free)
DEFINE_FREEP(git_remote, git_remote_free)
DEFINE_FREEP(git_reflog, git_reflog_free)
DEFINE_FREEP(git_signature, git_signature_free)
DEFINE_FREEP(git_worktree, git_worktree_free)
DEFINE_FREEP(git_annotated_commit, git_annotated_commit_free)

#define auto_git(type) auto_(type##_freep) type *
#define auto_git_buf auto_(git_buf_dispose) git_buf
#define auto_git_strarray auto_(git_strarray_dispose) git_strarray
