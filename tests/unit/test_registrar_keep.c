/* The registrar's state file: what is written is read again, and what is damaged is as none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/registrar/keep.h"

static char folder[64];
static char path[128];

static int make_folder(void **unused)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/mcp-fleet-keep-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/registration.json", folder);
	return 0;
}

static int remove_folder(void **unused)
{
	(void)unlink(path);
	return rmdir(folder); /* fails when a draft was left */
}

static void fill(struct keep *keep, struct domains *domains)
{
	struct domain *domain = domains_get(domains, "git");

	*keep = (struct keep){ .instance = "0123456789ab",
		.former = "ba9876543210",
		.host = "fade",
		.salt = "feed",
		.server_id = "abc0" };
	keep->gateway = alloc_str("http://gateway:4444");
	keep->order = json_pack("{s:s, s:[s]}", "gateway", "http://gateway:4444", "domains", "git");
	keep->unregistered = json_pack("[s]", "utils");
	keep->report = json_pack("{s:s}", "any", "thing");
	(void)snprintf(domain->confirmed.id, sizeof(domain->confirmed.id), "abcdef");
	(void)snprintf(domain->confirmed.mark, sizeof(domain->confirmed.mark), "11");
	(void)snprintf(domain->confirmed.key_mark, sizeof(domain->confirmed.key_mark), "22");
	(void)snprintf(domain->confirmed.shown, sizeof(domain->confirmed.shown), "33");
	domain->confirmed.n_tools = 31;
	domain->confirmed.version = 4;
	(void)domains_get(domains, "never registered");
}

static void test_round_trip(void **unused)
{
	struct keep keep;
	struct keep again = { 0 };
	struct domains domains = TAILQ_HEAD_INITIALIZER(domains);
	struct domains domains_again = TAILQ_HEAD_INITIALIZER(domains_again);
	struct fail fail = { 0 };
	struct domain *domain;
	struct stat st;

	fill(&keep, &domains);
	assert_int_equal(keep_save(path, &keep, &domains, &fail), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(keep_load(path, &again, &domains_again, &fail), 0);
	assert_string_equal(again.instance, keep.instance);
	assert_string_equal(again.former, keep.former);
	assert_string_equal(again.host, keep.host);
	assert_string_equal(again.salt, keep.salt);
	assert_string_equal(again.server_id, keep.server_id);
	assert_string_equal(again.gateway, keep.gateway);
	assert_true(json_equal(again.order, keep.order));
	assert_true(json_equal(again.unregistered, keep.unregistered));
	domain = domains_find(&domains_again, "git");
	assert_non_null(domain);
	assert_memory_equal(&domain->confirmed, &domains_find(&domains, "git")->confirmed,
		sizeof(struct confirmed));
	assert_null(domains_find(&domains_again, "never registered"));
	keep_done(&keep);
	keep_done(&again);
	domains_done(&domains);
	domains_done(&domains_again);
}

static const char *const damaged[] = { "", "{", "[]", "5", "{}", "{\"version\":2}",
	"{\"version\":\"1\"}", "{\"version\":1,\"version\":1}", "{\"version\":1,\"instance\":5}",
	"{\"version\":1,\"instance\":\"not hexadecimal\"}",
	"{\"version\":1,\"instance\":\"0123456789012345678901234567890123456789\"}",
	"{\"version\":1,\"server_id\":\"../../x\"}", "{\"version\":1,\"gateway\":[]}",
	"{\"version\":1,\"order\":[]}", "{\"version\":1,\"order\":{\"domains\":[null]}}",
	"{\"version\":1,\"order\":{\"domains\":true}}", "{\"version\":1,\"former\":\"z\"}",
	"{\"version\":1,\"unregistered\":5}", "{\"version\":1,\"unregistered\":[5]}",
	"{\"version\":1,\"unregistered\":false}", "{\"version\":1,\"domains\":[]}",
	"{\"version\":1,\"domains\":{\"a\":5}}",
	"{\"version\":1,\"domains\":{\"a\":{\"id\":\"x/y\"}}}",
	"{\"version\":1,\"domains\":{\"a\":{\"mark\":7}}}" };

static void test_damaged(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(damaged); i++) {
		auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		struct keep keep;
		struct domains domains = TAILQ_HEAD_INITIALIZER(domains);
		struct fail fail = { 0 };

		assert_int_equal(fd_write_all(fd, damaged[i], strlen(damaged[i])), 0);
		fill(&keep, &domains);
		if (keep_load(path, &keep, &domains, &fail) != -EBADMSG)
			fail_msg("taken: %s", damaged[i]);
		assert_string_equal(keep.instance, "0123456789ab"); /* nothing was changed */
		assert_null(domains_find(&domains, "a"));
		assert_non_null(strstr(fail.text, "damaged"));
		keep_done(&keep);
		domains_done(&domains);
	}
}

static void test_no_file(void **unused)
{
	struct keep keep = { 0 };
	struct domains domains = TAILQ_HEAD_INITIALIZER(domains);
	struct fail fail = { 0 };

	assert_int_equal(keep_load(path, &keep, &domains, &fail), -ENOENT);
	assert_int_equal(keep_load(folder, &keep, &domains, &fail), -EISDIR);
	assert_int_equal(keep_save("/nowhere/at/all", &keep, &domains, &fail), -ENOENT);
	assert_non_null(strstr(fail.text, "/nowhere/at/all"));
}

/* A link in the place of the draft is not followed. */
static void test_a_link(void **unused)
{
	struct keep keep = { 0 };
	struct domains domains = TAILQ_HEAD_INITIALIZER(domains);
	struct fail fail = { 0 };
	char draft[160];

	(void)snprintf(draft, sizeof(draft), "%s.new", path);
	assert_int_equal(symlink("/tmp/mcp-fleet-keep-victim", draft), 0);
	assert_int_equal(keep_save(path, &keep, &domains, &fail), -ELOOP);
	assert_int_equal(access("/tmp/mcp-fleet-keep-victim", F_OK), -1);
}

static void test_random(void **unused)
{
	char one[KEEP_ID_SIZE];
	char other[KEEP_ID_SIZE];

	keep_random(one);
	keep_random(other);
	assert_int_equal(strlen(one), KEEP_ID_SIZE - 1);
	assert_string_not_equal(one, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_damaged, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_no_file, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_a_link, make_folder, remove_folder),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
