/* The manual page of mcp-fleetctl against the tables of its verbs and options: word for word.
 *
 * After a change of a table: `test_ctl_docs --options` and `test_ctl_docs --verbs` print the two lists for
 * doc/mcp-fleetctl.1, to be put between their marks. */
#include "ctl/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/strbuf.h"

#define MANUAL_PAGE TOP_SRCDIR "/doc/mcp-fleetctl.1"
#define BEGIN_OPTIONS                                                                              \
	".\\\" The global options begin here; `make check` compares them with the table.\n"
#define END_OPTIONS ".\\\" The global options end here.\n"
#define BEGIN_VERBS                                                                                \
	".\\\" The list of verbs begins here; `make check` compares it with the table.\n"
#define END_VERBS ".\\\" The list of verbs ends here.\n"

enum { MAX_FILE = 1024 * 1024, COLUMNS = 76 };

/* --- roff -------------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			strbuf_adds(out, "\\e");
		else if (text[i] == '"')
			strbuf_adds(out, "\\(dq");
		else if (text[i] == '-' && i + 1 < len && text[i + 1] == '-')
			strbuf_adds(out, "\\-");
		else
			strbuf_addc(out, text[i]);
	}
}

/* Text in lines of roff: a sentence begins a line, no line is long, none begins with a control
 * character. */
static void add_filled(struct strbuf *out, const char *text, size_t n)
{
	const char *end = text + n;
	size_t column = 0;

	while (text < end) {
		size_t len = strcspn(text, " \n");
		auto_strbuf word = { 0 };
		bool ends_sentence;

		len = len < (size_t)(end - text) ? len : (size_t)(end - text);
		add_escaped(&word, text, len);
		ends_sentence = len && text[len - 1] == '.' && text + len < end;
		if (column && column + 1 + word.len > COLUMNS) {
			strbuf_addc(out, '\n');
			column = 0;
		}
		if (column)
			strbuf_addc(out, ' ');
		else if (*text == '.' || *text == '\'')
			strbuf_adds(out, "\\&");
		strbuf_adds(out, strbuf_get(&word));
		column += word.len + (column > 0);
		text += len + (text + len < end);
		if (ends_sentence) {
			strbuf_addc(out, '\n');
			column = 0;
		}
	}
	if (column)
		strbuf_addc(out, '\n');
}

static void add_literal(struct strbuf *out, const char *text, size_t n)
{
	const char *end = text + n;

	strbuf_adds(out, ".Bd -literal\n");
	while (text < end) {
		size_t len = strcspn(text, "\n");

		len = len < (size_t)(end - text) ? len : (size_t)(end - text);
		if (*text == '.' || *text == '\'')
			strbuf_adds(out, "\\&");
		add_escaped(out, text, len);
		strbuf_addc(out, '\n');
		text += len + 1;
	}
	strbuf_adds(out, ".Ed\n");
}

static bool has_columns(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == ' ' && text[i + 1] == ' ')
			return true;
	return false;
}

/* A paragraph with columns is shown as it is, any other one is filled. */
static void add_help(struct strbuf *out, const char *help)
{
	while (*help) {
		const char *end = strstr(help, "\n\n");
		size_t len = end ? (size_t)(end - help) : strlen(help);
		size_t shown = len && help[len - 1] == '\n' ? len - 1 : len;

		if (has_columns(help, shown)) {
			add_literal(out, help, shown);
		} else {
			strbuf_adds(out, ".Pp\n");
			add_filled(out, help, shown);
		}
		help += len;
		help += strspn(help, "\n");
	}
}

static void add_text(struct strbuf *out, const char *text)
{
	add_filled(out, text, strlen(text));
}

static void add_options(struct strbuf *out, const struct ctl_option *options)
{
	strbuf_adds(out, ".Bl -tag -width Ds\n");
	for (const struct ctl_option *o = options; o->name; o++) {
		auto_strbuf text = { 0 };

		strbuf_addf(out, ".It Fl -%s", o->name);
		if (o->letter)
			strbuf_addf(out, " | %c", o->letter);
		if (o->arg)
			strbuf_addf(out, " Ar %s", o->arg);
		strbuf_addc(out, '\n');
		strbuf_addf(&text, "%c%s",
			o->doc[0] >= 'a' && o->doc[0] <= 'z' ? o->doc[0] - 32 : o->doc[0],
			o->doc + 1);
		if (o->word == CTL_WORD_CHOICE)
			strbuf_addf(&text, " (one of: %s)", o->choices);
		if (o->repeats)
			strbuf_adds(&text, "; may be repeated");
		strbuf_addc(&text, '.');
		add_text(out, strbuf_get(&text));
	}
	strbuf_adds(out, ".El\n");
}

static void add_verb(struct strbuf *out, const struct verb *verb)
{
	auto_free char *summary =
		alloc_printf("%c%s.", verb->summary[0] - 'a' + 'A', verb->summary + 1);

	strbuf_addf(out, ".It Ic %s", verb->name);
	if (*verb->args) {
		strbuf_adds(out, " No \"");
		add_escaped(out, verb->args, strlen(verb->args));
		strbuf_addc(out, '"');
	}
	strbuf_addc(out, '\n');
	add_text(out, summary);
	if (verb->help)
		add_help(out, verb->help);
	if (verb->options && verb->options->name)
		add_options(out, verb->options);
}

static char *list_of_options(void)
{
	auto_strbuf out = { 0 };

	add_options(&out, global_options);
	return strbuf_take(&out);
}

static char *list_of_verbs(void)
{
	auto_strbuf out = { 0 };

	strbuf_adds(&out, ".Bl -tag -width Ds\n");
	for (const struct verb *const *v = verbs; *v; v++)
		if ((*v)->summary)
			add_verb(&out, *v);
	strbuf_adds(&out, ".El\n");
	return strbuf_take(&out);
}

/* --- the tests --------------------------------------------------------------------------------- */

/* Says on which line two texts part. */
static void expect_equal(const char *page, const char *table, const char *option)
{
	int line = 1;
	size_t i = 0;

	for (; page[i] && page[i] == table[i]; i++)
		line += page[i] == '\n';
	if (page[i] != table[i])
		fail_msg("line %d of a list in mcp-fleetctl.1 is not what the table says: run "
			 "test_ctl_docs %s",
			line, option);
}

static void compare(
	const char *begin_mark, const char *end_mark, const char *table, const char *option)
{
	auto_strbuf page = { 0 };
	auto_free char *list = NULL;
	const char *begin;
	const char *end;

	assert_int_equal(fd_read_file(MANUAL_PAGE, MAX_FILE, &page), 0);
	begin = strstr(strbuf_get(&page), begin_mark);
	assert_non_null(begin);
	begin += strlen(begin_mark);
	end = strstr(begin, end_mark);
	assert_non_null(end);
	list = alloc_mem(begin, (size_t)(end - begin));
	expect_equal(list, table, option);
}

static void test_options(void **state)
{
	auto_free char *table = list_of_options();

	compare(BEGIN_OPTIONS, END_OPTIONS, table, "--options");
}

static void test_verbs(void **state)
{
	auto_free char *table = list_of_verbs();

	compare(BEGIN_VERBS, END_VERBS, table, "--verbs");
}

/* What --help and the completions show must fit on a line. */
static void expect_one_line(const char *text)
{
	assert_true(*text >= 'a' && *text <= 'z');
	assert_null(strchr(text, '\n'));
	assert_true(strlen(text) < 100);
	assert_int_not_equal(text[strlen(text) - 1], '.');
}

/* No name and no letter is there twice; what a verb has of its own may take the place of an option of every verb
 * that has a value too. */
static void expect_distinct(const struct ctl_option *options)
{
	for (const struct ctl_option *o = options; o && o->name; o++) {
		for (const struct ctl_option *other = o + 1; other->name; other++) {
			assert_string_not_equal(o->name, other->name);
			assert_true(!o->letter || o->letter != other->letter);
		}
		for (const struct ctl_option *other = global_options; other->name; other++) {
			assert_true(!streq(o->name, other->name) || (o->arg && other->arg));
			assert_true(!o->letter || o->letter != other->letter);
		}
		assert_true((o->word == CTL_WORD_CHOICE) == (o->choices != NULL));
		assert_true((o->word != CTL_WORD_NONE) == (o->arg != NULL));
	}
}

static void test_tables(void **state)
{
	for (const struct verb *const *v = verbs; *v; v++) {
		const struct verb *verb = *v;

		print_message("verb %s\n", verb->name);
		assert_ptr_equal(args_find_verb(verb->name), verb);
		assert_non_null(verb->run);
		assert_non_null(verb->args);
		assert_true(verb->min_args <= verb->max_args);
		assert_true((verb->word == CTL_WORD_CHOICE) == (verb->choices != NULL));
		if (verb->summary)
			expect_one_line(verb->summary);
		expect_distinct(verb->options);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_tables),
	};

	if (argc == 2 && streq(argv[1], "--options")) {
		auto_free char *list = list_of_options();

		return fputs(list, stdout) < 0;
	}
	if (argc == 2 && streq(argv[1], "--verbs")) {
		auto_free char *list = list_of_verbs();

		return fputs(list, stdout) < 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
