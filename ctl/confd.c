/* See confd.h. */
#include "ctl/confd.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>

#include "ctl/put.h"
#include "shared/alloc.h"
#include "shared/fd.h"

enum { MAX_FILE = 16 * 1024 * 1024 };

/* No domain can have this name. */
#define BUILT_IN "00-built-in"

/* What stood in the place of a file. */
struct before {
	bool was_there;
	struct strbuf text;
	struct put_owner owner;
};

void confd_done(struct confd_change *change)
{
	for (size_t i = 0; i < change->n; i++) {
		struct confd_file *file = &change->files[i];

		if (file->text && file->is_secret)
			explicit_bzero(file->text, file->len);
		free(file->text);
		free(file->path);
	}
	free(change->files);
	*change = (struct confd_change){ 0 };
}

/* --- what is to be changed --- */

/* Takes `text` over, NULL: removed. */
static void add_file(struct confd_change *change, const char *name, const char *ending,
	struct strbuf *text, bool is_secret)
{
	size_t len = text ? text->len : 0;

	change->files = alloc_resize(change->files, change->n + 1, sizeof(*change->files));
	change->files[change->n++] = (struct confd_file){
		.path = alloc_printf("%s/%s.%s", change->place->dir, name, ending),
		.text = text ? strbuf_take(text) : NULL,
		.len = len,
		.is_secret = is_secret,
	};
}

static void add_removal(struct confd_change *change, const char *name, const char *ending)
{
	add_file(change, name, ending, NULL, false);
}

void confd_add_server(struct confd_change *change, const struct server *server, const char *origin)
{
	auto_strbuf env = { 0 };
	auto_strbuf headers = { 0 };
	auto_strbuf yaml = { 0 };

	/* The secrets first: a file that is named must be there. */
	server_print_env(server, &env);
	server_print_headers(server, &headers);
	server_print(server, change->place->dir, origin, false, &yaml);
	if (env.len)
		add_file(change, server->name, "env", &env, true);
	if (headers.len)
		add_file(change, server->name, "headers", &headers, true);
	add_file(change, server->name, "yaml", &yaml, server->is_private);
}

char *confd_find_file(const struct place *place, const char *name)
{
	static const char *const endings[] = { "yaml", "env", "headers" };
	struct stat st;

	for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
		auto_free char *path = alloc_printf("%s/%s.%s", place->dir, name, endings[i]);

		if (lstat(path, &st) == 0)
			return TAKE(path);
	}
	return NULL;
}

void confd_remove(struct confd_change *change, const char *name)
{
	static const char *const endings[] = { "env", "headers" };
	auto_free char *yaml = alloc_printf("%s/%s.yaml", change->place->dir, name);
	auto_strbuf text = { 0 };

	/* What cannot be read names no files. */
	if (fd_read_file(yaml, MAX_FILE, &text) < 0)
		strbuf_cut(&text, 0);
	add_removal(change, name, "yaml");
	for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
		auto_free char *path =
			alloc_printf("%s/%s.%s", change->place->dir, name, endings[i]);

		if (strstr(strbuf_get(&text), path))
			add_removal(change, name, endings[i]);
	}
}

bool confd_keep_built_in(struct confd_change *change)
{
	auto_strbuf text = { 0 };

	if (change->place->has_domains)
		return false;
	strbuf_adds(&text,
		"# Written by mcp-fleetctl: the domains that are built in. They are served without being\n"
		"# named only as long as no settings name any domain.\n"
		"domains: {filesystem: {}, git: {}, network: {}, utils: {}}\n");
	add_file(change, BUILT_IN, "yaml", &text, false);
	return true;
}

static bool is_file_done(const struct confd_file *file)
{
	auto_strbuf text = { 0 };
	int r = fd_read_file(file->path, MAX_FILE, &text);

	if (!file->text)
		return r == -ENOENT;
	return r == 0 && text.len == file->len &&
	       memcmp(strbuf_get(&text), file->text, file->len) == 0;
}

bool confd_is_done(const struct confd_change *change)
{
	for (size_t i = 0; i < change->n; i++) {
		if (!is_file_done(&change->files[i]))
			return false;
	}
	return true;
}

/* --- writing --- */

/* Root lets the daemon's group read a secret, where the daemon is not root: as the loader wants it. Everything else
 * belongs to whom the folder belongs. */
static struct put_owner secret_owner(const struct place *place, const struct stat *dir)
{
	struct put_owner owner = { .mode = 0600, .uid = dir->st_uid, .gid = dir->st_gid };
	const struct passwd *daemon = place->is_of_daemon ? getpwuid(place->daemon_uid) : NULL;

	if (dir->st_uid != 0 || geteuid() != 0)
		return owner;
	if (daemon && daemon->pw_uid != 0)
		owner.gid = daemon->pw_gid;
	if (owner.gid != 0)
		owner.mode = 0640;
	return owner;
}

static int write_file(const struct place *place, const struct confd_file *file,
	const struct stat *dir, struct fail *fail)
{
	struct put_owner owner = { .mode = 0644, .uid = dir->st_uid, .gid = dir->st_gid };

	if (!file->text)
		return put_away(file->path, fail);
	if (file->is_secret)
		owner = secret_owner(place, dir);
	return put_file(file->path, file->text, file->len, &owner, fail);
}

static int remember(const struct confd_file *file, struct before *ret, struct fail *fail)
{
	struct stat st;
	int r;

	if (lstat(file->path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : fail_set(fail, -errno, "%s: %s", file->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EEXIST, "%s: not a regular file", file->path);
	r = fd_read_file(file->path, MAX_FILE, &ret->text);
	if (r < 0)
		return fail_set(fail, r, "%s: cannot be read: %s", file->path, strerror(-r));
	ret->was_there = true;
	ret->owner =
		(struct put_owner){ .mode = st.st_mode & 0777, .uid = st.st_uid, .gid = st.st_gid };
	return 0;
}

static void take_back(
	const struct confd_change *change, const struct before *before, size_t n, struct fail *fail)
{
	for (size_t i = n; i-- > 0;) {
		const struct before *was = &before[i];
		const char *path = change->files[i].path;
		struct fail why = { 0 };
		int r = was->was_there ? put_file(path, strbuf_get(&was->text), was->text.len,
						 &was->owner, &why)
				       : put_away(path, &why);

		if (r < 0)
			(void)fail_prefix(fail, "%s (it could not be taken back); ", why.text);
	}
}

static int make_dir(const struct place *place, struct stat *ret, struct fail *fail)
{
	auto_free char *above = put_dir_of(place->dir);
	struct stat st;

	if (stat(place->dir, ret) == 0)
		return 0;
	if (errno != ENOENT || stat(above, &st) < 0 || mkdir(place->dir, st.st_mode & 0755) < 0 ||
		stat(place->dir, ret) < 0)
		return fail_set(
			fail, -errno, "%s: cannot be made: %s", place->dir, strerror(errno));
	/* Who is not root keeps it. */
	if (chown(place->dir, st.st_uid, st.st_gid) == 0)
		(void)stat(place->dir, ret);
	return 0;
}

static int apply(const struct confd_change *change, struct before *before, struct fail *fail)
{
	struct stat dir;
	size_t n = 0;
	int r = make_dir(change->place, &dir, fail);

	for (size_t i = 0; r == 0 && i < change->n; i++)
		r = remember(&change->files[i], &before[i], fail);
	for (; r == 0 && n < change->n; n++)
		r = write_file(change->place, &change->files[n], &dir, fail);
	if (r == 0) {
		r = place_check(change->place, fail);
		if (r < 0)
			(void)fail_prefix(fail, "the daemon would not take it: ");
	}
	if (r < 0 && n > 0) {
		(void)fail_prefix(fail, "nothing was changed: ");
		take_back(change, before, n, fail);
	}
	return r;
}

int confd_apply(const struct confd_change *change, struct fail *fail)
{
	struct before *before = alloc_zero((change->n + 1) * sizeof(*before));
	sigset_t held;
	sigset_t old;
	int r;

	/* An impatient ^C must not leave half of it behind. */
	(void)sigemptyset(&held);
	(void)sigaddset(&held, SIGINT);
	(void)sigaddset(&held, SIGTERM);
	(void)sigaddset(&held, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &held, &old);
	r = apply(change, before, fail);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	for (size_t i = 0; i < change->n; i++) {
		if (before[i].text.data)
			explicit_bzero(before[i].text.data, before[i].text.size);
		strbuf_done(&before[i].text);
	}
	free(before);
	return r;
}
