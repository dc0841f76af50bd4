/* See keep.h. */
#include "workers/registrar/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/jx.h"

enum {
	MAX_DOMAINS = 1000,
	MAX_NAME = 256,
};

void keep_done(struct keep *keep)
{
	free(keep->gateway);
	json_decref(keep->order);
	json_decref(keep->unregistered);
	json_decref(keep->report);
	explicit_bzero(keep->salt, sizeof(keep->salt));
	*keep = (struct keep){ 0 };
}

void keep_random(char ret[KEEP_ID_SIZE])
{
	unsigned char bytes[(KEEP_ID_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdefABCDEF-") == strlen(text);
}

/* Hexadecimal digits of fewer than `size`; absent: "". */
static bool take_hex(json_t *json, const char *name, char *ret, size_t size)
{
	json_t *value = json_object_get(json, name);
	const char *text = json_string_value(value);

	if (!value)
		return true;
	if (!text || strlen(text) >= size || !is_hex(text))
		return false;
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

static bool take_domain(json_t *json, struct confirmed *ret)
{
	json_t *n = json_object_get(json, "n_tools");

	*ret = (struct confirmed){ .n_tools = json_is_integer(n) ? json_integer_value(n) : -1,
		.version = json_integer_value(json_object_get(json, "version")) };
	return take_hex(json, "id", ret->id, sizeof(ret->id)) &&
	       take_hex(json, "mark", ret->mark, sizeof(ret->mark)) &&
	       take_hex(json, "key_mark", ret->key_mark, sizeof(ret->key_mark)) &&
	       take_hex(json, "shown", ret->shown, sizeof(ret->shown));
}

static bool check_domains(json_t *list)
{
	struct confirmed unused;
	const char *name;
	json_t *each;

	if (list && (!json_is_object(list) || json_object_size(list) > MAX_DOMAINS))
		return false;
	json_object_foreach(list, name, each)
		if (strlen(name) > MAX_NAME || !json_is_object(each) || !take_domain(each, &unused))
			return false;
	return true;
}

static bool is_names(json_t *list)
{
	json_t *name;
	size_t i;

	json_array_foreach(list, i, name)
		if (!json_is_string(name))
			return false;
	return !list || json_is_true(list) || json_is_array(list);
}

/* What of it is no text counts as left out where it is used. */
static bool is_order(json_t *order)
{
	json_t *domains = json_object_get(order, "domains");

	return !order || (json_is_object(order) && !json_is_true(domains) && is_names(domains));
}

static bool take_head(json_t *json, struct keep *ret)
{
	json_t *gateway = json_object_get(json, "gateway");

	if (json_integer_value(json_object_get(json, "version")) != KEEP_VERSION ||
		!take_hex(json, "instance", ret->instance, sizeof(ret->instance)) ||
		!take_hex(json, "former", ret->former, sizeof(ret->former)) ||
		!take_hex(json, "host", ret->host, sizeof(ret->host)) ||
		!take_hex(json, "salt", ret->salt, sizeof(ret->salt)) ||
		!take_hex(json, "server_id", ret->server_id, sizeof(ret->server_id)))
		return false;
	if (gateway && !json_is_string(gateway))
		return false;
	ret->gateway = alloc_str(json_string_value(gateway));
	ret->order = json_incref(json_object_get(json, "order"));
	ret->unregistered = json_incref(json_object_get(json, "unregistered"));
	return is_order(ret->order) && is_names(ret->unregistered);
}

int keep_read(json_t *json, struct keep *keep, struct domains *domains)
{
	auto_(keep_done) struct keep found = { 0 };
	json_t *list = json_object_get(json, "domains");
	const char *name;
	json_t *each;

	if (!take_head(json, &found) || !check_domains(list))
		return -EBADMSG;
	json_object_foreach(list, name, each)
		(void)take_domain(each, &domains_get(domains, name)->confirmed);
	keep_done(keep);
	*keep = found;
	found = (struct keep){ 0 };
	return 0;
}

int keep_load(const char *path, struct keep *keep, struct domains *domains, struct fail *fail)
{
	auto_strbuf text = { 0 };
	json_auto_t *json = NULL;
	int r = fd_read_file(path, KEEP_MAX_BYTES, &text);

	if (r < 0)
		return fail_set(fail, r, "'%s' cannot be read: %s", path, strerror(-r));
	json = json_loadb(strbuf_get(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json || keep_read(json, keep, domains) < 0)
		return fail_set(fail, -EBADMSG, "'%s' is damaged", path);
	return 0;
}

/* --- writing -------------------------------------------------------------------------------------- */

static json_t *write_domains(const struct domains *domains)
{
	json_t *list = json_object();
	const struct domain *domain;

	TAILQ_FOREACH(domain, domains, next) {
		const struct confirmed *confirmed = &domain->confirmed;

		if (*confirmed->id)
			(void)json_object_set_new(list, domain->name,
				json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "id", confirmed->id,
					"mark", confirmed->mark, "key_mark", confirmed->key_mark,
					"shown", confirmed->shown, "n_tools",
					(json_int_t)confirmed->n_tools, "version",
					(json_int_t)confirmed->version));
	}
	return list;
}

json_t *keep_write(const struct keep *keep, const struct domains *domains)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s*, s:O*, s:O*, s:s, s:o, s:O*}", "version",
		KEEP_VERSION, "instance", keep->instance, "former", keep->former, "host",
		keep->host, "salt", keep->salt, "gateway", keep->gateway, "order", keep->order,
		"unregistered", keep->unregistered, "server_id", keep->server_id, "domains",
		write_domains(domains), "report", keep->report);
}

static int write_file(const char *path, const struct strbuf *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0)
		return -errno;
	r = fd_write_all(fd, text->data, text->len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* So that the new name is there after a loss of power too. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder = slash && slash > path ? alloc_mem(path, (size_t)(slash - path))
						       : alloc_str(slash ? "/" : ".");
	auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

int keep_save(
	const char *path, const struct keep *keep, const struct domains *domains, struct fail *fail)
{
	auto_free char *draft = alloc_printf("%s.new", path);
	json_auto_t *json = keep_write(keep, domains);
	auto_strbuf text = { 0 };
	int r;

	jx_dump(&text, json);
	strbuf_addc(&text, '\n');
	r = write_file(draft, &text);
	if (r == 0 && rename(draft, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(draft);
		return fail_set(fail, r, "'%s' cannot be written: %s", path, strerror(-r));
	}
	sync_folder(path);
	return 0;
}
