/* See complete.h. */
#include "ctl/complete.h"

#include "ctl/args.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/ascii.h"

enum { MAX_WORDS = 512 };

struct words {
	char *text; /* of all, each with a NUL behind */
	const char *at[MAX_WORDS];
	size_t n;
};

struct completion {
	const struct verb *verb;
	const struct ctl_option *pending; /* its value is the next word */
	const char *args[MAX_WORDS];
	size_t n_args;
	bool is_plain; /* options are over */
	const char *socket;
	const char *file;
	const char *current;
	complete_live_fn *live;
	void *arg;
	struct strbuf *out;
};

/* --- words ------------------------------------------------------------------------------------- */

/* A word, quotes and backslashes taken off; returns where it ended. */
static const char *read_word(const char *line, struct strbuf *out)
{
	char quote = 0;

	for (; *line && (quote || !strchr(" \t\n", *line)); line++) {
		if (*line == '\\' && quote != '\'' && line[1])
			strbuf_addc(out, *++line);
		else if (quote && *line == quote)
			quote = 0;
		else if (!quote && (*line == '\'' || *line == '"'))
			quote = *line;
		else
			strbuf_addc(out, *line);
	}
	strbuf_addc(out, '\0');
	return line;
}

/* The last word is the one that is typed, maybe empty. False: there are too many. */
static bool split(const char *line, struct words *ret)
{
	auto_strbuf text = { 0 };
	size_t starts[MAX_WORDS];

	for (;;) {
		line += strspn(line, " \t\n");
		if (ret->n == MAX_WORDS)
			return false;
		starts[ret->n++] = text.len;
		line = read_word(line, &text);
		if (!*line)
			break;
	}
	ret->text = strbuf_take(&text);
	for (size_t i = 0; i < ret->n; i++)
		ret->at[i] = ret->text + starts[i];
	return true;
}

/* --- candidates -------------------------------------------------------------------------------- */

/* What stands in a command line without quotes. */
static bool is_harmless(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!ascii_is_digit(*c) && !ascii_is_letter(*c) && !strchr("_-.:/=@%+,", *c))
			return false;
	return *name != '\0';
}

static void add(const struct completion *c, const char *prefix, const char *name, const char *doc)
{
	auto_free char *word = alloc_printf("%s%s", prefix, name);
	auto_free char *first_line = alloc_mem(doc, strcspn(doc, "\n"));

	if (strncmp(word, c->current, strlen(c->current)) != 0 || !is_harmless(word))
		return;
	strbuf_addf(c->out, "%s\t", word);
	out_clean(c->out, first_line);
	strbuf_addc(c->out, '\n');
}

static void add_choices(const struct completion *c, const char *prefix, const char *choices)
{
	while (choices && *choices) {
		size_t len = strcspn(choices, " ");
		auto_free char *choice = alloc_mem(choices, len);

		add(c, prefix, choice, "");
		choices += len + strspn(choices + len, " ");
	}
}

/* What was given once is not offered again, "a=" when there is "a=1". */
static bool is_given(const struct completion *c, const char *name)
{
	size_t len = strlen(name);
	bool is_open = len > 0 && name[len - 1] == '=';

	for (size_t i = 0; i < c->n_args; i++)
		if (is_open ? strncmp(c->args[i], name, len) == 0 : streq(c->args[i], name))
			return true;
	return false;
}

static void add_live(const struct completion *c, const char *prefix, enum ctl_word word)
{
	struct complete_ask ask = { word, c->socket, c->n_args ? c->args[0] : NULL, c->file };
	json_auto_t *names = c->live(c->arg, &ask);
	const char *name;
	json_t *doc;

	json_object_foreach(names, name, doc) {
		if (!is_given(c, name))
			add(c, prefix, name, json_is_string(doc) ? json_string_value(doc) : "");
	}
}

static void add_word(
	const struct completion *c, const char *prefix, enum ctl_word word, const char *choices)
{
	switch (word) {
	case CTL_WORD_NONE:
	case CTL_WORD_TEXT:
		break;
	case CTL_WORD_FILE:
		strbuf_adds(c->out, ":files\n");
		break;
	case CTL_WORD_CHOICE:
		add_choices(c, prefix, choices);
		break;
	case CTL_WORD_DOMAIN:
	case CTL_WORD_TOOL:
	case CTL_WORD_TOOL_ARG:
	case CTL_WORD_SESSION:
	case CTL_WORD_KEY:
		add_live(c, prefix, word);
		break;
	}
}

static void add_options(const struct completion *c)
{
	const struct ctl_option *own = c->verb ? c->verb->options : NULL;

	for (const struct ctl_option *o = own; o && o->name; o++)
		add(c, "--", o->name, o->doc);
	for (const struct ctl_option *o = global_options; o->name; o++)
		if (!args_find_long(own, o->name, strlen(o->name)))
			add(c, "--", o->name, o->doc);
}

static void add_verbs(const struct completion *c)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if ((*v)->summary)
			add(c, "", (*v)->name, (*v)->summary);
}

static void add_args(const struct completion *c)
{
	const struct verb *verb = c->verb;

	if (c->n_args >= verb->max_args)
		return;
	if (c->n_args > 0 && verb->lone && args_is_choice(verb->lone, c->args[0]))
		return;
	if (c->n_args > 0 && verb->more != CTL_WORD_NONE)
		add_word(c, "", verb->more, NULL);
	else if (c->n_args == 0 || verb->word != CTL_WORD_CHOICE)
		add_word(c, "", verb->word, verb->choices);
}

/* --- the line ---------------------------------------------------------------------------------- */

static const struct ctl_option *find_in(
	const struct ctl_option *options, const char *word, size_t len)
{
	return strncmp(word, "--", 2) == 0 ? args_find_long(options, word + 2, len - 2)
	       : len == 2                  ? args_find_letter(options, word[1])
					   : NULL;
}

/* "--name", "--name=value", "-n"; NULL: it is unknown. */
static const struct ctl_option *find_option(const struct completion *c, const char *word)
{
	size_t len = strcspn(word, "=");
	const struct ctl_option *option = NULL;

	if (len < 2)
		return NULL;
	if (c->verb)
		option = find_in(c->verb->options, word, len);
	return option ? option : find_in(global_options, word, len);
}

static void note_value(struct completion *c, const struct ctl_option *option, const char *value)
{
	if (streq(option->name, "socket"))
		c->socket = value;
	else if (streq(option->name, "file"))
		c->file = value;
}

static void walk_option(struct completion *c, const char *word)
{
	const struct ctl_option *option = find_option(c, word);
	const char *value = strchr(word, '=');

	if (!option || !option->arg)
		return;
	if (value)
		note_value(c, option, value + 1);
	else
		c->pending = option;
}

/* Over the words before the one that is typed. */
static void walk(struct completion *c, const char *word)
{
	if (c->pending) {
		note_value(c, c->pending, word);
		c->pending = NULL;
	} else if (!c->is_plain && streq(word, "--")) {
		c->is_plain = true;
	} else if (!c->is_plain && word[0] == '-' && word[1]) {
		walk_option(c, word);
	} else if (!c->verb) {
		c->verb = args_find_verb(word);
		c->is_plain |= !c->verb; /* a mistyped verb has no words */
	} else {
		c->args[c->n_args++] = word;
		c->is_plain |= c->verb->takes_rest;
	}
}

static void finish(const struct completion *c)
{
	const char *equals = strchr(c->current, '=');
	const struct ctl_option *option = c->is_plain ? NULL : find_option(c, c->current);

	if (c->pending) {
		add_word(c, "", c->pending->word, c->pending->choices);
	} else if (!c->is_plain && c->current[0] == '-' && equals) {
		auto_free char *prefix = alloc_mem(c->current, (size_t)(equals + 1 - c->current));

		if (option && option->arg)
			add_word(c, prefix, option->word, option->choices);
	} else if (!c->is_plain && c->current[0] == '-') {
		add_options(c);
	} else if (c->verb) {
		add_args(c);
	} else if (!c->is_plain) {
		add_verbs(c);
	}
}

void complete_line(const char *line, complete_live_fn *live, void *arg, struct strbuf *out)
{
	struct words words = { 0 };
	struct completion c = { .live = live, .arg = arg, .out = out };

	if (split(line, &words) && words.n > 1) {
		c.current = words.at[words.n - 1];
		for (size_t i = 1; i + 1 < words.n; i++)
			walk(&c, words.at[i]);
		finish(&c);
	}
	free(words.text);
}
