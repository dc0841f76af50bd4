/* The documents of the settings against the table of keys: etc/fleet.yaml has each key with its
 * default, and the list of keys in doc/fleet.yaml.5 is what the table says, word for word.
 *
 * After a change of the table: `test_conf_docs --keys` prints the list for the manual page, to be
 * put between its two marks. */
#include "supervisor/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/amount.h"
#include "shared/fd.h"
#include "shared/strbuf.h"
#include "supervisor/conf_yaml.h"

#define FLEET_YAML TOP_SRCDIR "/etc/fleet.yaml"
#define MANUAL_PAGE TOP_SRCDIR "/doc/fleet.yaml.5"
#define BEGIN_KEYS ".\\\" The list of keys begins here; `make check` compares it with the table.\n"
#define END_KEYS ".\\\" The list of keys ends here.\n"

enum { MAX_FILE = 1024 * 1024, COLUMNS = 76 };

/* --- the manual page --- */

static void add_range(struct strbuf *out, const struct conf_key *key, char *(*format)(int64_t))
{
	auto_free char *min = format(key->min);
	auto_free char *max = format(key->max);

	strbuf_addf(out, " from %s to %s.", min, max);
}

static char *format_count(int64_t value)
{
	return alloc_printf("%lld", (long long)value);
}

static void add_choices(struct strbuf *out, const struct conf_choice *choices)
{
	for (const struct conf_choice *c = choices; c->name; c++)
		strbuf_addf(out, "%s%s", c == choices ? "One of " : ", ", c->name);
	strbuf_adds(out, ".");
}

static void add_items(struct strbuf *out, const struct conf_key *key, const char *what)
{
	strbuf_addf(
		out, "A list of %lld to %lld %s", (long long)key->min, (long long)key->max, what);
	if (key->form)
		strbuf_addf(out, ", each %s", key->form);
	strbuf_adds(out, ".");
}

static void add_text_form(struct strbuf *out, const struct conf_key *key)
{
	strbuf_adds(out, "A text");
	if (key->max)
		strbuf_addf(
			out, " of %lld to %lld bytes", (long long)key->min, (long long)key->max);
	if (key->form)
		strbuf_addf(out, ": %s", key->form);
	strbuf_adds(out, ".");
}

static void add_form(struct strbuf *out, const struct conf_key *key)
{
	switch (key->type) {
	case CONF_TYPE_BOOL:
		strbuf_adds(out, "True or false.");
		break;
	case CONF_TYPE_COUNT:
		strbuf_adds(out, "A number");
		add_range(out, key, format_count);
		break;
	case CONF_TYPE_SIZE:
		strbuf_adds(out, "A size");
		add_range(out, key, amount_format_size);
		break;
	case CONF_TYPE_DURATION:
		strbuf_adds(out, "A duration");
		add_range(out, key, amount_format_duration);
		break;
	case CONF_TYPE_STRING:
		add_text_form(out, key);
		break;
	case CONF_TYPE_STRINGS:
		add_items(out, key, "texts");
		break;
	case CONF_TYPE_ENUM:
		add_choices(out, key->choices);
		break;
	case CONF_TYPE_ROOTS:
		add_items(out, key, "directories");
		break;
	case CONF_TYPE_ENV:
		strbuf_addf(out, "A mapping of at most %lld names and texts.", (long long)key->max);
		break;
	case CONF_TYPE_OVERRIDES:
		strbuf_addf(out, "A mapping of at most %lld tools.", (long long)key->max);
		break;
	case CONF_TYPE_GRANTS:
		strbuf_addf(out, "A mapping of at most %lld scopes.", (long long)key->max);
		break;
	case CONF_TYPE_LISTEN:
		add_items(out, key, "listeners");
		break;
	}
}

static const char *reload_words(enum conf_reload reload)
{
	switch (reload) {
	case CONF_RELOAD_LIVE:
		return "A reload applies it at once.";
	case CONF_RELOAD_LISTENERS:
		return "A reload opens and closes listeners.";
	case CONF_RELOAD_WORKERS:
		return "A reload replaces the processes.";
	case CONF_RELOAD_RESTART:
		return "A change needs a restart.";
	}
	return NULL;
}

/* Text in lines of roff: a sentence begins a line, no line is long, none begins with a control
 * character. */
static void add_wrapped(struct strbuf *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		bool ends_sentence = len && text[len - 1] == '.' && text[len] == ' ';

		if (column && column + 1 + len > COLUMNS) {
			strbuf_addc(out, '\n');
			column = 0;
		}
		if (column)
			strbuf_addc(out, ' ');
		else if (*text == '.' || *text == '\'')
			strbuf_adds(out, "\\&");
		strbuf_add(out, text, len);
		column += len + (column > 0);
		text += len + (text[len] == ' ');
		if (ends_sentence) {
			strbuf_addc(out, '\n');
			column = 0;
		}
	}
	strbuf_addc(out, '\n');
}

static void add_key(struct strbuf *out, const struct conf_key *key)
{
	auto_strbuf facts = { 0 };

	add_form(&facts, key);
	strbuf_addf(&facts, " Default: %s. %s", key->def, reload_words(key->reload));
	strbuf_addf(out, ".It Ic %s\n", key->path);
	add_wrapped(out, key->doc);
	add_wrapped(out, strbuf_get(&facts));
}

static const char *heading_of(const struct conf_key *key)
{
	if (strncmp(key->path, "domains.*.", 10) == 0)
		return "Keys of every domain";
	if (strncmp(key->path, "domains.git.", 12) == 0)
		return "Keys of the domain git";
	if (strncmp(key->path, "domains.utils.", 14) == 0)
		return "Keys of the domain utils";
	return "Keys of the daemon";
}

static char *list_of_keys(void)
{
	auto_strbuf out = { 0 };
	const char *heading = NULL;

	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *next = heading_of(key);

		if (!heading || !streq(heading, next))
			strbuf_addf(&out, "%s.Ss %s\n.Bl -tag -width Ds\n", heading ? ".El\n" : "",
				next);
		heading = next;
		add_key(&out, key);
	}
	strbuf_adds(&out, ".El\n");
	return strbuf_take(&out);
}

static void read_text(const char *path, struct strbuf *ret)
{
	if (fd_read_file(path, MAX_FILE, ret) < 0)
		fail_msg("%s cannot be read", path);
}

/* Where two texts part: the line of the second, for a message that helps. */
static void expect_equal(const char *page, const char *keys)
{
	int line = 1;
	size_t i = 0;

	for (; page[i] && page[i] == keys[i]; i++)
		line += keys[i] == '\n';
	if (page[i] != keys[i])
		fail_msg("line %d of the list of keys in fleet.yaml.5 is not what the table says: "
			 "run test_conf_docs --keys",
			line);
}

static void test_manual_page(void **state)
{
	auto_strbuf page = { 0 };
	auto_free char *keys = list_of_keys();
	auto_free char *list = NULL;
	const char *begin;
	const char *end;

	read_text(MANUAL_PAGE, &page);
	begin = strstr(strbuf_get(&page), BEGIN_KEYS);
	assert_non_null(begin);
	begin += strlen(BEGIN_KEYS);
	end = strstr(begin, END_KEYS);
	assert_non_null(end);
	list = alloc_mem(begin, (size_t)(end - begin));
	expect_equal(list, keys);
}

/* --- etc/fleet.yaml --- */

/* "#key: value" is a setting that is commented out, "# words" is a comment. */
static void add_uncommented(struct strbuf *out, const char *line, size_t len)
{
	size_t at = strspn(line, " ");

	if (at + 1 < len && line[at] == '#' && line[at + 1] != ' ' && line[at + 1] != '#') {
		strbuf_add(out, line, at);
		line += at + 1;
		len -= at + 1;
	}
	strbuf_add(out, line, len);
	strbuf_addc(out, '\n');
}

static char *uncommented(const char *text)
{
	auto_strbuf out = { 0 };

	while (*text) {
		size_t len = strcspn(text, "\n");

		add_uncommented(&out, text, len);
		text += len + (text[len] == '\n');
	}
	return strbuf_take(&out);
}

static char *no_environment(const char *name)
{
	return NULL;
}

static struct conf *load(const char *path)
{
	struct conf_sources src = {
		.path = path, .default_path = "absent/fleet.yaml", .get_env = no_environment
	};
	struct conf *conf = NULL;
	struct fail fail = { 0 };

	if (conf_load(&src, &conf, &fail) < 0)
		fail_msg("%s", fail.text);
	return conf;
}

static void expect_defaults(const char *path)
{
	auto_(conf_freep) struct conf *built_in = load(NULL);
	auto_(conf_freep) struct conf *conf = load(path);
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(built_in, conf, &diff);
	if (diff.keys.n)
		fail_msg("%s changes %s", path, diff.keys.items[0]);
	if (diff.n_domains)
		fail_msg("%s changes the domain %s", path, diff.domains[0].name);
}

static void test_example_is_the_default(void **state)
{
	expect_defaults(FLEET_YAML);
}

static void test_example_uncommented_is_the_default(void **state)
{
	auto_strbuf text = { 0 };
	auto_free char *all = NULL;
	char path[] = "/tmp/test_conf_docs.XXXXXX";
	auto_close int fd = mkstemp(path);

	assert_true(fd >= 0);
	read_text(FLEET_YAML, &text);
	all = uncommented(strbuf_get(&text));
	assert_int_equal(fd_write_all(fd, all, strlen(all)), 0);
	expect_defaults(path);
	assert_int_equal(unlink(path), 0);
}

static bool is_same(const struct conf_node *a, const struct conf_node *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == CONF_NODE_TEXT)
		return streq(a->text, b->text);
	for (size_t i = 0; i < a->n; i++) {
		if (!is_same(a->items[i], b->items[i]))
			return false;
		if (a->kind == CONF_NODE_MAP && !streq(a->items[i]->key, b->items[i]->key))
			return false;
	}
	return true;
}

/* The node of a key of the table: keys of every domain are shown once, with git; a listener's are
 * those of the first. */
static const struct conf_node *find_example(const struct conf_node *tree, const char *path)
{
	auto_free char *of_git = NULL;

	if (strncmp(path, "listen.", 7) == 0) {
		const struct conf_node *list = conf_node_get(tree, "listen");

		return list && list->n ? conf_node_get(list->items[0], path + 7) : NULL;
	}
	if (strncmp(path, "domains.*.", 10) != 0)
		return conf_node_find(tree, path);
	of_git = alloc_printf("domains.git.%s", path + 10);
	return conf_node_find(tree, of_git);
}

static void test_example_has_each_key(void **state)
{
	auto_strbuf text = { 0 };
	auto_free char *all = NULL;
	auto_(conf_node_freep) struct conf_node *tree = NULL;
	struct fail fail = { 0 };

	read_text(FLEET_YAML, &text);
	all = uncommented(strbuf_get(&text));
	if (conf_yaml_read("fleet.yaml", all, strlen(all), &tree, &fail) < 0)
		fail_msg("%s", fail.text);
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const struct conf_node *node = find_example(tree, key->path);
		auto_(conf_node_freep) struct conf_node *def = NULL;

		if (!node) {
			fail_msg("etc/fleet.yaml does not show %s", key->path);
			return;
		}
		if (key->type == CONF_TYPE_LISTEN) /* shown by its parts */
			continue;
		assert_int_equal(
			conf_yaml_read_value("default", key->def, strlen(key->def), &def, NULL), 0);
		if (!def || !is_same(node, def))
			fail_msg("etc/fleet.yaml:%d: %s is not the default, %s", node->line,
				key->path, key->def);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_page),
		cmocka_unit_test(test_example_is_the_default),
		cmocka_unit_test(test_example_uncommented_is_the_default),
		cmocka_unit_test(test_example_has_each_key),
	};

	if (argc == 2 && streq(argv[1], "--keys")) {
		auto_free char *keys = list_of_keys();

		return fputs(keys, stdout) < 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
