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

static void add_options(struct strbuf *out, const char *title, const struct ctl_option *options)
{
	if (!options || !options->name)
		return;
	strbuf_addf(out, "\n%s:\n", title);
	for (const struct ctl_option *o = options; o->name; o++) {
		auto_strbuf left = { 0 };
		auto_strbuf text = { 0 };

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
		strbuf_addf(out, "\n%s%s", verb->help,
			verb->help[strlen(verb->help) - 1] == '\n' ? "" : "\n");
	add_options(out, "Options", verb->options);
	add_options(out, "Options of every verb", global_options);
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
	add_options(out, "Options, before or behind the verb", global_options);
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
