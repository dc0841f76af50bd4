/* See place.h. */
#include "ctl/place.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <yaml.h>

#include "ctl/put.h"
#include "ctl/settings.h"
#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/utf8.h"

enum { MAX_FILE = 1024 * 1024 };

/* --- where they are --- */

/* A file named conf.d/… is read only beside a settings file. */
static int find_beside(const char *conf_dir, struct place *ret, struct fail *fail)
{
	auto_free char *real = realpath(conf_dir, NULL);
	auto_free char *above = NULL;
	const char *name = real ? strrchr(real, '/') : NULL;

	if (!real)
		return fail_set(fail, -errno, "--conf-dir: %.300s: %s", conf_dir, strerror(errno));
	if (!name || !streq(name, "/conf.d"))
		return fail_set(fail, -EINVAL,
			"--conf-dir: %.300s: the daemon reads the folder conf.d beside its settings "
			"file, and no other",
			real);
	above = put_dir_of(real);
	ret->file = alloc_printf("%s/fleet.yaml", streq(above, "/") ? "" : above);
	return 0;
}

static int find_of_daemon(const struct ctl *ctl, struct place *ret, struct fail *fail)
{
	int r = settings_find_file(ctl, &ret->file, &ret->daemon_uid, fail);

	if (r < 0 || !ret->file)
		return r;
	if (*ret->file != '/')
		return fail_set(fail, -ENOENT,
			"the daemon says that its settings are in %.300s, but not where that is: say it "
			"with --conf-dir",
			ret->file);
	ret->is_of_daemon = true;
	return 0;
}

static int find(const struct ctl *ctl, const char *conf_dir, struct place *ret, struct fail *fail)
{
	auto_free char *above = NULL;
	int r = conf_dir ? find_beside(conf_dir, ret, fail) : find_of_daemon(ctl, ret, fail);

	if (r < 0)
		return r;
	if (!ret->file)
		ret->file = alloc_str(SYSCONFDIR "/mcp-fleet/fleet.yaml");
	above = put_dir_of(ret->file);
	ret->dir = alloc_printf("%s/conf.d", streq(above, "/") ? "" : above);
	if (!utf8_valid(ret->dir, strlen(ret->dir))) /* the settings name files in it */
		return fail_set(fail, -EILSEQ, "%s: the path is not UTF-8", ret->dir);
	if (access(ret->file, R_OK) == 0)
		return 0;
	if (errno == ENOENT)
		return fail_set(fail, -ENOENT,
			"%s is not there, and the daemon reads conf.d only beside it: make it (it may "
			"be empty), or say with --conf-dir where the settings are",
			ret->file);
	return fail_set(fail, -errno, "%s: cannot be read: %s", ret->file, strerror(errno));
}

/* --- which domains --- */

static const char *text_of(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
						      : NULL;
}

static size_t n_pairs(const yaml_node_t *map)
{
	return (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
}

static void add_domain(struct place *place, const char *name, const char *file,
	const yaml_node_t *key, bool is_alone)
{
	place->domains = alloc_resize(place->domains, place->n + 1, sizeof(*place->domains));
	place->domains[place->n++] = (struct place_domain){ .name = alloc_str(name),
		.file = alloc_str(file),
		.line = (int)key->start_mark.line + 1,
		.is_alone = is_alone };
}

static void note_domains(struct place *place, yaml_document_t *document, const char *file)
{
	yaml_node_t *root = yaml_document_get_root_node(document);

	if (!root || root->type != YAML_MAPPING_NODE)
		return;
	for (size_t i = 0; i < n_pairs(root); i++) {
		const yaml_node_pair_t *pair = &root->data.mapping.pairs.start[i];
		const char *key = text_of(yaml_document_get_node(document, pair->key));
		const yaml_node_t *map = yaml_document_get_node(document, pair->value);

		if (!key || !streq(key, "domains") || map->type != YAML_MAPPING_NODE)
			continue;
		place->has_domains = true;
		for (size_t k = 0; k < n_pairs(map); k++) {
			const yaml_node_t *name = yaml_document_get_node(
				document, map->data.mapping.pairs.start[k].key);

			if (text_of(name))
				add_domain(place, text_of(name), file, name,
					n_pairs(root) == 1 && n_pairs(map) == 1);
		}
	}
}

/* What is not YAML is the loader's to complain about. */
static int read_file(struct place *place, const char *path, struct fail *fail)
{
	auto_strbuf text = { 0 };
	yaml_parser_t parser;
	yaml_document_t document;
	int r = fd_read_file(path, MAX_FILE, &text);

	if (r < 0)
		return fail_set(fail, r, "%s: cannot be read: %s", path, strerror(-r));
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)strbuf_get(&text), text.len);
	if (yaml_parser_load(&parser, &document)) {
		note_domains(place, &document, path);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	return 0;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && streq(entry->d_name + len - 5, ".yaml");
}

static int read_files(struct place *place, struct fail *fail)
{
	struct dirent **entries = NULL;
	int n;
	int r = read_file(place, place->file, fail);

	if (r < 0)
		return r;
	n = scandir(place->dir, &entries, is_drop_in, alphasort);
	if (n < 0 && errno != ENOENT)
		return fail_set(
			fail, -errno, "%s: cannot be read: %s", place->dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		auto_free char *path = alloc_printf("%s/%s", place->dir, entries[i]->d_name);

		if (r == 0)
			r = read_file(place, path, fail);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int place_open(const struct ctl *ctl, const char *conf_dir, bool may_be_wrong, struct place *ret,
	struct fail *fail)
{
	auto_(place_done) struct place place = { 0 };
	int r = find(ctl, conf_dir, &place, fail);

	/* The names can be relied on only where the loader takes the whole. */
	if (r == 0 && !may_be_wrong) {
		r = place_check(&place, fail);
		if (r == -EINVAL)
			(void)fail_prefix(
				fail, "the settings are wrong already, nothing was changed: ");
	}
	if (r == 0)
		r = read_files(&place, fail);
	if (r < 0)
		return r;
	*ret = place;
	place = (struct place){ 0 };
	return 0;
}

void place_done(struct place *place)
{
	for (size_t i = 0; i < place->n; i++) {
		free(place->domains[i].name);
		free(place->domains[i].file);
	}
	free(place->domains);
	free(place->file);
	free(place->dir);
	*place = (struct place){ 0 };
}

const struct place_domain *place_find(
	const struct place *place, const char *name, const struct place_domain *after)
{
	size_t from = after ? (size_t)(after - place->domains) + 1 : 0;

	for (size_t i = from; i < place->n; i++) {
		if (streq(place->domains[i].name, name))
			return &place->domains[i];
	}
	return NULL;
}

/* --- whether they are right --- */

int place_check(const struct place *place, struct fail *fail)
{
	auto_free char *root = put_dir_of(place->file);
	auto_(settings_verdict_done) struct settings_verdict verdict = { 0 };
	int r = settings_check(place->file, root, &verdict, fail);

	if (r < 0 || verdict.is_ok)
		return r;
	return fail_set(fail, -EINVAL, "%.900s", verdict.text);
}
