/* What a domain's settings become: the plan for mcp-fleet-exec, the limits of its cgroup, and the words
 * about what a system lacks. */
#include "supervisor/fleet/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/landlock.h"
#include "shared/limits.h"

static char readable[] = "/usr";
static char writable[] = "/tmp";
static char https[] = "https";
static char ssh[] = "ssh";
static char empty[] = "";
static char port[] = "8080";
static char folder[] = "/opt";
static char name[] = "x";

static const struct confine_support full = { .landlock_abi = LANDLOCK_ABI_OTHERS,
	.seccomp = true,
	.has_cgroup = true,
	.controllers = CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU,
	.finds_orphans = true };
static const struct confine_support nothing = { .cgroup_missing = "none is delegated" };

static json_t *plan_of(const struct conf_domain *domain, const struct confine_support *support)
{
	auto_free char *text = confine_make_plan(domain, support);
	json_t *plan = json_loads(text, 0, NULL);

	assert_non_null(plan);
	return plan;
}

static void assert_list(json_t *plan, const char *key, const char *expected)
{
	auto_free char *text = json_dumps(json_object_get(plan, key), JSON_COMPACT);

	assert_string_equal(text, expected);
}

static void assert_number(json_t *plan, const char *key, int64_t expected)
{
	assert_int_equal(json_integer_value(json_object_get(plan, key)), expected);
}

static void test_utils(void **unused)
{
	const struct conf_domain domain = { .name = name, .native = "utils" };
	json_auto_t *plan = plan_of(&domain, &full);

	assert_string_equal(json_string_value(json_object_get(plan, "profile")), "utils");
	assert_string_equal(json_string_value(json_object_get(plan, "directory")), "/");
	assert_list(plan, "read", "[]");
	assert_list(plan, "write", "[]");
	assert_list(plan, "programs", "[]");
	assert_list(plan, "connect", "[]");
	assert_number(plan, "memory", GIB);
	assert_number(plan, "files", 1024);
	assert_number(plan, "processes", 0);
}

static void test_network(void **unused)
{
	const struct conf_domain domain = { .name = name, .native = "network" };
	json_auto_t *plan = plan_of(&domain, &full);

	assert_list(plan, "connect", "[\"any\"]");
	assert_list(plan, "read", "[]");
	assert_list(plan, "programs", "[]");
}

/* The port of the url and that of name servers; its two files where they are there. */
static void test_remote(void **unused)
{
	struct conf_domain domain = { .name = name,
		.url = (char[]){ "https://h.example/mcp" },
		.headers_file = (char[]){ "/etc/passwd" },
		.ca_file = (char[]){ "/nonexistent" } };
	json_auto_t *plan = plan_of(&domain, &full);
	struct cgroup_limits limits;

	assert_string_equal(json_string_value(json_object_get(plan, "profile")), "remote");
	assert_string_equal(json_string_value(json_object_get(plan, "directory")), "/");
	assert_list(plan, "connect", "[\"443\",\"53\"]");
	assert_list(plan, "read", "[\"/etc/passwd\"]");
	assert_list(plan, "write", "[]");
	assert_list(plan, "programs", "[]");
	assert_number(plan, "memory", GIB);
	assert_number(plan, "files", 1024);
	confine_get_limits(&domain, &limits);
	assert_int_equal(limits.processes, 256);
	domain.sandbox.profile = CONF_PROFILE_NONE;
	assert_string_equal(confine_profile(&domain), "none");
}

static void test_git(void **unused)
{
	struct conf_root roots[] = { { .path = readable }, { .path = writable, .writable = true } };
	char *protocols[] = { https };
	struct conf_domain domain = { .name = name,
		.native = "git",
		.roots = { .items = roots, .n = 2 },
		.git = { .allowed_protocols = { .items = protocols, .n = 1 },
			.credentials_file = empty } };
	json_auto_t *plan = plan_of(&domain, &full);

	assert_list(plan, "read", "[\"/usr\"]");
	assert_list(plan, "write", "[\"/tmp\"]");
	assert_list(plan, "connect", "[\"443\"]");
	assert_list(plan, "programs", "[]");
	protocols[0] = ssh;
	json_auto_t *by_ssh = plan_of(&domain, &full);
	assert_list(by_ssh, "connect", "[\"22\"]");
	domain.git.allowed_protocols.n = 0;
	json_auto_t *local = plan_of(&domain, &full);
	assert_list(local, "connect", "[]");
}

static void write_program(const char *dir, const char *file, const char *text)
{
	auto_free char *path = alloc_printf("%s/%s", dir, file);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void remove_program(const char *dir, const char *file)
{
	auto_free char *path = alloc_printf("%s/%s", dir, file);

	assert_int_equal(unlink(path), 0);
}

/* The linters that are there, and what runs them; nothing else of their folder. */
static void test_filesystem(void **unused)
{
	char dir[] = "/tmp/test_confine.XXXXXX";
	char *folders[] = { dir, (char[]){ "/nonexistent" } };
	struct conf_domain domain = { .name = name,
		.native = "filesystem",
		.filesystem = {
			.code_tools = true, .code_tools_path = { .items = folders, .n = 2 } } };
	auto_free char *shell = realpath("/bin/sh", NULL);
	auto_free char *expected = NULL;
	json_auto_t *none = NULL;
	json_auto_t *plan = NULL;
	json_auto_t *without = NULL;

	assert_non_null(mkdtemp(dir));
	write_program(dir, "other", "#!/bin/sh\n");
	none = plan_of(&domain, &full);
	assert_list(none, "programs", "[]");
	write_program(dir, "ruff", "\177ELF");
	write_program(dir, "black", "#! /bin/sh -e\n");
	plan = plan_of(&domain, &full);
	expected = alloc_printf("[\"%s/ruff\",\"%s/black\",\"%s\"]", dir, dir, shell);
	assert_list(plan, "programs", expected);
	assert_list(plan, "connect", "[]");
	domain.filesystem.code_tools = false;
	without = plan_of(&domain, &full);
	assert_list(without, "programs", "[]");
	remove_program(dir, "other");
	remove_program(dir, "ruff");
	remove_program(dir, "black");
	assert_int_equal(rmdir(dir), 0);
}

static void test_working_directory(void **unused)
{
	const struct conf_domain domain = { .name = name, .cwd = folder };
	json_auto_t *plan = plan_of(&domain, &full);

	assert_string_equal(json_string_value(json_object_get(plan, "directory")), folder);
}

static void test_command(void **unused)
{
	char *ports[] = { port };
	char *paths[] = { folder };
	const struct conf_domain domain = { .name = name,
		.sandbox = { .profile = CONF_PROFILE_NODE,
			.read = { .items = paths, .n = 1 },
			.connect = { .items = ports, .n = 1 },
			.memory = 512 * MIB,
			.processes = 64,
			.cpu = 2 } };
	json_auto_t *plan = plan_of(&domain, &full);
	json_auto_t *without_cgroup = plan_of(&domain, &nothing);
	struct cgroup_limits limits;

	assert_string_equal(json_string_value(json_object_get(plan, "profile")), "node");
	assert_null(json_object_get(plan, "directory"));
	assert_list(plan, "read", "[\"/opt\"]");
	assert_list(plan, "connect", "[\"8080\"]");
	assert_number(plan, "memory", 512 * MIB);
	assert_number(plan, "files", 0);
	/* Counted by the cgroup, or else by the user. */
	assert_number(plan, "processes", 0);
	assert_number(without_cgroup, "processes", 64);
	confine_get_limits(&domain, &limits);
	assert_int_equal(limits.memory, 512 * MIB);
	assert_int_equal(limits.processes, 64);
	assert_int_equal(limits.cpu, 2);
}

/* What may be written may be replaced by a symlink, and would be followed at the next start. */
static void test_below_writable(void **unused)
{
	char *reads[] = { (char[]){ "/data/venv" }, (char[]){ "/database" }, (char[]){ "/data" } };
	char *writes[] = { (char[]){ "/data/" }, (char[]){ "/data/a/b" } };
	const struct conf_domain domain = { .name = name,
		.sandbox = { .profile = CONF_PROFILE_PYTHON,
			.read = { .items = reads, .n = 3 },
			.write = { .items = writes, .n = 2 } } };
	json_auto_t *plan = plan_of(&domain, &full);

	assert_list(plan, "read", "[\"/database\",\"/data\"]");
	assert_list(plan, "write", "[\"/data/\"]");
}

/* A native worker is bounded without being told; who switches its profile off bounds it himself. */
static void test_limits_of_native(void **unused)
{
	struct conf_domain domain = { .name = name, .native = "utils" };
	struct cgroup_limits limits;

	confine_get_limits(&domain, &limits);
	assert_int_equal(limits.memory, GIB);
	assert_true(limits.processes > 0);
	assert_int_equal(limits.cpu, 0);
	domain.sandbox.profile = CONF_PROFILE_NONE;
	confine_get_limits(&domain, &limits);
	assert_int_equal(limits.memory, 0);
	assert_int_equal(limits.processes, 0);
	assert_string_equal(confine_profile(&domain), "none");
}

static void assert_missing(const struct conf_domain *domain, const struct confine_support *support,
	const char *const *words)
{
	auto_strbuf out = { 0 };

	confine_add_missing(domain, support, &out);
	if (!*words)
		assert_string_equal(strbuf_get(&out), "");
	for (; *words; words++)
		if (!strstr(strbuf_get(&out), *words))
			fail_msg("'%s' is not in: %s", *words, strbuf_get(&out));
}

static void test_missing(void **unused)
{
	static const char *const none[] = { NULL };
	static const char *const all[] = { "files", "TCP", "signals", "system calls", "cpu",
		"process group", NULL };
	static const char *const ports[] = { "TCP", "signals", NULL };
	static const char *const group[] = { "process group", NULL };
	const struct conf_domain confined = {
		.name = name, .native = "utils", .sandbox = { .cpu = 1 }
	};
	const struct conf_domain free_one = { .name = name };
	const struct confine_support old = { .landlock_abi = LANDLOCK_ABI_TRUNCATE,
		.seccomp = true,
		.has_cgroup = true,
		.controllers = CGROUP_CPU };
	struct confine_support without_proc = full;

	assert_missing(&confined, &full, none);
	assert_missing(&confined, &nothing, all);
	assert_missing(&confined, &old, ports);
	without_proc.has_cgroup = without_proc.finds_orphans = false;
	assert_missing(&free_one, &without_proc, group);
	without_proc.finds_orphans = true;
	assert_missing(&free_one, &without_proc, none);
}

static void test_description(void **unused)
{
	auto_strbuf all = { 0 };
	auto_strbuf none = { 0 };

	confine_describe(&full, &all);
	assert_string_equal(strbuf_get(&all), "Landlock ABI 6, seccomp, a cgroup for each worker "
					      "(bounds: memory processes cpu)");
	confine_describe(&nothing, &none);
	assert_string_equal(
		strbuf_get(&none), "no Landlock, no seccomp, no cgroups: none is delegated");
}

static int check(struct conf_domain *domain, bool of_fleet, const struct confine_support *support)
{
	const struct conf conf = {
		.domains = domain, .n_domains = 1, .sandbox_required = of_fleet
	};
	struct fail fail = { 0 };
	int r = confine_check_required(&conf, support, &fail);

	if (r < 0)
		assert_non_null(strstr(fail.text, "domains.x: sandbox.required"));
	return r;
}

static void test_required(void **unused)
{
	struct conf_domain domain = { .name = name, .native = "utils" };

	assert_int_equal(check(&domain, false, &nothing), 0);
	assert_int_equal(check(&domain, true, &nothing), -ENOTSUP);
	assert_int_equal(check(&domain, true, &full), 0);
	domain.sandbox.required = true;
	assert_int_equal(check(&domain, false, &nothing), -ENOTSUP);
	assert_int_equal(check(&domain, false, &full), 0);
}

static void test_required_without_a_profile(void **unused)
{
	struct conf_domain domain = { .name = name };

	assert_int_equal(check(&domain, true, &full), -ENOTSUP);
	domain.sandbox.profile = CONF_PROFILE_NONE; /* said on purpose */
	assert_int_equal(check(&domain, true, &full), 0);
	domain.sandbox.required = true;
	assert_int_equal(check(&domain, false, &full), -ENOTSUP);
	domain.sandbox.profile = CONF_PROFILE_STRICT;
	assert_int_equal(check(&domain, false, &full), 0);
}

/* It reads where its files lie, so that one may be replaced by another, and nothing else. */
static void test_courier(void **unused)
{
	static const char *const files[] = { "/etc/ssl/openssl.cnf", "", NULL, "/nowhere/x" };
	auto_free char *text = NULL;
	json_auto_t *plan = NULL;
	json_t *read;
	json_t *path;
	size_t i;

	(void)unsetenv("SSL_CERT_FILE"); /* they are added */
	(void)unsetenv("SSL_CERT_DIR");
	text = confine_make_courier_plan(files, N_ELEMENTS(files));
	plan = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	read = json_object_get(plan, "read");
	assert_string_equal(json_string_value(json_object_get(plan, "profile")), "courier");
	assert_int_equal(json_array_size(json_object_get(plan, "write")), 0);
	assert_int_equal(json_array_size(json_object_get(plan, "programs")), 0);
	assert_int_equal(json_array_size(json_object_get(plan, "connect")), 1);
	json_array_foreach(read, i, path)
		assert_int_equal(strncmp(json_string_value(path), "/etc/ssl", 8), 0);
	assert_true(json_array_size(read) <= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utils),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_git),
		cmocka_unit_test(test_filesystem),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_working_directory),
		cmocka_unit_test(test_below_writable),
		cmocka_unit_test(test_limits_of_native),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_required_without_a_profile),
		cmocka_unit_test(test_courier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
