/* Common ground of the writing tools.
 *
 * Two kinds of locks: git's own lock files, which libgit2 takes around each single write, and a
 * flock on the repository's directory for the whole call. The second keeps our own worker processes
 * from reading the index, changing it and writing it back at the same time; git's locks alone would
 * let the later one undo the earlier. Nobody's lock is ever broken.
 *
 * Invariant: objects are written first, the tree next, references last, so that a failure leaves
 * references that lead to whole objects. */
#include "workers/git/write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "workers/common/call.h"
#include "workers/git/out.h"
#include "workers/git/rev.h"
#include "workers/git/special.h"

enum { LOCK_STEP_MS = 25 };

bool writer_wait(struct writer *w, int64_t *since)
{
	static const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	int64_t now = clock_now_ms();

	if (*since == 0)
		*since = now;
	if (now - *since >= WRITER_LOCK_MS || call_stopped(w->call))
		return false;

	(void)nanosleep(&step, NULL);
	return true;
}

/* git's lock files that an operation would only meet halfway. */
static const char *held_lock(int git_fd)
{
	static const char *const locks[] = { "index.lock", "HEAD.lock" };

	for (size_t i = 0; i < N_ELEMENTS(locks); i++)
		if (faccessat(git_fd, locks[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return locks[i];

	return NULL;
}

static int refuse_locked(struct writer *w, const char *held)
{
	return refuse(&w->why, "busy",
		"the repository is locked (%s). Try again; if nothing else uses it, a program that "
		"died left the lock file behind.",
		held);
}

static int take_locks(struct writer *w)
{
	const char *path = git_repository_path(w->repo.git);
	const char *held = "another call";
	int64_t since = 0;

	w->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->lock_fd < 0)
		return refuse_errno(&w->why, -errno, "cannot open the repository");

	do {
		if (flock(w->lock_fd, LOCK_EX | LOCK_NB) == 0) {
			held = held_lock(w->lock_fd);
			if (!held)
				return 0;
			(void)flock(w->lock_fd, LOCK_UN);
		} else if (errno != EWOULDBLOCK && errno != EINTR) {
			return refuse_errno(&w->why, -errno, "cannot lock the repository");
		}
	} while (writer_wait(w, &since));

	return refuse_locked(w, held);
}

/* The branch that most operations move in the end, when the working tree is written already. */
static int wait_for_branch(struct writer *w)
{
	auto_free char *path = NULL;
	int64_t since = 0;

	if (!w->branch)
		return 0;

	path = alloc_printf(
		"%srefs/heads/%s.lock", git_repository_commondir(w->repo.git), w->branch);
	do
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
	while (writer_wait(w, &since));

	return refuse_locked(w, strrchr(path, '/') + 1);
}

/* Who stands in the reflog. Without an identity libgit2 writes "unknown", as it does by itself. */
static void set_reflog_identity(struct writer *w)
{
	auto_git(git_signature) who = NULL;
	struct refusal ignored = { 0 };

	if (repo_identity(&w->repo, &who, &ignored) >= 0)
		(void)git_repository_set_ident(w->repo.git, who->name, who->email);
}

static int open_locked(struct writer *w, enum writer_needs needs)
{
	bool is_unborn;

	if (!w->repo.root->writable)
		return refuse(&w->why, "read_only",
			"the configuration allows only reading below '%s'. "
			"Its operator can change that (roots, access).",
			w->repo.root->path);
	if (needs == WRITER_TREE &&
		(repo_need_worktree(&w->repo, &w->why) < 0 ||
			special_find(&w->repo, w->call, &w->special, &w->why) < 0))
		return -1;
	if (take_locks(w) < 0)
		return -1;
	set_reflog_identity(w);
	if (rev_branch(&w->repo, &w->branch, &is_unborn, &w->why) < 0 || wait_for_branch(w) < 0)
		return -1;

	return rev_head(&w->repo, &w->head, &w->why);
}

int writer_open(struct writer *w, struct call *call, const char *repo_path, enum writer_needs needs)
{
	*w = (struct writer){ .call = call, .lock_fd = -1 };
	if (repo_open(call_settings(call), repo_path, &w->repo, &w->why) < 0)
		return -1;

	return open_locked(w, needs);
}

void writer_close(struct writer *w)
{
	git_commit_free(w->head);
	free(w->branch);
	names_done(&w->special);
	repo_close(&w->repo);
	if (w->call)
		fd_close(w->lock_fd);
	*w = (struct writer){ .lock_fd = -1 };
}

int writer_check_branch(struct writer *w, const char *what)
{
	const struct git_settings *settings = w->repo.settings;

	if (!settings->enforce_protected || !w->branch ||
		!git_settings_is_protected(settings, w->branch))
		return 0;

	return refuse(&w->why, "policy",
		"%s: branch '%s' is protected. Work on a feature branch (git_start_feature).", what,
		w->branch);
}

static int refuse_conflicts(struct writer *w, const char *what, const struct names *names)
{
	auto_free char *list = names_text(names);

	return refuse(&w->why, "merge_conflict",
		"%s: unmerged paths: %s. Resolve them and stage them with git_add.", what, list);
}

int writer_check_idle(struct writer *w, const char *what)
{
	const char *state = repo_state(&w->repo);
	auto_git(git_index) index = NULL;
	auto_names names = { 0 };

	if (!streq(state, "none") && !streq(state, "bisect"))
		return refuse(&w->why, "dirty_tree",
			"%s: a %s is in progress. Finish it, or abort it (git_merge or git_rebase "
			"with abort).",
			what, state);
	if (repo_index(&w->repo, &index, &w->why) < 0 || writer_conflicts(w, index, &names) < 0)
		return -1;
	if (names.n > 0)
		return refuse_conflicts(w, what, &names);

	return 0;
}

int writer_head_tree(struct writer *w, git_tree **ret)
{
	return rev_head_tree(&w->repo, ret, &w->why);
}

int writer_conflicts(struct writer *w, git_index *index, struct names *ret)
{
	size_t n = git_index_entrycount(index);

	for (size_t i = 0; i < n; i++) {
		const git_index_entry *entry = git_index_get_byindex(index, i);

		if (git_index_entry_is_conflict(entry))
			names_add(ret, entry->path);
	}

	return 0;
}

/* The reference that HEAD stands for; *ret is NULL when it does not exist yet, *ret_name is its
 * name. */
static int look_up_head(struct writer *w, git_reference **ret, char **ret_name)
{
	auto_git(git_reference) head = NULL;
	const char *target;
	int rc = git_reference_lookup(&head, w->repo.git, "HEAD");

	if (rc < 0)
		return rc;

	if (git_reference_type(head) == GIT_REFERENCE_DIRECT) {
		*ret_name = alloc_str("HEAD");
		*ret = TAKE(head);
		return 0;
	}

	target = git_reference_symbolic_target(head);
	rc = git_reference_lookup(ret, w->repo.git, target);
	if (rc < 0 && rc != GIT_ENOTFOUND)
		return rc;

	*ret_name = alloc_str(target);
	return 0;
}

static int update_head(struct writer *w, const git_oid *to, const char *message)
{
	auto_git(git_reference) ref = NULL;
	auto_git(git_reference) moved = NULL;
	auto_free char *name = NULL;
	int rc = look_up_head(w, &ref, &name);

	if (rc < 0)
		return rc;
	if (!ref)
		return w->head ? GIT_EMODIFIED
			       : git_reference_create(&moved, w->repo.git, name, to, 0, message);
	if (!w->head || git_reference_type(ref) != GIT_REFERENCE_DIRECT ||
		!git_oid_equal(git_reference_target(ref), git_commit_id(w->head)))
		return GIT_EMODIFIED;

	return git_reference_set_target(&moved, ref, to, message);
}

int writer_move_head(struct writer *w, const git_oid *to, const char *message)
{
	auto_git(git_commit) commit = NULL;
	auto_free char *line = writer_one_line(message);
	int rc;

	if (writer_commit(w, to, &commit) < 0)
		return -1;

	rc = LOCKED(w, update_head(w, to, line));
	if (rc == GIT_EMODIFIED || rc == GIT_EEXISTS)
		return refuse(&w->why, "busy",
			"the branch was moved by somebody else meanwhile. Look at it and try again.");
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot move the branch");

	git_commit_free(w->head);
	w->head = TAKE(commit);
	return 0;
}

void writer_save_head(struct writer *w)
{
	auto_git(git_reference) ref = NULL;

	if (w->head && LOCKED(w, git_reference_create(&ref, w->repo.git, "ORIG_HEAD",
					 git_commit_id(w->head), 1, NULL)) < 0)
		git_error_clear();
}

void writer_end_merge(struct writer *w)
{
	static const char *const files[] = {
		"MERGE_HEAD",
		"MERGE_MODE",
		"MERGE_MSG",
		"MERGE_RR",
		"AUTO_MERGE",
		"SQUASH_MSG",
		"CHERRY_PICK_HEAD",
		"REVERT_HEAD",
	};

	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		(void)unlinkat(w->lock_fd, files[i], 0);
}

int writer_make_commit(struct writer *w, const struct new_commit *commit, git_oid *ret)
{
	const git_signature *author = commit->author ? commit->author : commit->committer;
	const git_commit *parents[WRITER_PARENTS_MAX];
	auto_git(git_tree) tree = NULL;
	auto_strbuf message = { 0 };
	int rc = git_tree_lookup(&tree, w->repo.git, commit->tree);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the new tree");

	assert(commit->n_parents <= WRITER_PARENTS_MAX);
	for (size_t i = 0; i < commit->n_parents; i++)
		parents[i] = commit->parents[i];

	strbuf_adds(&message, commit->message);
	if (message.len > 0 && message.data[message.len - 1] != '\n')
		strbuf_addc(&message, '\n');

	rc = git_commit_create(ret, w->repo.git, NULL, author, commit->committer, commit->encoding,
		strbuf_get(&message), tree, commit->n_parents, parents);
	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot write the commit");

	return 0;
}

int writer_commit(struct writer *w, const git_oid *id, git_commit **ret)
{
	int rc = git_commit_lookup(ret, w->repo.git, id);

	if (rc < 0)
		return refuse_git(&w->why, rc, "cannot read the commit");

	return 0;
}

char *writer_subject(git_commit *commit)
{
	auto_strbuf subject = { 0 };

	out_subject(&subject, commit);
	return strbuf_take(&subject);
}

char *writer_one_line(const char *text)
{
	char *line = alloc_str(text);

	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';

	return line;
}

bool writer_is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

int writer_check_branch_name(struct writer *w, const char *what, const char *name)
{
	int is_valid = 0;

	if (git_branch_name_is_valid(&is_valid, name) < 0)
		git_error_clear();
	if (is_valid && !streq(name, "HEAD"))
		return 0;

	return refuse(&w->why, "invalid_argument",
		"%s: %s is not a valid branch name. "
		"Choose a name without blanks, \"..\", or a leading \"-\".",
		what, QUOTED(name));
}

bool writer_is_hidden(git_index *index, const char *path)
{
	const git_index_entry *entry = git_index_get_bypath(index, path, 0);

	return entry && (entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE);
}

/* Whether the HEAD file `path` below the common directory is on the branch. */
static bool head_file_is_on(int common_fd, const char *path, const char *branch)
{
	char text[512];
	auto_free char *expected = alloc_printf("ref: refs/heads/%s\n", branch);
	auto_close int fd = openat(common_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;

	text[n] = '\0';
	return streq(text, expected);
}

bool writer_is_elsewhere(struct writer *w, const char *branch)
{
	auto_git_strarray names = { 0 };
	auto_close int fd = open(git_repository_commondir(w->repo.git), O_PATH | O_CLOEXEC);
	bool is_linked = git_repository_is_worktree(w->repo.git);

	if (fd < 0 || (w->branch && streq(w->branch, branch)))
		return false;
	if (is_linked && head_file_is_on(fd, "HEAD", branch))
		return true;
	if (git_worktree_list(&names, w->repo.git) < 0) {
		git_error_clear();
		return false;
	}

	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = alloc_printf("worktrees/%s/HEAD", names.strings[i]);

		if (head_file_is_on(fd, path, branch))
			return true;
	}

	return false;
}

json_t *writer_head_json(const struct writer *w)
{
	return w->head ? out_oid(git_commit_id(w->head)) : json_string("");
}
