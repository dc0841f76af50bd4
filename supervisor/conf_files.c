/* See conf_files.h. */
#include "supervisor/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/strbuf.h"
#include "supervisor/conf_type.h"

enum { MAX_DROP_INS = 256 };

static int read_yaml(
	struct conf_files *files, const char *path, struct conf_node **ret, struct fail *fail)
{
	auto_strbuf bytes = { 0 };
	char *name;
	int r = fd_read_file(path, CONF_YAML_MAX_BYTES, &bytes);

	if (r == -EFBIG)
		return fail_set(fail, r, "%s: larger than 1 MiB", path);
	if (r < 0)
		return fail_set(fail, r, "%s: cannot be read: %s", path, strerror(-r));
	name = alloc_str(path);
	files->names.items = alloc_resize(files->names.items, files->names.n + 1, sizeof(char *));
	files->names.items[files->names.n++] = name;
	return conf_yaml_read(name, strbuf_get(&bytes), bytes.len, ret, fail);
}

static bool is_same_list(const struct conf_node *a, const struct conf_node *b)
{
	if (a->kind != CONF_NODE_LIST || b->kind != CONF_NODE_LIST || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct conf_node *x = a->items[i];
		const struct conf_node *y = b->items[i];

		if (x->kind != CONF_NODE_TEXT || y->kind != CONF_NODE_TEXT ||
			!streq(x->text, y->text))
			return false;
	}
	return true;
}

/* What a domain has so far under this key, or NULL. */
static const struct conf_node *value_of(
	const struct conf_node *tree, const char *domain_name, const char *key)
{
	const struct conf_node *domains = conf_node_get(tree, "domains");
	const struct conf_node *domain = domains ? conf_node_get(domains, domain_name) : NULL;

	return domain ? conf_node_get(domain, key) : NULL;
}

static bool is_same(const struct conf_node *a, const struct conf_node *b)
{
	if (a->kind == CONF_NODE_TEXT && b->kind == CONF_NODE_TEXT)
		return streq(a->text, b->text);
	return is_same_list(a, b);
}

static int check_program(struct conf_files *files, const struct conf_node *domain, const char *key,
	struct fail *fail)
{
	const struct conf_node *now = conf_node_get(domain, key);
	const struct conf_node *before = value_of(files->tree, domain->key, key);

	if (!now || !before || is_same(before, now))
		return 0;
	auto_free char *path = alloc_printf("domains.%.100s.%s", domain->key, key);

	return conf_node_fail(fail, now, true, path,
		"another %s for this domain is in %s:%d:%d: give one of the domains another name",
		key, before->file, before->key_line, before->key_column);
}

/* Two files may add to one domain, but not give it two programs, or two servers. */
static int check_programs(struct conf_files *files, const struct conf_node *over, struct fail *fail)
{
	const struct conf_node *domains = conf_node_get(over, "domains");
	int r = 0;

	if (!domains || domains->kind != CONF_NODE_MAP)
		return 0;
	for (size_t i = 0; i < domains->n && r == 0; i++) {
		r = check_program(files, domains->items[i], "command", fail);
		if (r == 0)
			r = check_program(files, domains->items[i], "url", fail);
	}
	return r;
}

static int read_drop_in(struct conf_files *files, const char *path, struct fail *fail)
{
	auto_(conf_node_freep) struct conf_node *over = NULL;
	int r = read_yaml(files, path, &over, fail);

	if (r == 0)
		r = check_programs(files, over, fail);
	if (r < 0)
		return r;
	conf_node_merge(files->tree, TAKE(over));
	return 0;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && streq(entry->d_name + len - 5, ".yaml");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct conf_files *files, const char *dir, struct fail *fail)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_drop_in, by_bytes);
	int r = 0;

	if (n < 0) {
		r = -errno;
		if (r == -ENOENT || r == -ENOTDIR)
			return 0;
		return fail_set(fail, r, "%s: cannot be read: %s", dir, strerror(-r));
	}
	if (n > MAX_DROP_INS)
		r = fail_set(fail, -EINVAL, "%s: more than %d files", dir, MAX_DROP_INS);
	for (int i = 0; i < n; i++) {
		auto_free char *path = alloc_printf("%s/%s", dir, entries[i]->d_name);

		if (r == 0)
			r = read_drop_in(files, path, fail);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* "conf.d" beside the settings file: yours to free. */
static char *drop_in_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	return alloc_printf("%.*sconf.d", slash ? (int)(slash - path + 1) : 0, path);
}

static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int conf_files_read(
	struct conf_files *files, const char *path, const char *default_path, struct fail *fail)
{
	auto_free char *dir = NULL;
	int r;

	if (!path && !is_there(default_path))
		return conf_yaml_read("built-in", "", 0, &files->tree, fail);
	files->path = alloc_str(path ? path : default_path);
	r = read_yaml(files, files->path, &files->tree, fail);
	if (r < 0)
		return r;
	dir = drop_in_dir(files->path);
	return read_drop_ins(files, dir, fail);
}

void conf_files_done(struct conf_files *files)
{
	conf_node_free(files->tree);
	conf_clear_strs(&files->names);
	free(files->path);
	*files = (struct conf_files){ 0 };
}
