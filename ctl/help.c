/* The help of mcp-fleetctl, written from the tables of the verbs; declared in args.h. */
#include "ctl/args.h"

#include <stdio.h>

#include "config.h"

#include "ctl/output.h"

enum { TEXT_COLUMN = 26, MAX_COLUMN = 100 };

/* `left`, then the words of `text` from TEXT_COLUMN on, in lines below MAX_COLUMN. */
static void add_entry(struct strbuf *out, const char *left, const char *text)
{
	size_t column = strlen(left);
	bool is_first = true;

	strbuf_adds(out, left);
	if (column + 2 > TEXT_COLUMN) {
		strbuf_addc(out, '\n');
		column = 0;
	}
	while (*text) {
		size_t len = strcspn(text, " ");

		if (!is_first && column + 1 + len > MAX_COLUMN) {
			strbuf_addc(out, '\n');
			column = 0;
			is_first = true;
		}
		if (is_first)
			strbuf_addf(out, "%*s", (int)(TEXT_COLUMN - column), "");
		else
			strbuf_addc(out, ' ');
		column = (is_first ? TEXT_COLUMN : column + 1) + len;
		is_first = false;
		strbuf_add(out, text, len);
		text += len + strspn(text + len, " ");
	}
	strbuf_addc(out, '\n');
}

static bool has_option(const struct ctl_option *options, const char *name)
{
	for (const struct ctl_option *o = options; o && o->name; o++)
		if (streq(o->name, name))
			return true;
	return false;
}

/* Those that `own` has too are left out: they mean what `own` says. */
static void add_options(struct strbuf *out, const char *title, const struct ctl_option *options,
	const struct ctl_option *own)
{
	if (!options || !options->name)
		return;
	strbuf_addf(out, "\n%s:\n", title);
	for (const struct ctl_option *o = options; o->name; o++) {
		auto_strbuf left = { 0 };
		auto_strbuf text = { 0 };

		if (has_option(own, o->name))
			continue;
		if (o->letter)
			strbuf_addf(&left, "  -%c, --%s", o->letter, o->name);
		else
			strbuf_addf(&left, "      --%s", o->name);
		if (o->arg)
			strbuf_addf(&left, " %s", o->arg);
		strbuf_adds(&text, o->doc);
		if (o->word == CTL_WORD_CHOICE)
			strbuf_addf(&text, " (one of: %s)", o->choices);
		if (o->repeats)
			strbuf_adds(&text, "; may be repeated");
		add_entry(out, strbuf_get(&left), strbuf_get(&text));
	}
}

static bool has_columns(const char *text, size_t len)
{
	return memmem(text, len, "  ", 2) != NULL;
}

static void add_filled(struct strbuf *out, const char *text, size_t n)
{
	size_t column = 0;

	for (const char *end = text + n; text < end;) {
		size_t len = strcspn(text, " \n");

		if (column)
			strbuf_addc(out, column + 1 + len > MAX_COLUMN ? '\n' : ' ');
		column = column && column + 1 + len <= MAX_COLUMN ? column + 1 + len : len;
		strbuf_add(out, text, len);
		text += len;
		text += strspn(text, " \n");
	}
	strbuf_addc(out, '\n');
}

/* A paragraph with columns is printed as it is, any other one is filled. The manual page does the same. */
static void add_paragraphs(struct strbuf *out, const char *help)
{
	while (*help) {
		const char *end = strstr(help, "\n\n");
		size_t len = end ? (size_t)(end - help) : strlen(help);

		strbuf_addc(out, '\n');
		if (has_columns(help, len))
			strbuf_addf(out, "%.*s\n", (int)len, help);
		else
			add_filled(out, help, len);
		help += len;
		help += strspn(help, "\n");
	}
}

static void add_exit_status(struct strbuf *out)
{
	strbuf_adds(out, "\nExit status: 0 done, 1 failed, 2 usage, 3 the daemon is not reachable, "
			 "4 partly done or not ready.\n");
}

static void add_verb_help(struct strbuf *out, const struct verb *verb)
{
	strbuf_addf(out, "Usage: mcp-fleetctl %s [OPTION]...%s%s\n", verb->name,
		*verb->args ? " " : "", verb->args);
	if (verb->summary)
		strbuf_addf(out, "%c%s.\n", verb->summary[0] - 'a' + 'A', verb->summary + 1);
	if (verb->help)
		add_paragraphs(out, verb->help);
	add_options(out, "Options", verb->options, NULL);
	add_options(out, "Options of every verb", global_options, verb->options);
	add_exit_status(out);
}

static void add_whole_help(struct strbuf *out)
{
	strbuf_adds(out, "Usage: mcp-fleetctl [OPTION]... VERB [ARGUMENT]...\n"
			 "Look after a fleet of MCP servers.\n"
			 "\nVerbs:\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		auto_strbuf left = { 0 };

		if (!(*v)->summary)
			continue;
		strbuf_addf(&left, "  %s%s%s", (*v)->name, *(*v)->args ? " " : "", (*v)->args);
		add_entry(out, strbuf_get(&left), (*v)->summary);
	}
	add_options(out, "Options, before or behind the verb", global_options, NULL);
	add_exit_status(out);
	strbuf_adds(out, "'mcp-fleetctl VERB --help' tells more; see also mcp-fleetctl(1).\n");
}

void args_print_help(const struct verb *verb)
{
	auto_strbuf out = { 0 };

	if (verb)
		add_verb_help(&out, verb);
	else
		add_whole_help(&out);
	(void)fputs(strbuf_get(&out), stdout);
}
