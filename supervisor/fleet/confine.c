/* See confine.h. */
#include "supervisor/fleet/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/kernel.h"
#include "shared/landlock.h"
#include "shared/limits.h"

enum {
	NATIVE_MEMORY = 1 * GIB,
	NATIVE_FILES = 1024,
	INTERPRETER_BYTES = 256, /* of a script's first line; the kernel takes no more */
	NATIVE_PROCESSES = 256,  /* a linter of the file tools may have many threads */
};

static const char ANY[] = "any";

void confine_probe(const struct launcher *launcher, struct confine_support *ret)
{
	const char *why;
	const struct cgroups *cgroups = launcher_get_cgroups(launcher, &why);

	*ret = (struct confine_support){
		.landlock_abi = landlock_abi(),
		.seccomp = kernel_has_seccomp(),
		.has_cgroup = cgroups != NULL,
		.controllers = cgroups ? cgroups_controllers(cgroups) : 0,
		.cgroup_missing = why,
		.finds_orphans = launcher_finds_orphans(launcher),
	};
}

void confine_describe(const struct confine_support *support, struct strbuf *out)
{
	const unsigned controllers = support->controllers;

	if (support->landlock_abi > 0)
		strbuf_addf(out, "Landlock ABI %d", support->landlock_abi);
	else
		strbuf_adds(out, "no Landlock");
	strbuf_adds(out, support->seccomp ? ", seccomp" : ", no seccomp");
	if (!support->has_cgroup) {
		strbuf_addf(out, ", no cgroups: %s", support->cgroup_missing);
		return;
	}
	strbuf_addf(out, ", a cgroup for each worker (bounds:%s%s%s%s)",
		controllers & CGROUP_MEMORY ? " memory" : "",
		controllers & CGROUP_PIDS ? " processes" : "",
		controllers & CGROUP_CPU ? " cpu" : "", controllers ? "" : " none");
}

const char *confine_profile(const struct conf_domain *domain)
{
	switch (domain->sandbox.profile) {
	case CONF_PROFILE_AUTO:
		if (domain->native)
			return domain->native;
		return conf_domain_is_remote(domain) ? "remote" : "none";
	case CONF_PROFILE_STRICT:
		return "strict";
	case CONF_PROFILE_NODE:
		return "node";
	case CONF_PROFILE_PYTHON:
		return "python";
	case CONF_PROFILE_NONE:
		break;
	}
	return "none";
}

static bool is_confined(const struct conf_domain *domain)
{
	return !streq(confine_profile(domain), "none");
}

/* The program is one of ours: its needs are known. */
static bool is_ours(const struct conf_domain *domain)
{
	return domain->native || conf_domain_is_remote(domain);
}

static bool has(const struct conf_strs *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (streq(list->items[i], text))
			return true;
	return false;
}

static size_t memory_of(const struct conf_domain *domain)
{
	if (domain->sandbox.memory > 0 || !is_ours(domain))
		return domain->sandbox.memory;
	return is_confined(domain) ? (size_t)NATIVE_MEMORY : 0;
}

static unsigned processes_of(const struct conf_domain *domain)
{
	if (domain->sandbox.processes > 0 || !is_ours(domain))
		return domain->sandbox.processes;
	return is_confined(domain) ? (unsigned)NATIVE_PROCESSES : 0;
}

/* --- the plan ----------------------------------------------------------------------------------- */

static void add(json_t *list, const char *text)
{
	(void)json_array_append_new(list, json_string(text));
}

/* Of what is granted without having been asked for, what is there. */
static void add_existing(json_t *list, const char *path)
{
	if (access(path, F_OK) == 0)
		add(list, path);
}

static json_t *list_of(const struct conf_strs *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < texts->n; i++)
		add(list, texts->items[i]);
	return list;
}

static void add_roots(const struct conf_domain *domain, json_t *read, json_t *write)
{
	for (size_t i = 0; i < domain->roots.n; i++)
		add(domain->roots.items[i].writable ? write : read, domain->roots.items[i].path);
}

/* Keys of the service for SSH. */
static void add_ssh(json_t *read)
{
	const struct passwd *user = getpwuid(geteuid());
	auto_free char *path = user ? alloc_printf("%s/.ssh", user->pw_dir) : NULL;

	if (path)
		add_existing(read, path);
}

static void add_git(const struct conf_domain *domain, json_t *read, json_t *connect)
{
	if (has(&domain->git.allowed_protocols, "https")) {
		add(connect, "443");
		if (*domain->git.credentials_file)
			add_existing(read, domain->git.credentials_file);
	}
	if (has(&domain->git.allowed_protocols, "ssh")) {
		add(connect, "22");
		add_ssh(read);
	}
}

/* The one port of the url, since nothing leads to another origin, and TCP for name servers. */
static void add_remote(const struct conf_domain *domain, json_t *read, json_t *connect)
{
	auto_free char *port = alloc_printf("%u", conf_domain_url_port(domain));

	add(connect, port);
	add(connect, "53");
	if (*domain->headers_file)
		add_existing(read, domain->headers_file);
	if (*domain->ca_file)
		add_existing(read, domain->ca_file);
}

/* By the file that it is in the end: rights belong to files. */
static void add_program(const char *path, json_t *programs)
{
	auto_free char *file = realpath(path, NULL);

	if (file && access(file, X_OK) == 0)
		add(programs, file);
}

/* A Python environment (…/bin beside pyvenv.cfg) is read as a whole; its interpreter is a link to that of
 * the system, or to another installation, which is read too then. */
static void add_environment(const char *folder, json_t *read)
{
	auto_free char *marker = alloc_printf("%s/../pyvenv.cfg", folder);
	auto_free char *environment = alloc_printf("%s/..", folder);
	auto_free char *link = alloc_printf("%s/python3", folder);
	auto_free char *python = realpath(link, NULL);

	add_existing(read, folder);
	if (access(marker, F_OK) < 0)
		return;
	add(read, environment);
	for (int i = 0; python && i < 2; i++) /* from …/bin/python3 to … */
		*strrchr(python, '/') = '\0';
	if (python && *python)
		add_existing(read, python);
}

/* What runs a script: the first word behind "#!", and with env(1) the program that it would find. */
static void add_interpreter(const char *script, const struct conf_strs *folders, json_t *programs)
{
	char line[INTERPRETER_BYTES] = "";
	auto_close int fd = open(script, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	char *save = NULL;
	char *word;

	if (n < 2 || memcmp(line, "#!", 2) != 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line + 2, " \t", &save);
	if (!word)
		return;
	add_program(word, programs);
	word = strlen(word) >= 4 && streq(word + strlen(word) - 4, "/env")
		       ? strtok_r(NULL, " \t", &save)
		       : NULL;
	for (size_t i = 0; word && i < folders->n; i++) {
		auto_free char *path = alloc_printf("%s/%s", folders->items[i], word);

		add_program(path, programs);
	}
}

/* The linters that are there, each as the one file that it is, and what runs it: nothing else can be
 * executed. One that is installed later needs a restart of the domain. Keep in step with the names of
 * workers/filesystem/code_check.c: the layers share no code. */
static void add_linters(const struct conf_domain *domain, json_t *read, json_t *programs)
{
	static const char *const names[] = { "ruff", "black", "pylint", "flake8", "mypy" };
	const struct conf_strs *folders = &domain->filesystem.code_tools_path;

	for (size_t i = 0; domain->filesystem.code_tools && i < folders->n; i++) {
		size_t before = json_array_size(programs);

		for (size_t k = 0; k < N_ELEMENTS(names); k++) {
			auto_free char *path = alloc_printf("%s/%s", folders->items[i], names[k]);

			if (access(path, X_OK) < 0)
				continue;
			add_program(path, programs);
			add_interpreter(path, folders, programs);
		}
		if (json_array_size(programs) > before)
			add_environment(folders->items[i], read);
	}
}

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	while (len > 0 && above[len - 1] == '/')
		len--;
	return strncmp(path, above, len) == 0 && path[len] == '/' && path[len + 1];
}

/* Takes out what lies below a directory that may be written: it is granted with that. As a grant of its
 * own it would be opened at each start, when the worker may have put a symlink in its place. */
static void drop_below_writable(json_t *list, json_t *write)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *path = json_string_value(json_array_get(list, i));
		bool below = false;

		for (size_t n = 0; !below && n < json_array_size(write); n++)
			below = is_below(path, json_string_value(json_array_get(write, n)));
		if (below)
			(void)json_array_remove(list, i);
	}
}

char *confine_make_plan(const struct conf_domain *domain, const struct confine_support *support)
{
	const char *native = domain->native ? domain->native : "";
	const struct conf_sandbox *sandbox = &domain->sandbox;
	json_t *read = list_of(&sandbox->read);
	json_t *write = list_of(&sandbox->write);
	json_t *connect = list_of(&sandbox->connect);
	json_t *programs = json_array();
	bool bounded = sandbox->processes > 0 && !(support->controllers & CGROUP_PIDS);
	json_auto_t *plan = NULL;
	char *text;

	add_roots(domain, read, write);
	if (streq(native, "git"))
		add_git(domain, read, connect);
	else if (streq(native, "network"))
		add(connect, ANY);
	else if (streq(native, "filesystem"))
		add_linters(domain, read, programs);
	else if (conf_domain_is_remote(domain))
		add_remote(domain, read, connect);
	drop_below_writable(read, write);
	drop_below_writable(write, write);
	plan = json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "profile",
		confine_profile(domain), "read", read, "write", write, "connect", connect,
		"programs", programs, "memory", (json_int_t)memory_of(domain), "files",
		(json_int_t)(is_ours(domain) ? NATIVE_FILES : 0), "processes",
		(json_int_t)(bounded ? sandbox->processes : 0));
	if (is_confined(domain) &&
		is_ours(domain)) /* whose paths are absolute, wherever we were started */
		(void)json_object_set_new(plan, "directory", json_string("/"));
	else if (!domain->native && domain->cwd && *domain->cwd)
		(void)json_object_set_new(plan, "directory", json_string(domain->cwd));
	text = json_dumps(plan, JSON_COMPACT);
	if (!text)
		abort(); /* out of memory: settings are valid UTF-8 */
	return text;
}

/* Of a process of ours that serves no domain; `read` and `write` are taken over. */
static char *make_aide_plan(const char *profile, json_t *read, json_t *write)
{
	json_t *connect = json_array();
	json_auto_t *plan = NULL;
	char *text;

	add(connect, ANY);
	plan = json_pack("{s:s, s:o, s:o, s:o, s:[], s:I, s:I, s:I, s:s}", "profile", profile,
		"read", read, "write", write, "connect", connect, "programs", "memory",
		(json_int_t)NATIVE_MEMORY, "files", (json_int_t)NATIVE_FILES, "processes",
		(json_int_t)0, "directory", "/");
	text = json_dumps(plan, JSON_COMPACT);
	if (!text)
		abort(); /* out of memory: a path that is no UTF-8 is left out */
	return text;
}

char *confine_make_registrar_plan(const char *state_dir)
{
	json_t *read = json_array();
	json_t *write = json_array();

	add(read, "/"); /* an order may name any file with a token */
	if (state_dir)
		add_existing(write, state_dir);
	return make_aide_plan("registrar", read, write);
}

/* Also what it is in the end: a link may lead out of the folder. */
static void add_with_folder(json_t *list, const char *path)
{
	auto_free char *folder = alloc_str(path);
	char *slash = strrchr(folder, '/');

	add_existing(list, path);
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	add_existing(list, folder);
}

char *confine_make_courier_plan(const char *const *files, size_t n)
{
	const char *const certificates[] = { getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR") };
	json_t *read = json_array();

	for (size_t i = 0; i < n; i++)
		if (files[i] && *files[i])
			add_with_folder(read, files[i]);
	for (size_t i = 0; i < N_ELEMENTS(certificates); i++)
		if (certificates[i] && *certificates[i] == '/')
			add_existing(read, certificates[i]);
	return make_aide_plan("courier", read, json_array());
}

void confine_get_limits(const struct conf_domain *domain, struct cgroup_limits *ret)
{
	*ret = (struct cgroup_limits){
		.memory = memory_of(domain),
		.processes = processes_of(domain),
		.cpu = domain->sandbox.cpu,
	};
}

/* --- what is missing ---------------------------------------------------------------------------- */

static void add_words(struct strbuf *out, const char *words)
{
	strbuf_addf(out, "%s%s", out->len ? "; " : "", words);
}

static void add_missing_kernel(const struct confine_support *support, struct strbuf *out)
{
	if (support->landlock_abi < LANDLOCK_ABI_FILES)
		add_words(out, "files are not confined (Landlock ABI 2, Linux 5.19)");
	else if (support->landlock_abi < LANDLOCK_ABI_TRUNCATE)
		add_words(out, "files may be emptied (Landlock ABI 3, Linux 6.2)");
	if (support->landlock_abi < LANDLOCK_ABI_TCP)
		add_words(out, "TCP ports are not confined (Landlock ABI 4, Linux 6.7)");
	if (support->landlock_abi < LANDLOCK_ABI_OTHERS)
		add_words(out, "signals and abstract sockets are not confined (Landlock ABI 6, "
			       "Linux 6.12)");
	if (!support->seccomp)
		add_words(out, "system calls are not confined (seccomp)");
}

/* Without a cgroup memory is bounded for each process, and processes by what the user has. */
static void add_missing_limits(
	const struct conf_domain *domain, const struct confine_support *support, struct strbuf *out)
{
	const struct conf_sandbox *sandbox = &domain->sandbox;

	if (sandbox->cpu > 0 && !(support->controllers & CGROUP_CPU))
		add_words(out, "cpu has no effect without a cgroup");
	if (sandbox->processes > 0 && !(support->controllers & CGROUP_PIDS) && geteuid() == 0)
		add_words(out, "processes has no effect on root without a cgroup");
	if (!support->has_cgroup && !support->finds_orphans)
		add_words(out, "what leaves the worker's process group may outlive it "
			       "(/proc/PID/task/TID/children, CONFIG_PROC_CHILDREN)");
}

void confine_add_missing(
	const struct conf_domain *domain, const struct confine_support *support, struct strbuf *out)
{
	auto_strbuf words = { 0 };

	if (is_confined(domain))
		add_missing_kernel(support, &words);
	add_missing_limits(domain, support, &words);
	strbuf_adds(out, strbuf_get(&words));
}

static bool is_required(const struct conf *conf, const struct conf_domain *domain)
{
	if (domain->sandbox.required)
		return true;
	return conf->sandbox_required && domain->sandbox.profile != CONF_PROFILE_NONE;
}

int confine_check_required(
	const struct conf *conf, const struct confine_support *support, struct fail *fail)
{
	for (size_t i = 0; i < conf->n_domains; i++) {
		const struct conf_domain *domain = &conf->domains[i];
		auto_strbuf missing = { 0 };

		if (!is_required(conf, domain))
			continue;
		if (!is_confined(domain))
			return fail_set(fail, -ENOTSUP,
				"domains.%s: sandbox.required, but nothing confines it. Give it a "
				"sandbox.profile (strict, node, python), or leave "
				"sandbox.required out",
				domain->name);
		confine_add_missing(domain, support, &missing);
		if (missing.len > 0)
			return fail_set(fail, -ENOTSUP,
				"domains.%s: sandbox.required, but %s. Give the system what is "
				"missing, or leave sandbox.required out",
				domain->name, missing.data);
	}
	return 0;
}
