/* See conf_env.h. */
#include "supervisor/conf_env.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/jspan.h"
#include "shared/span.h"
#include "shared/strbuf.h"
#include "shared/utf8.h"

enum { MAX_FILE = 1024 * 1024 };

bool conf_env_is_name(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *name && !(*name >= '0' && *name <= '9') && name[strspn(name, allowed)] == '\0';
}

void conf_env_add(struct conf_envs *envs, const char *name, const char *value)
{
	envs->items = alloc_resize(envs->items, envs->n + 1, sizeof(*envs->items));
	envs->items[envs->n++] =
		(struct conf_env){ .name = alloc_str(name), .value = alloc_str(value) };
}

void conf_env_clear(struct conf_envs *envs)
{
	for (size_t i = 0; i < envs->n; i++) {
		free(envs->items[i].name);
		free(envs->items[i].value);
	}
	free(envs->items);
	*envs = (struct conf_envs){ 0 };
}

/* --- the file --- */

static bool has_name(const struct conf_envs *envs, const char *name)
{
	for (size_t i = 0; i < envs->n; i++) {
		if (streq(envs->items[i].name, name))
			return true;
	}
	return false;
}

/* NULL, or what is wrong with it. */
static const char *take_value(struct span value, struct strbuf *ret)
{
	struct jspan string;

	if (value.len && *value.at == '"') {
		if (jspan_check(value.at, value.len, &string, NULL) < 0 ||
			!jspan_get_str(string, ret))
			return "the value begins with \", but is not a JSON string";
	} else {
		strbuf_add(ret, value.at, value.len);
	}
	if (ret->len > CONF_ENV_MAX_BYTES)
		return "the value has more than 32768 bytes";
	if (memchr(strbuf_get(ret), '\0', ret->len))
		return "a NUL character is not allowed";
	return utf8_valid(strbuf_get(ret), ret->len) ? NULL : "the value is not UTF-8";
}

/* NULL, or what is wrong with it. */
static const char *take_line(struct span line, struct conf_envs *envs)
{
	const char *equals = memchr(line.at, '=', line.len);
	auto_free char *name = NULL;
	auto_strbuf value = { 0 };
	const char *wrong;

	if (!equals)
		return "not of the form NAME=value";
	name = alloc_mem(line.at, (size_t)(equals - line.at));
	if (strlen(name) != (size_t)(equals - line.at) || !conf_env_is_name(name))
		return "no variable's name before the =: letters, digits and _, no digit first";
	if (has_name(envs, name))
		return "this variable is there already, in the file or in env: leave one out";
	if (envs->n >= CONF_ENV_MAX)
		return "more than 256 variables";
	wrong = take_value(
		(struct span){ equals + 1, line.len - (size_t)(equals + 1 - line.at) }, &value);
	if (!wrong)
		conf_env_add(envs, name, strbuf_get(&value));
	if (value.data)
		explicit_bzero(value.data, value.size);
	return wrong;
}

static bool is_passed_over(struct span line)
{
	size_t i = 0;

	while (i < line.len && (line.at[i] == ' ' || line.at[i] == '\t'))
		i++;
	return i == line.len || line.at[i] == '#';
}

int conf_env_parse(
	const char *path, const char *text, size_t len, struct conf_envs *envs, struct fail *fail)
{
	const char *end = text + len;

	for (int line = 1; text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct span words = { text, (size_t)((stop ? stop : end) - text) };
		const char *wrong;

		text = stop ? stop + 1 : end;
		if (words.len && words.at[words.len - 1] == '\r')
			words.len--;
		wrong = is_passed_over(words) ? NULL : take_line(words, envs);
		if (!wrong)
			continue;
		if (fail)
			fail->line = line;
		return fail_set(fail, -EINVAL, "%s:%d: %s", path, line, wrong);
	}
	return 0;
}

int conf_env_read_file(const char *path, struct conf_envs *envs, struct fail *fail)
{
	/* O_NONBLOCK: a FIFO in the place of the file must not hold us up. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_strbuf text = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_set(fail, -errno, "%s: cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL, "%s: not a regular file", path);
	if (!fd_is_private(&st))
		return fail_set(fail, -EPERM,
			"%s: open to others: give it mode 0600, or 0640 and root as its owner",
			path);
	r = fd_read_all(fd, MAX_FILE, &text);
	if (r == -EFBIG)
		r = fail_set(fail, r, "%s: larger than 1 MiB", path);
	else if (r < 0)
		r = fail_set(fail, r, "%s: cannot be read: %s", path, strerror(-r));
	else
		r = conf_env_parse(path, strbuf_get(&text), text.len, envs, fail);
	if (text.data)
		explicit_bzero(text.data, text.size);
	return r;
}
