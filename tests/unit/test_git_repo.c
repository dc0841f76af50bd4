/* Opening repositories: every hostile or unreadable layout is refused with its reason, and words of
 * foreign files never come back. Everything is made in a directory of its own, with libgit2 and plain
 * file operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "workers/git/layout.h"
#include "workers/git/remotes.h"
#include "workers/git/repo.h"
#include "workers/git/rev.h"

/* base/in is the root, base/out is not. */
static char *base;
static char *in;
static char *out;
static const struct git_settings settings = { .user_name = "", .user_email = "" };

static char *path_of(const char *dir, const char *rest)
{
	return alloc_printf("%s/%s", dir, rest);
}

static void write_file(const char *dir, const char *rest, const void *bytes, size_t len)
{
	auto_free char *path = path_of(dir, rest);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *dir, const char *rest, const char *text)
{
	write_file(dir, rest, text, strlen(text));
}

static void append_text(const char *dir, const char *rest, const char *text)
{
	auto_free char *path = path_of(dir, rest);
	FILE *file = fopen(path, "ae");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *dir, const char *rest)
{
	auto_free char *path = path_of(dir, rest);

	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_link(const char *target, const char *dir, const char *rest)
{
	auto_free char *path = path_of(dir, rest);

	assert_int_equal(symlink(target, path), 0);
}

static void move(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
	auto_free char *old = path_of(from_dir, from);
	auto_free char *new = path_of(to_dir, to);

	assert_int_equal(rename(old, new), 0);
}

static void make_repo(const char *dir, bool is_bare)
{
	git_repository *git = NULL;

	assert_int_equal(git_repository_init(&git, dir, is_bare), 0);
	git_repository_free(git);
}

/* Opens `path` and returns the code of the refusal; NULL: it was opened. */
static struct refusal why;

static const char *open_code(const char *path)
{
	auto_repo repo = { 0 };

	why = (struct refusal){ 0 };
	return repo_open(&settings, path, &repo, &why) < 0 ? why.code : NULL;
}

static void assert_refused(const char *words)
{
	const char *code = open_code("r");

	if (!code)
		fail_msg("opened, although: %s", words);
	assert_string_equal(code, "repo_refused");
	if (!strstr(why.text, words))
		fail_msg("'%s' has no '%s'", why.text, words);
	assert_null(strstr(why.text, base));
}

static void assert_opens(void)
{
	const char *code = open_code("r");

	if (code)
		fail_msg("%s: %s", code, why.text);
}

/* Each test has fresh directories, with a repository base/in/r. */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	char dir[] = "/tmp/test_git_repo.XXXXXX";
	struct fail fail = { 0 };
	auto_free char *repo = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	base = realpath(dir, NULL);
	in = path_of(base, "in");
	out = path_of(base, "out");
	make_dir(base, "in");
	make_dir(base, "out");
	assert_int_equal(roots_open(in, true, &fail), 0);
	repo = path_of(in, "r");
	make_repo(repo, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	roots_close();
	assert_int_equal(nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(base);
	free(in);
	free(out);
	return 0;
}

/* Finding */

static void test_opens(void **state)
{
	auto_repo repo = { 0 };
	auto_free char *dir = path_of(in, "r");

	make_dir(in, "r/sub");
	assert_int_equal(repo_open(&settings, "r/sub", &repo, &why), 0);
	assert_string_equal(repo.dir, dir);
	assert_true(repo.relative);
	assert_false(repo.is_bare);
	assert_int_equal(repo_need_worktree(&repo, &why), 0);
	assert_int_equal(repo_need_writable(&repo, &why), 0);
	assert_null(open_code(dir));
}

static void test_opens_bare(void **state)
{
	auto_repo repo = { 0 };
	auto_free char *dir = path_of(in, "b.git");

	make_repo(dir, true);
	assert_int_equal(repo_open(&settings, "b.git/refs", &repo, &why), 0);
	assert_true(repo.is_bare);
	assert_string_equal(repo.dir, dir);
	assert_true(repo_need_worktree(&repo, &why) < 0);
	assert_string_equal(why.code, "repo_refused");
}

static void test_default(void **state)
{
	struct git_settings with_default = settings;
	auto_free char *dir = path_of(in, "r");
	struct fail fail = { 0 };
	auto_repo repo = { 0 };

	assert_string_equal(open_code(NULL), "not_a_repository");
	with_default.default_repository = dir;
	assert_int_equal(repo_open(&with_default, NULL, &repo, &why), 0);
	assert_int_equal(roots_open(out, true, &fail), 0);
	assert_string_equal(open_code(NULL), "invalid_argument");
}

static void test_never_above_the_root(void **state)
{
	auto_free char *sub = path_of(in, "r/sub");
	struct fail fail = { 0 };

	make_dir(in, "r/sub");
	make_dir(in, "r/sub/deep");
	roots_close();
	assert_int_equal(roots_open(sub, true, &fail), 0);
	assert_string_equal(open_code("deep"), "not_a_repository");
	assert_string_equal(open_code("."), "not_a_repository");
}

static void test_wrong_paths(void **state)
{
	make_link(out, in, "way_out");
	write_text(in, "file", "");
	assert_string_equal(open_code(out), "outside_roots");
	assert_string_equal(open_code("../out"), "outside_roots");
	assert_string_equal(open_code("way_out"), "outside_roots");
	assert_string_equal(open_code("absent"), "not_found");
	assert_string_equal(open_code("file"), "not_a_directory");
	assert_string_equal(open_code("r/.git"), "repo_refused");
	assert_string_equal(open_code("r/.git/refs"), "repo_refused");
}

static void test_empty_dot_git_is_passed_over(void **state)
{
	auto_repo repo = { 0 };
	auto_free char *dir = path_of(in, "r");

	make_dir(in, "r/sub");
	make_dir(in, "r/sub/.git");
	assert_int_equal(repo_open(&settings, "r/sub", &repo, &why), 0);
	assert_string_equal(repo.dir, dir);
}

/* Links */

static void test_dot_git_file(void **state)
{
	auto_free char *text = alloc_printf("gitdir: %s/g\n", out);

	move(in, "r/.git", in, "g");
	write_text(in, "r/.git", "gitdir: ../g\n");
	assert_opens();
	move(in, "g", out, "g");
	write_text(in, "r/.git", text);
	assert_refused(".git of this repository leads outside");
	write_text(in, "r/.git", "gitdir: ../../out/g\n");
	assert_refused(".git of this repository leads outside");
	write_text(in, "r/.git", "what is this");
	assert_refused("file .git of this repository cannot be read");
}

static void test_dot_git_link(void **state)
{
	auto_free char *target = path_of(out, "g");

	move(in, "r/.git", in, "g");
	make_link("../g", in, "r/.git");
	assert_opens();
	move(in, "g", out, "g");
	assert_refused("leads outside");
	move(in, "r/.git", in, "old");
	make_link(target, in, "r/.git");
	assert_refused("leads outside");
}

static void test_linked_parts(void **state)
{
	static const char *const parts[] = { "objects", "refs", "HEAD", "config", "refs/heads",
		"objects/info", "objects/pack" };

	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		auto_free char *part = alloc_printf("r/.git/%s", parts[i]);
		auto_free char *target = path_of(out, "part");

		move(in, part, out, "part");
		make_link(target, in, part);
		assert_refused("leads outside");
		move(in, part, in, "gone");
		move(out, "part", in, part);
	}
	assert_opens();
}

static void test_links_to_files(void **state)
{
	static const char *const names[] = { "index", "packed-refs", "refs/heads/x", "logs",
		"objects/info/alternates", "ORIG_HEAD", "shallow" };

	write_text(out, "secret", "the words");
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *name = alloc_printf("r/.git/%s", names[i]);
		auto_free char *target = path_of(out, "secret");

		make_link(target, in, name);
		assert_refused("a link in .git of this repository leads outside");
		move(in, name, in, "gone");
	}
	/* Writing through one that leads nowhere yet would make a file outside. */
	make_link("../../../out/new", in, "r/.git/index");
	assert_refused("leads outside");
}

static void test_commondir(void **state)
{
	auto_free char *shared = path_of(out, "shared");

	make_repo(shared, true);
	write_text(in, "r/.git/commondir", "../../../out/shared\n");
	assert_refused("commondir of this repository leads outside");
	move(out, "shared", in, "shared");
	write_text(in, "r/.git/commondir", "../../shared\n");
	assert_opens();
}

static void test_special_files(void **state)
{
	auto_free char *fifo = path_of(in, "r/.git/packed-refs");
	auto_free char *ignore = path_of(in, "r/.gitignore");

	assert_int_equal(mkfifo(ignore, 0600), 0);
	assert_refused(".gitignore in it is a special file");
	move(in, "r/.gitignore", in, "gone");
	assert_opens();
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_refused("special file in its .git");
}

static void test_alternates(void **state)
{
	auto_free char *other = path_of(out, "other");

	make_repo(other, true);
	write_text(in, "r/.git/objects/info/alternates", "../../../../out/other/objects\n");
	assert_refused("an alternate object directory");
	move(out, "other", in, "other");
	write_text(in, "r/.git/objects/info/alternates", "../../../other/objects\n");
	assert_opens();
	/* Not only the first step: the alternate has one of its own. */
	write_text(in, "other/objects/info/alternates", out);
	assert_refused("an alternate object directory");
}

static void test_worktree_elsewhere(void **state)
{
	make_dir(in, "elsewhere");
	append_text(in, "r/.git/config", "[core]\n\tworktree = ../../elsewhere\n");
	assert_refused("core.worktree");
	append_text(in, "r/.git/config", "[core]\n\tworktree = ../\n");
	assert_opens();
	append_text(in, "r/.git/config", "[core]\n\tworktree = ../../../out\n");
	assert_refused("core.worktree");
}

static void test_owner(void **state)
{
	enum { SOMEBODY = 12345 };
	auto_free char *dir = path_of(in, "r");
	auto_free char *dot_git = path_of(in, "r/.git");

	if (geteuid() != 0) {
		skip();
		return;
	}
	assert_int_equal(chown(dir, SOMEBODY, SOMEBODY), 0);
	assert_refused("another user");
	assert_int_equal(chown(in, SOMEBODY, SOMEBODY), 0);
	assert_opens();
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(chown(dot_git, SOMEBODY + 1, 0), 0);
	assert_refused("another user");
}

/* Configuration and format */

static void test_includes(void **state)
{
	static const char *const texts[] = {
		"[include]\n\tpath = /etc/passwd\n",
		"[INCLUDE] path = /etc/passwd\n",
		"[core] [include] path = /etc/passwd\n",
		"[includeIf \"gitdir:/\"]\n\tpath = x\n",
		"[ include ]\n\tpath = x\n",
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		write_text(in, "r/.git/config", texts[i]);
		assert_refused("includes another file");
	}
	write_text(in, "r/.git/config", "[core]\n\tinclude = 1\n[included]\n");
	assert_refused("includes another file"); /* on the safe side */
	write_text(in, "r/.git/config", "[core]\n\tinclude = 1\n");
	assert_opens();
	write_text(in, "r/.gitmodules", "[include]\n\tpath = /etc/passwd\n");
	assert_refused("includes another file");
}

static void test_has_include(void **state)
{
	assert_true(layout_has_include("[include]", 9));
	assert_true(layout_has_include("x\n\t[\tInClUdEif \"x\"]", 19));
	assert_false(layout_has_include("[include]", 7));
	assert_false(layout_has_include("include", 7));
	assert_false(layout_has_include("[", 1));
	assert_false(layout_has_include("", 0));
	assert_false(layout_has_include("[inc\0lude]", 10));
}

static void test_broken_config_is_not_quoted(void **state)
{
	write_text(in, "r/.git/config", "[core]\n\tsecretword ! anotherword\n");
	assert_refused("cannot be read");
	assert_null(strstr(why.text, "secretword"));
	assert_null(strstr(why.text, "anotherword"));
}

static void test_formats(void **state)
{
	static const struct {
		const char *config, *words;
	} cases[] = {
		{ "[extensions]\n\tobjectFormat = sha256\n", "extensions.objectformat" },
		{ "[extensions]\n\trefStorage = reftable\n", "extensions.refstorage" },
		{ "[extensions]\n\tworktreeConfig = true\n", "extensions.worktreeconfig" },
		{ "[extensions]\n\tpartialClone = origin\n", "extensions.partialclone" },
		{ "[remote \"o\"]\n\tpromisor = true\n", "partial clone" },
		{ "[remote \"o\"]\n\tpromisor\n", "partial clone" },
		{ "[core]\n\trepositoryformatversion = 2\n", "newer than 1" },
		{ "[core]\n\texcludesFile = /etc/passwd\n", "core.excludesfile" },
		{ "[core]\n\tattributesFile = ~/x\n", "core.attributesfile" },
		{ "[core]\n\tattributesFile = ../../out/x\n", NULL }, /* nothing is there */
		{ "[remote \"o\"]\n\tpromisor = false\n", NULL },
		{ "[extensions]\n\tnoop = true\n", NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		write_text(in, "r/.git/config", cases[i].config);
		if (cases[i].words)
			assert_refused(cases[i].words);
		else
			assert_opens();
	}
}

static void test_shallow(void **state)
{
	write_text(in, "r/.git/shallow", "");
	assert_opens();
	write_text(in, "r/.git/shallow", "2f1a2f1a2f1a2f1a2f1a2f1a2f1a2f1a2f1a2f1a\n");
	assert_refused("shallow");
}

/* An index of no entries with one extension. */
static void write_index(const char *extension, uint8_t version, bool has_hash)
{
	uint8_t bytes[12 + 8 + 20] = { 'D', 'I', 'R', 'C', 0, 0, 0, version };
	git_oid hash;

	memcpy(bytes + 12, extension, 4);
	if (has_hash) {
		/* The trailer is the SHA-1 of what is before it, which libgit2 has no function
		 * for: a wrong one must be an error as well, so any will do here. */
		memset(&hash, 0x5a, sizeof(hash));
		memcpy(bytes + 20, &hash, 20);
	}
	write_file(in, "r/.git/index", bytes, sizeof(bytes));
}

static const char *index_words(void)
{
	auto_repo repo = { 0 };
	auto_git(git_index) index = NULL;

	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	if (repo_index(&repo, &index, &why) == 0)
		return NULL;
	assert_string_equal(why.code, "repo_refused");
	return why.text;
}

static void test_index(void **state)
{
	assert_null(index_words());
	write_index("link", 2, true);
	assert_non_null(strstr(index_words(), "split index"));
	write_index("sdir", 3, true);
	assert_non_null(strstr(index_words(), "sparse index"));
	write_index("TREE", 2, false);
	assert_non_null(strstr(index_words(), "skipHash"));
	write_index("TREE", 5, true);
	assert_non_null(strstr(index_words(), "newer than version 4"));
	write_text(in, "r/.git/index", "DIRC");
	assert_non_null(strstr(index_words(), "damaged"));
	write_text(in, "r/.git/index", "something else that is longer than a head");
	assert_non_null(strstr(index_words(), "damaged"));
	write_text(in, "r/.git/index", "");
	assert_non_null(strstr(index_words(), "damaged"));
}

/* Paths */

static void test_relative(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{ "a", "a" },
		{ "./a//b/", "a/b" },
		{ ".", "" },
		{ "a/../b", "b" },
		{ "a/..", "" },
		{ "-rf", "-rf" },
		{ ":(top)*", ":(top)*" },
		{ "a\nb", "a\nb" },
		{ "..", NULL },
		{ "a/../../b", NULL },
		{ "/etc/passwd", NULL },
		{ "/", NULL },
	};
	auto_repo repo = { 0 };
	auto_free char *inside = path_of(in, "r/x/./y");
	auto_free char *beside = path_of(in, "r2/x");
	auto_free char *clean = NULL;

	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *got = NULL;
		int r = repo_relative(&repo, cases[i].path, &got, &why);

		assert_int_equal(r == 0, cases[i].clean != NULL);
		if (r == 0)
			assert_string_equal(got, cases[i].clean);
		else
			assert_string_equal(why.code, "outside_roots");
	}
	assert_int_equal(repo_relative(&repo, inside, &clean, &why), 0);
	assert_string_equal(clean, "x/y");
	assert_true(repo_relative(&repo, beside, &clean, &why) < 0);
	assert_true(repo_relative(&repo, "", &clean, &why) < 0);
	assert_string_equal(why.code, "invalid_argument");
}

static void test_parents(void **state)
{
	auto_repo repo = { 0 };

	make_dir(in, "r/dir");
	make_link(out, in, "r/way_out");
	make_link("dir", in, "r/way_in");
	write_text(in, "r/file", "");
	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	assert_int_equal(repo_check_parents(&repo, "way_out", &why), 0); /* the link itself */
	assert_int_equal(repo_check_parents(&repo, "dir/f", &why), 0);
	assert_int_equal(repo_check_parents(&repo, "absent/deep/f", &why), 0);
	assert_int_equal(repo_check_parents(&repo, "file/f", &why), 0);
	assert_true(repo_check_parents(&repo, "way_out/f", &why) < 0);
	assert_string_equal(why.code, "outside_roots");
	assert_true(repo_check_parents(&repo, "way_in/f", &why) < 0);
	assert_true(repo_check_parents(&repo, "way_out/deep/f", &why) < 0);
}

static void test_git_paths(void **state)
{
	assert_true(repo_is_git_path(".git"));
	assert_true(repo_is_git_path("a/.GIT/config"));
	assert_false(repo_is_git_path("a/.gitignore"));
	assert_false(repo_is_git_path("x.git/y"));
	assert_false(repo_is_git_path(""));
}

static void test_inside(void **state)
{
	auto_free char *absent = path_of(in, "a/b/c");
	auto_free char *beyond = path_of(in, "way_out/x");
	auto_free char *other = path_of(out, "x");

	make_link(out, in, "way_out");
	assert_true(repo_path_is_inside(in));
	assert_true(repo_path_is_inside(absent));
	assert_false(repo_path_is_inside(beyond));
	assert_false(repo_path_is_inside(other));
	assert_false(repo_path_is_inside("/"));
}

/* Remotes */

static void assert_url(const struct repo *repo, const char *name, bool for_push, const char *wanted)
{
	auto_free char *url = NULL;

	assert_int_equal(remotes_url(repo, name, for_push, &url, &why), 0);
	if (wanted)
		assert_string_equal(url, wanted);
	else
		assert_null(url);
}

static void test_remotes(void **state)
{
	auto_repo repo = { 0 };
	auto_(remotes_done) struct remotes remotes = { 0 };

	append_text(in, "r/.git/config",
		"[remote \"o.x\"]\n\turl = short:a\n\turl = second\n"
		"[remote \"p\"]\n\turl = short:a\n\tpushurl = short:push\n"
		"[remote \"q\"]\n\turl = other\n\tfetch = x\n"
		"[remote \"none\"]\n\tfetch = x\n"
		"[url \"https://s/\"]\n\tinsteadOf = sh\n"
		"[url \"https://long/\"]\n\tinsteadOf = short:\n"
		"[url \"ssh://push/\"]\n\tpushInsteadOf = short:\n");
	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	assert_int_equal(remotes_read(&repo, &remotes, &why), 0);
	assert_int_equal(remotes.n, 3);
	assert_string_equal(remotes.names[0], "o.x");
	assert_string_equal(remotes.names[2], "q");
	assert_url(&repo, "o.x", false, "https://long/a");
	assert_url(&repo, "o.x", true, "ssh://push/a");
	assert_url(&repo, "p", false, "https://long/a");
	assert_url(&repo, "p", true, "https://long/push");
	assert_url(&repo, "q", false, "other");
	assert_url(&repo, "none", true, NULL);
	assert_url(&repo, "absent", false, NULL);
}

/* The rest */

static void test_read_only_root(void **state)
{
	auto_repo repo = { 0 };
	struct fail fail = { 0 };

	roots_close();
	assert_int_equal(roots_open(in, false, &fail), 0);
	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	assert_true(repo_need_writable(&repo, &why) < 0);
	assert_string_equal(why.code, "read_only");
}

static void test_identity(void **state)
{
	struct git_settings named = { .user_name = "Fleet", .user_email = "fleet@example.org" };
	git_signature *who = NULL;
	auto_repo repo = { 0 };

	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	assert_true(repo_identity(&repo, &who, &why) < 0);
	assert_string_equal(why.code, "no_identity");

	repo.settings = &named;
	assert_int_equal(repo_identity(&repo, &who, &why), 0);
	assert_string_equal(who->name, "Fleet");
	git_signature_free(TAKE(who));

	append_text(in, "r/.git/config", "[user]\n\tname = Own\n");
	assert_int_equal(repo_identity(&repo, &who, &why), 0);
	assert_string_equal(who->name, "Own");
	assert_string_equal(who->email, "fleet@example.org");
	git_signature_free(TAKE(who));
}

static void test_unborn(void **state)
{
	auto_repo repo = { 0 };
	auto_git(git_commit) head = NULL;
	auto_git(git_object) object = NULL;
	auto_free char *branch = NULL;
	bool is_unborn = false;

	write_text(in, "r/.git/HEAD", "ref: refs/heads/topic/one\n");
	assert_int_equal(repo_open(&settings, "r", &repo, &why), 0);
	assert_int_equal(rev_branch(&repo, &branch, &is_unborn, &why), 0);
	assert_string_equal(branch, "topic/one");
	assert_true(is_unborn);
	assert_int_equal(rev_head(&repo, &head, &why), 0);
	assert_null(head);
	assert_true(rev_object(&repo, "HEAD", &object, &why) < 0);
	assert_string_equal(why.code, "bad_revision");
	assert_non_null(strstr(why.text, "no commit yet"));
	assert_true(rev_object(&repo, "--upload-pack=x", &object, &why) < 0);
	assert_string_equal(why.code, "bad_revision");
	assert_true(rev_object(&repo, "", &object, &why) < 0);
	assert_string_equal(why.code, "bad_revision");
}

static void test_environment_is_dropped(void **state)
{
	assert_null(getenv("GIT_DIR"));
	assert_null(getenv("GIT_CONFIG_COUNT"));
	assert_null(getenv("HOME"));
	assert_null(getenv("XDG_CONFIG_HOME"));
	assert_string_equal(getenv("HOMEBREW"), "stays");
}

static int start(void **state)
{
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(setenv("GIT_DIR", "/nowhere", 1), 0);
	assert_int_equal(setenv("GIT_CONFIG_COUNT", "1", 1), 0);
	assert_int_equal(setenv("XDG_CONFIG_HOME", "/nowhere", 1), 0);
	assert_int_equal(setenv("HOMEBREW", "stays", 1), 0);
	return repo_start(&fail);
}

static int stop(void **state)
{
	(void)state;
	repo_stop();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_opens),
		TEST(test_opens_bare),
		TEST(test_default),
		TEST(test_never_above_the_root),
		TEST(test_wrong_paths),
		TEST(test_empty_dot_git_is_passed_over),
		TEST(test_dot_git_file),
		TEST(test_dot_git_link),
		TEST(test_linked_parts),
		TEST(test_links_to_files),
		TEST(test_commondir),
		TEST(test_special_files),
		TEST(test_alternates),
		TEST(test_worktree_elsewhere),
		TEST(test_owner),
		TEST(test_includes),
		cmocka_unit_test(test_has_include),
		TEST(test_broken_config_is_not_quoted),
		TEST(test_formats),
		TEST(test_shallow),
		TEST(test_index),
		TEST(test_relative),
		TEST(test_parents),
		cmocka_unit_test(test_git_paths),
		TEST(test_inside),
		TEST(test_remotes),
		TEST(test_read_only_root),
		TEST(test_identity),
		TEST(test_unborn),
		cmocka_unit_test(test_environment_is_dropped),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
