/* See settings.h. */
#include "ctl/settings.h"

#include <errno.h>
#include <limits.h>

#include "ctl/client.h"
#include "ctl/program.h"
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/utf8.h"

enum {
	CHECK_TIMEOUT_MS = 30000,
	ASK_TIMEOUT_MS = 2000, /* the daemon, for its file: without it there is the default */
};

void settings_add_program(struct strbuf *out)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		auto_free char *beside = alloc_printf("%.*s/mcp-fleetd", (int)(slash - self), self);

		if (access(beside, X_OK) == 0) {
			strbuf_adds(out, beside);
			return;
		}
	}
	strbuf_adds(out, SBINDIR "/mcp-fleetd");
}

/* 0: it ran to its end. */
static int ask_program(const char *what, const char *path, const char *root,
	struct program_result *ret, struct fail *fail)
{
	auto_strbuf program = { 0 };
	auto_free char *config = path ? alloc_printf("--config=%s", path) : NULL;
	auto_free char *option = alloc_str(what);
	auto_free char *root_option = root ? alloc_printf("--root=%s", root) : NULL;
	size_t n;
	int r;

	settings_add_program(&program);
	char *argv[5] = { program.data, option };

	n = 2;
	if (config)
		argv[n++] = config;
	if (root_option)
		argv[n++] = root_option;

	r = program_run(argv, CHECK_TIMEOUT_MS, ret);
	if (r == 0 && ret->status < 0)
		r = -ECHILD;
	if (r < 0)
		return fail_set(fail, r,
			"cannot have the settings checked: '%s' %s: is mcp-fleet installed completely?",
			program.data,
			r == -ECHILD ? "was killed" : "cannot be run, or does not end");
	return 0;
}

/* A run of digits at *at, behind which `end` stands; 0: something else. */
static int take_number(const char **at, char end)
{
	int value = 0;

	while (ascii_is_digit(**at) && value < INT_MAX / 10 - 1)
		value = value * 10 + *(*at)++ - '0';
	if (**at != end)
		return 0;
	(*at)++;
	return value;
}

bool settings_split_place(const char *text, struct settings_verdict *ret)
{
	for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
		const char *at = colon + 1;
		int line = take_number(&at, ':');
		int column = line > 0 ? take_number(&at, ':') : 0;

		if (column == 0 || *at != ' ')
			continue;
		ret->file = alloc_mem(text, (size_t)(colon - text));
		ret->line = line;
		ret->column = column;
		return true;
	}
	return false;
}

/* One line, without the name of the program, and UTF-8 whatever files are called. */
static char *take_words(const struct strbuf *said)
{
	static const char name[] = "mcp-fleetd: ";
	const char *text = strbuf_get(said);
	auto_strbuf repaired = { 0 };
	size_t len;

	if (strncmp(text, name, sizeof(name) - 1) == 0)
		text += sizeof(name) - 1;
	len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	utf8_repair(&repaired, text, len);
	return strbuf_take(&repaired);
}

static void judge(const struct program_result *result, struct settings_verdict *ret)
{
	*ret = (struct settings_verdict){ .is_ok = result->status == 0 };
	ret->text = take_words(ret->is_ok ? &result->out : &result->err);
	if (!ret->is_ok)
		(void)settings_split_place(ret->text, ret);
}

int settings_check(
	const char *path, const char *root, struct settings_verdict *ret, struct fail *fail)
{
	auto_(program_result_done) struct program_result result = { 0 };
	int r = ask_program("--check-config", path, root, &result, fail);

	if (r == 0)
		judge(&result, ret);
	return r;
}

void settings_verdict_done(struct settings_verdict *verdict)
{
	free(verdict->text);
	free(verdict->file);
	*verdict = (struct settings_verdict){ 0 };
}

json_t *settings_dump(const char *path, struct fail *fail)
{
	auto_(program_result_done) struct program_result result = { 0 };
	auto_(settings_verdict_done) struct settings_verdict verdict = { 0 };
	json_error_t error;
	json_t *json;

	if (ask_program("--dump-config", path, NULL, &result, fail) < 0)
		return NULL;
	judge(&result, &verdict);
	if (!verdict.is_ok) {
		(void)fail_set(fail, -EINVAL, "%s", verdict.text);
		return NULL;
	}
	json = json_loadb(strbuf_get(&result.out), result.out.len, 0, &error);
	if (!json_is_object(json)) {
		json_decref(json);
		(void)fail_set(
			fail, -EPROTO, "mcp-fleetd --dump-config prints no JSON: %s", error.text);
		return NULL;
	}
	return json;
}

char *settings_resolve(const char *path, pid_t daemon)
{
	auto_free char *link = alloc_printf("/proc/%d/cwd", (int)daemon);
	char folder[PATH_MAX];
	ssize_t n;

	if (!path || *path == '/')
		return alloc_str(path);
	n = readlink(link, folder, sizeof(folder) - 1);
	if (n <= 0 || *folder != '/')
		return alloc_str(path);
	folder[n] = '\0';
	return alloc_printf("%s/%s", folder, path);
}

int settings_find_file(const struct ctl *ctl, char **ret, uid_t *ret_uid, struct fail *fail)
{
	auto_(client_freep) struct client *client = NULL;
	struct ctl quick = *ctl;
	int r;

	if (quick.timeout_ms > ASK_TIMEOUT_MS)
		quick.timeout_ms = ASK_TIMEOUT_MS;
	r = client_open(&quick, &client, fail);
	if (r < 0 && r != -ECONNREFUSED)
		return fail_prefix(fail, "which settings are in use is not known: ");
	*ret = client ? settings_resolve(client_get_settings(client), client_get_daemon(client))
		      : NULL;
	if (*ret && ret_uid)
		*ret_uid = client_get_uid(client);
	return 0;
}
