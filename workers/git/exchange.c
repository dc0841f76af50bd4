/* See exchange.h.
 *
 * The remote is made from the judged URL with libgit2's own rewriting switched off, so what was judged
 * is what is used. It has no name there: all that depends on the name is done here. */
#include "workers/git/exchange.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/git/out.h"

enum { MAX_FILE = MIB };

DEFINE_FREEP(git_config_iterator, git_config_iterator_free)

/* Configuration */

void remote_config_done(struct remote_config *config)
{
	free(config->url);
	free(config->push_url);
	names_done(&config->fetch);
	*config = (struct remote_config){ 0 };
}

/* What follows "<section>.<middle>." in the name of a setting; NULL: another section. */
static const char *key_below(const char *name, const char *section, const char *middle)
{
	size_t section_len = strlen(section);
	size_t len = strlen(middle);

	if (strncmp(name, section, section_len) != 0 || name[section_len] != '.' ||
		strncmp(name + section_len + 1, middle, len) != 0 ||
		name[section_len + 1 + len] != '.')
		return NULL;

	return name + section_len + len + 2;
}

static void read_entry(const git_config_entry *entry, const char *name, struct remote_config *ret)
{
	const char *key = key_below(entry->name, "remote", name);
	const char *value = entry->value ? entry->value : "";

	if (!key)
		return;
	if (streq(key, "url") && !ret->url)
		ret->url = alloc_str(value);
	else if (streq(key, "pushurl") && !ret->push_url)
		ret->push_url = alloc_str(value);
	else if (streq(key, "fetch"))
		names_add(&ret->fetch, value);
	else if (streq(key, "tagopt") && streq(value, "--tags"))
		ret->tags = GIT_REMOTE_DOWNLOAD_TAGS_ALL;
	else if (streq(key, "tagopt") && streq(value, "--no-tags"))
		ret->tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
}

/* The URL with the longest prefix replaced that url.<base>.<key> names; NULL: none matches. */
static char *rewrite(git_config *config, const char *url, const char *key)
{
	auto_(git_config_iterator_freep) git_config_iterator *iterator = NULL;
	git_config_entry *entry = NULL;
	auto_free char *base = NULL;
	size_t longest = 0;

	if (git_config_iterator_new(&iterator, config) < 0)
		return NULL;

	while (git_config_next(&entry, iterator) == 0) {
		const char *dot = strrchr(entry->name, '.');
		size_t len = entry->value ? strlen(entry->value) : 0;

		if (strncmp(entry->name, "url.", 4) != 0 || dot < entry->name + 4 ||
			!streq(dot + 1, key) || len <= longest ||
			strncmp(url, entry->value, len) != 0)
			continue;
		free(base);
		base = alloc_mem(entry->name + 4, (size_t)(dot - entry->name - 4));
		longest = len;
	}

	return base ? alloc_printf("%s%s", base, url + longest) : NULL;
}

static void rewrite_urls(git_config *config, struct remote_config *ret)
{
	auto_free char *url = rewrite(config, ret->url, "insteadof");
	auto_free char *push_url = NULL;

	if (ret->push_url)
		push_url = rewrite(config, ret->push_url, "insteadof");
	else
		push_url = rewrite(config, ret->url, "pushinsteadof");

	if (push_url || !ret->push_url) {
		free(ret->push_url);
		ret->push_url = push_url ? TAKE(push_url) : alloc_str(url ? url : ret->url);
	}
	if (url) {
		free(ret->url);
		ret->url = TAKE(url);
	}
}

int remote_config_read(
	const struct repo *repo, const char *name, struct remote_config *ret, struct refusal *why)
{
	auto_(git_config_iterator_freep) git_config_iterator *iterator = NULL;
	auto_git(git_config) config = NULL;
	git_config_entry *entry = NULL;
	char quoted[QUOTE_SIZE];
	int is_valid = 0;
	int rc = git_repository_config_snapshot(&config, repo->git);

	if (rc == 0)
		rc = git_config_iterator_new(&iterator, config);
	if (rc < 0)
		return refuse_git(why, rc, "cannot read the configuration");

	ret->tags = GIT_REMOTE_DOWNLOAD_TAGS_AUTO;
	if (git_remote_name_is_valid(&is_valid, name) == 0 && is_valid)
		while ((rc = git_config_next(&entry, iterator)) == 0)
			read_entry(entry, name, ret);
	if (rc < 0 && rc != GIT_ITEROVER)
		return refuse_git(why, rc, "cannot read the configuration");
	if (!ret->url)
		return refuse(why, "not_found",
			"there is no remote %s. git_remote_list shows what there is.",
			quote(quoted, name));

	rewrite_urls(config, ret);
	return 0;
}

/* Opening */

/* A file remote is checked like any repository that a call names, and then used by its real path. */
static int find_file(struct exchange *x, const char *base)
{
	const char *path = x->target.path;
	auto_free char *full = NULL;
	auto_repo repo = { 0 };
	struct refusal why = { 0 };
	char quoted[QUOTE_SIZE];

	if (*path != '/' && base)
		full = alloc_printf("%s/%s", base, path);
	if (repo_open(x->settings, full ? full : path, &repo, &why) < 0)
		return refuse(&x->why, "remote_refused", "the remote %s: %s (%s)",
			quote(quoted, path), why.text, why.code);

	free(x->target.path);
	x->target.path = alloc_str(repo.dir);
	free(x->target.url);
	x->target.url = target_file_url(repo.dir);
	return 0;
}

/* Text of a file of the service; "" when it cannot be read. Yours to free. */
static char *read_text(const char *path)
{
	auto_strbuf text = { 0 };

	return fd_read_file(path, MAX_FILE, &text) < 0 ? alloc_str("") : strbuf_take(&text);
}

/* The service's own home, whatever HOME says. Valid until the next call. */
static const char *find_home(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user && user->pw_dir ? user->pw_dir : "/nonexistent";
}

char *exchange_ssh_dir(void)
{
	return alloc_printf("%s/.ssh", find_home());
}

/* A file in there. Yours to free. */
static char *ssh_file(const char *name)
{
	return alloc_printf("%s/.ssh/%s", find_home(), name);
}

static bool is_known_host(const struct target *target, const void *key, size_t len)
{
	auto_free char *path = ssh_file("known_hosts");
	auto_free char *own = read_text(path);
	auto_free char *system = read_text("/etc/ssh/ssh_known_hosts");
	auto_free char *both = alloc_printf("%s\n%s", own, system);

	return known_hosts_has(both, target, key, len);
}

int exchange_open(struct exchange *x, struct call *call, const char *url, const char *base)
{
	x->call = call;
	x->settings = call_settings(call);
	if (target_parse(x->settings, url, &x->target, &x->why) < 0)
		return -1;
	if (x->target.kind == TARGET_FILE && find_file(x, base) < 0)
		return -1;
	if (x->target.kind == TARGET_SSH && !is_known_host(&x->target, NULL, 0))
		return refuse(&x->why, "remote_refused",
			"the SSH host %s is not in known_hosts of this server. Its operator adds it there.",
			x->target.host);

	x->shown =
		x->target.kind == TARGET_FILE ? alloc_str(x->target.path) : out_url(x->target.url);
	return 0;
}

void exchange_close(struct exchange *x)
{
	git_remote_free(x->remote);
	stream_unwatch();
	target_done(&x->target);
	free(x->shown);
	free(x->rejected);
	for (size_t i = 0; i < x->n_updates; i++)
		free(x->updates[i].ref);
	free(x->updates);
	*x = (struct exchange){ 0 };
}

/* Credentials */

static int refuse_credentials(struct exchange *x, const char *reason)
{
	(void)refuse(&x->why, "auth_failed", "%s: %s", x->shown, reason);
	return GIT_EAUTH;
}

/* Only a file that nobody else can read is taken. */
static int read_credentials(struct exchange *x, struct strbuf *text)
{
	const char *path = x->settings->credentials_file;
	auto_close int fd = -1;
	struct stat st;

	if (!path || !*path)
		return refuse_credentials(
			x, "it wants credentials, and this server has no credentials_file");

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse_credentials(x, "the server's credentials_file cannot be read");
	if ((st.st_mode & 077) != 0 || (st.st_uid != geteuid() && st.st_uid != 0))
		return refuse_credentials(x,
			"the server's credentials_file is open to others (it must have mode 0600)");

	for (;;) {
		char part[4096];
		ssize_t n = read(fd, part, sizeof(part));

		if (n > 0)
			strbuf_add(text, part, (size_t)n);
		explicit_bzero(part, sizeof(part));
		if (n == 0)
			return 0;
		if (n < 0 || text->len > MAX_FILE)
			return refuse_credentials(
				x, "the server's credentials_file cannot be read");
	}
}

static int give_password(struct exchange *x, git_credential **ret)
{
	auto_strbuf text = { 0 };
	auto_credentials found = { 0 };
	int r;

	if (x->n_asked++ > 0)
		return refuse_credentials(x, "it does not accept the credentials of this server");
	r = read_credentials(x, &text);
	if (r < 0)
		return r;

	if (!credentials_find(strbuf_get(&text), &x->target, &found))
		r = refuse_credentials(x,
			"it wants credentials (or does not exist), and this server's credentials_file "
			"has none for it");
	else
		r = git_credential_userpass_plaintext_new(ret, found.user, found.password);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

/* One after the other, as often as we are asked: the agent, then the key files of the service. */
static int give_key(struct exchange *x, git_credential **ret)
{
	static const char *const names[] = { "id_ed25519", "id_ecdsa", "id_rsa" };
	const char *user = x->target.user;

	if (x->n_asked++ == 0 && getenv("SSH_AUTH_SOCK"))
		return git_credential_ssh_key_from_agent(ret, user);

	while (x->next_key < N_ELEMENTS(names)) {
		auto_free char *path = ssh_file(names[x->next_key++]);

		if (access(path, R_OK) == 0)
			return git_credential_ssh_key_new(ret, user, NULL, path, NULL);
	}

	return refuse_credentials(x, "it accepts no SSH key of this server");
}

static int on_credentials(git_credential **ret, const char *url, const char *user_of_url,
	unsigned allowed, void *data)
{
	struct exchange *x = data;

	if (call_stopped(x->call))
		return GIT_EUSER;
	if (x->target.kind == TARGET_HTTPS && (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
		return give_password(x, ret);
	if (x->target.kind == TARGET_SSH && (allowed & GIT_CREDENTIAL_USERNAME))
		return git_credential_username_new(ret, x->target.user);
	if (x->target.kind == TARGET_SSH && (allowed & GIT_CREDENTIAL_SSH_KEY))
		return give_key(x, ret);

	return refuse_credentials(
		x, "it wants credentials of a kind that this server does not have");
}

static int on_certificate(git_cert *cert, int is_valid, const char *host, void *data)
{
	struct exchange *x = data;
	const git_cert_hostkey *key = (const git_cert_hostkey *)(const void *)cert;

	if (cert->cert_type != GIT_CERT_HOSTKEY_LIBSSH2) {
		if (is_valid)
			return 0;
		(void)refuse(&x->why, "tls_failed",
			"the certificate of %s is not valid. "
			"Its operator has to mend it, or the operator of this server to trust its authority.",
			host);
		return GIT_ECERTIFICATE;
	}
	if (x->target.kind == TARGET_SSH && (key->type & GIT_CERT_SSH_RAW) &&
		is_known_host(&x->target, key->hostkey, key->hostkey_len))
		return 0;

	(void)refuse(&x->why, "remote_refused",
		"the key of the SSH host %s is not the one in known_hosts of this server. "
		"Ask the operator of this server whether the host has a new key.",
		x->target.host);
	return GIT_ECERTIFICATE;
}

/* Progress */

static int go_on(struct exchange *x)
{
	return call_stopped(x->call) ? GIT_EUSER : 0;
}

static int on_received(const git_indexer_progress *stats, void *data)
{
	struct exchange *x = data;

	(void)snprintf(x->how_far, sizeof(x->how_far), "received %u of %u objects",
		stats->received_objects, stats->total_objects);
	call_progress(x->call, stats->received_objects, stats->total_objects, x->how_far);
	return go_on(x);
}

static int on_words(const char *text, int len, void *data)
{
	return go_on(data);
}

static int on_packing(int stage, uint32_t current, uint32_t total, void *data)
{
	return go_on(data);
}

static int on_sent(unsigned current, unsigned total, size_t bytes, void *data)
{
	struct exchange *x = data;

	(void)snprintf(x->how_far, sizeof(x->how_far), "sent %u of %u objects", current, total);
	call_progress(x->call, current, total, x->how_far);
	return go_on(x);
}

static int on_update(const char *ref, const git_oid *old, const git_oid *new, void *data)
{
	struct exchange *x = data;

	x->updates = alloc_resize(x->updates, x->n_updates + 1, sizeof(*x->updates));
	x->updates[x->n_updates++] =
		(struct ref_update){ .ref = alloc_str(ref), .old = *old, .new = *new };
	return go_on(x);
}

static int on_pushed(const char *ref, const char *problem, void *data)
{
	struct exchange *x = data;

	if (problem && !x->rejected) {
		auto_strbuf words = { 0 };

		quote_add(&words, ref, strlen(ref));
		strbuf_adds(&words, ": ");
		quote_add(&words, problem, strlen(problem));
		x->rejected = strbuf_take(&words);
	}
	return 0;
}

static void set_callbacks(struct exchange *x, git_remote_callbacks *ret)
{
	ret->credentials = on_credentials;
	ret->certificate_check = on_certificate;
	ret->transfer_progress = on_received;
	ret->sideband_progress = on_words;
	ret->pack_progress = on_packing;
	ret->push_transfer_progress = on_sent;
	ret->update_tips = on_update;
	ret->push_update_reference = on_pushed;
	ret->payload = x;
}

/* Exchanging */

/* Answers of an HTTP server for which libgit2 has no return value of their own, only words. */
static const char *code_of_words(void)
{
	static const struct {
		const char *words;
		const char *code;
	} codes[] = {
		{ "cannot redirect", "remote_refused" },
		{ "status code: 404", "not_found" },
		{ "status code", "http_status" },
	};
	const git_error *last = git_error_last();

	for (size_t i = 0; last && last->message && i < N_ELEMENTS(codes); i++)
		if (last->klass != GIT_ERROR_OS && strstr(last->message, codes[i].words))
			return codes[i].code;

	return NULL;
}

int exchange_failed(struct exchange *x, int rc, const char *what)
{
	const char *code;

	if (x->why.code)
		return -1;
	if (call_stopped(x->call))
		return refuse_stopped(&x->why, *x->how_far ? x->how_far : "nothing was received");
	if (rc == GIT_EBAREREPO)
		return refuse(&x->why, "remote_refused",
			"%s: it has a working tree, and this server pushes only to bare repositories. "
			"Pull from there instead.",
			x->shown);

	code = x->target.kind == TARGET_HTTPS ? code_of_words() : NULL;
	(void)refuse_git(&x->why, rc, "%s %s", what, x->shown);
	if (code)
		x->why.code = code;
	return -1;
}

static int check_writable(struct exchange *x)
{
	auto_repo repo = { 0 };

	if (repo_open(x->settings, x->target.path, &repo, &x->why) < 0)
		return -1;

	return repo_need_writable(&repo, &x->why);
}

static int make_remote(struct exchange *x, const struct repo *repo)
{
	git_remote_create_options options;
	int rc = git_remote_create_options_init(&options, GIT_REMOTE_CREATE_OPTIONS_VERSION);

	if (rc < 0)
		return exchange_failed(x, rc, "cannot use");
	options.repository = repo->git;
	options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
	rc = git_remote_create_with_opts(&x->remote, x->target.url, &options);

	return rc < 0 ? exchange_failed(x, rc, "cannot use") : 0;
}

/* libgit2's SSH transport does not connect without HOME, which repo_start() drops: it looks there for
 * known_hosts, to ask the host for a key of a kind that is known. The key itself is judged by
 * on_certificate(). */
static int connect_ssh(
	struct exchange *x, git_direction direction, const git_remote_connect_options *options)
{
	int rc;

	if (setenv("HOME", find_home(), 1) < 0)
		return -1;
	rc = git_remote_connect_ext(x->remote, direction, options);
	(void)unsetenv("HOME");
	return rc;
}

int exchange_connect(struct exchange *x, const struct repo *repo, git_direction direction)
{
	git_remote_connect_options options;
	int rc;

	if (x->target.kind == TARGET_FILE && direction == GIT_DIRECTION_PUSH &&
		check_writable(x) < 0)
		return -1;
	if (!x->remote && make_remote(x, repo) < 0)
		return -1;

	x->watch = (struct stream_watch){
		.call = x->call,
		.why = &x->why,
		.public_only = x->target.kind == TARGET_HTTPS,
		.needs_alarm = x->target.kind == TARGET_SSH,
	};
	x->n_asked = 0;
	x->next_key = 0;
	rc = git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	if (rc == 0)
		rc = stream_watch(&x->watch);
	if (rc == 0) {
		set_callbacks(x, &options.callbacks);
		options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
		rc = x->target.kind == TARGET_SSH
			     ? connect_ssh(x, direction, &options)
			     : git_remote_connect_ext(x->remote, direction, &options);
	}

	return rc < 0 ? exchange_failed(x, rc, "cannot connect to") : 0;
}

bool exchange_find(struct exchange *x, const char *ref, git_oid *ret)
{
	const git_remote_head **heads = NULL;
	size_t n = 0;

	if (git_remote_ls(&heads, &n, x->remote) < 0) {
		git_error_clear();
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (streq(heads[i]->name, ref)) {
			*ret = heads[i]->oid;
			return true;
		}

	return false;
}

int exchange_fetch(struct exchange *x, const struct fetch_how *how)
{
	git_strarray specs = { how->specs->items, how->specs->n };
	git_fetch_options options;
	int rc = git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);

	if (rc == 0) {
		set_callbacks(x, &options.callbacks);
		options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
		options.prune = how->prune ? GIT_FETCH_PRUNE : GIT_FETCH_NO_PRUNE;
		options.download_tags = how->tags;
		rc = git_remote_fetch(x->remote, &specs, &options, how->reflog);
	}

	return rc < 0 ? exchange_failed(x, rc, "cannot fetch from") : 0;
}

int exchange_push(struct exchange *x, const struct names *specs)
{
	git_strarray list = { specs->items, specs->n };
	git_push_options options;
	int rc = git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);

	if (rc == 0) {
		set_callbacks(x, &options.callbacks);
		options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
		rc = git_remote_upload(x->remote, &list, &options);
	}
	if (rc < 0)
		return exchange_failed(x, rc, "cannot push to");
	if (x->rejected)
		return refuse(&x->why, "remote_refused", "%s rejected %s", x->shown, x->rejected);

	return 0;
}

void exchange_sign_reflogs(const struct repo *repo)
{
	auto_git(git_signature) who = NULL;
	struct refusal ignored = { 0 };

	if (repo_identity(repo, &who, &ignored) >= 0)
		(void)git_repository_set_ident(repo->git, who->name, who->email);
}
