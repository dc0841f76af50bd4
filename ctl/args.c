/* See args.h.
 *
 * Not getopt_long(3): which options there are depends on the verb, which may stand behind some of them, and
 * an abbreviation that works today would be ambiguous after the next option. */
#include "ctl/args.h"

#include <stdio.h>

#include "config.h"

#include "ctl/nearest.h"
#include "ctl/number.h"
#include "ctl/output.h"

enum { DEFAULT_TIMEOUT_MS = 10000, MAX_TIMEOUT_S = 86400 };

const struct ctl_option global_options[] = {
	{ "socket", 0, "PATH", CTL_WORD_FILE, NULL, false,
		"the daemon's control socket (default: MCP_FLEET_CONTROL, else the usual places)" },
	{ "json", 0, NULL, CTL_WORD_NONE, NULL, false, "print JSON" },
	{ "timeout", 0, "SECONDS", CTL_WORD_TEXT, NULL, false,
		"how long the daemon may take for an answer (default: 10)" },
	{ "help", 'h', NULL, CTL_WORD_NONE, NULL, false, "print this and end" },
	{ "version", 'V', NULL, CTL_WORD_NONE, NULL, false, "print the version and end" },
	{ 0 },
};

struct parser {
	int argc;
	char **argv;
	int at; /* the next one */
	struct ctl_args *ret;
};

/* --- errors ------------------------------------------------------------------------------------ */

static void add_try(struct strbuf *text, const struct verb *verb)
{
	strbuf_addf(text, "\nTry 'mcp-fleetctl %s%s--help'.\n", verb ? verb->name : "",
		verb ? " " : "");
}

static int vusage(const struct verb *verb, const char *fmt, va_list args)
{
	auto_strbuf words = { 0 };
	auto_strbuf text = { 0 };

	strbuf_addv(&words, fmt, args);
	strbuf_addf(&text, "mcp-fleetctl%s%s: ", verb ? " " : "", verb ? verb->name : "");
	out_clean(&text, strbuf_get(&words));
	add_try(&text, verb);
	(void)fputs(strbuf_get(&text), stderr);
	return CTL_USAGE;
}

int ctl_usage(const struct verb *verb, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = vusage(verb, fmt, args);
	va_end(args);
	return r;
}

/* As ctl_usage(), for the parser: false. */
static bool wrong(const struct parser *p, const char *fmt, ...) printf_like(2, 3);

static bool wrong(const struct parser *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vusage(p->ret->verb, fmt, args);
	va_end(args);
	return false;
}

/* --- options ----------------------------------------------------------------------------------- */

const struct ctl_option *args_find_long(
	const struct ctl_option *options, const char *name, size_t len)
{
	for (const struct ctl_option *o = options; o && o->name; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

const struct ctl_option *args_find_letter(const struct ctl_option *options, char letter)
{
	for (const struct ctl_option *o = options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct ctl_option *own_options(const struct parser *p)
{
	return p->ret->verb ? p->ret->verb->options : NULL;
}

/* The verb that has this option, where none was named yet. */
static const struct verb *find_owner(const char *name, size_t len, char letter)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (letter ? args_find_letter((*v)->options, letter)
			   : args_find_long((*v)->options, name, len))
			return *v;
	return NULL;
}

static bool refuse_unknown(const struct parser *p, const char *name, size_t len)
{
	struct nearest nearest = nearest_begin(name, len);
	const struct verb *owner = p->ret->verb ? NULL : find_owner(name, len, 0);

	if (owner)
		return wrong(p, "option '--%.*s' stands behind the verb: mcp-fleetctl %s --%.*s",
			(int)len, name, owner->name, (int)len, name);
	for (const struct ctl_option *o = own_options(p); o && o->name; o++)
		nearest_offer(&nearest, o->name);
	for (const struct ctl_option *o = global_options; o->name; o++)
		nearest_offer(&nearest, o->name);
	if (nearest.best)
		return wrong(p, "unknown option '--%.*s'; did you mean '--%s'?", (int)len, name,
			nearest.best);
	return wrong(p, "unknown option '--%.*s'", (int)len, name);
}

bool args_is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = choices; *at;) {
		size_t n = strcspn(at, " ");

		if (n == len && len && strncmp(at, value, len) == 0)
			return true;
		at += n + strspn(at + n, " ");
	}
	return false;
}

static bool note_option(struct parser *p, const struct ctl_option *option, const char *value)
{
	struct ctl_args *ret = p->ret;

	if (option->word == CTL_WORD_CHOICE && value && !args_is_choice(option->choices, value))
		return wrong(p, "--%s: '%s' is none of: %s", option->name, value, option->choices);
	if (ret->n_options == N_ELEMENTS(ret->options))
		return wrong(p, "more than %zu options", N_ELEMENTS(ret->options));
	ret->options[ret->n_options] = option;
	ret->values[ret->n_options++] = value;
	return true;
}

/* With its value, which is `attached`, or the next word. */
static bool take_option(struct parser *p, const struct ctl_option *option, const char *attached)
{
	if (!option->arg && attached)
		return wrong(p, "option '--%s' takes no value", option->name);
	if (option->arg && !attached) {
		if (p->at == p->argc)
			return wrong(
				p, "option '--%s' needs a value: %s", option->name, option->arg);
		attached = p->argv[p->at++];
	}
	return note_option(p, option, attached);
}

static bool take_long(struct parser *p, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct ctl_option *option = args_find_long(own_options(p), name, len);

	if (!option)
		option = args_find_long(global_options, name, len);
	if (!option)
		return refuse_unknown(p, name, len);
	return take_option(p, option, name[len] ? name + len + 1 : NULL);
}

/* "-f", "-n5", "-fn5". */
static bool take_letters(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct ctl_option *option = args_find_letter(own_options(p), *letters);
		const struct verb *owner;

		if (!option)
			option = args_find_letter(global_options, *letters);
		if (!option) {
			owner = p->ret->verb ? NULL : find_owner("", 0, *letters);
			return owner ? wrong(p,
					       "option '-%c' stands behind the verb: mcp-fleetctl "
					       "%s -%c",
					       *letters, owner->name, *letters)
				     : wrong(p, "unknown option '-%.*s'",
					       (*letters & 0x80) ? (int)strlen(letters) : 1,
					       letters);
		}
		if (option->arg)
			return take_option(p, option, letters[1] ? letters + 1 : NULL);
		if (!take_option(p, option, NULL))
			return false;
	}
	return true;
}

/* --- words ------------------------------------------------------------------------------------- */

const struct verb *args_find_verb(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (streq((*v)->name, name))
			return *v;
	return NULL;
}

static bool take_verb(struct parser *p, const char *name)
{
	struct nearest nearest = nearest_begin(name, strlen(name));

	p->ret->verb = args_find_verb(name);
	if (p->ret->verb)
		return true;
	for (const struct verb *const *v = verbs; *v; v++)
		if ((*v)->summary) /* not those that only the completions use */
			nearest_offer(&nearest, (*v)->name);
	if (nearest.best)
		return wrong(p, "unknown verb '%s'; did you mean '%s'?", name, nearest.best);
	return wrong(p, "unknown verb '%s'", name);
}

/* argv is put in order as it is read: what is no option moves to the place of `rest`. */
static bool take_word(struct parser *p, char *word)
{
	if (!p->ret->verb)
		return take_verb(p, word);
	p->ret->rest[p->ret->n_rest++] = word;
	return true;
}

static bool take_all(struct parser *p)
{
	bool is_plain = false; /* behind "--", or in what belongs to another program */

	while (p->at < p->argc) {
		char *word = p->argv[p->at++];

		if (!is_plain && streq(word, "--")) {
			is_plain = true;
			continue;
		}
		if (!is_plain && word[0] == '-' && word[1] == '-') {
			if (!take_long(p, word + 2))
				return false;
		} else if (!is_plain && word[0] == '-' && word[1]) {
			if (!take_letters(p, word + 1))
				return false;
		} else if (!take_word(p, word)) {
			return false;
		}
		is_plain |= p->ret->n_rest > 0 && p->ret->verb->takes_rest;
	}
	return true;
}

static bool check_count(const struct parser *p)
{
	const struct verb *verb = p->ret->verb;
	size_t n = p->ret->n_rest;

	if (n < verb->min_args)
		return wrong(
			p, "an argument is missing: mcp-fleetctl %s %s", verb->name, verb->args);
	if (n > verb->max_args)
		return verb->max_args ? wrong(p, "unexpected argument '%s'",
						args_at(p->ret, verb->max_args))
				      : wrong(p, "unexpected argument '%s': it takes none",
						p->ret->rest[0]);
	if (verb->word == CTL_WORD_CHOICE && n && !args_is_choice(verb->choices, p->ret->rest[0]))
		return wrong(p, "'%s' is none of: %s", p->ret->rest[0], verb->choices);
	return true;
}

/* --- what all verbs share ---------------------------------------------------------------------- */

static bool read_globals(const struct parser *p, struct ctl *ret)
{
	const char *from_env = getenv("MCP_FLEET_CONTROL");
	const char *socket = args_get(p->ret, "socket");
	const char *timeout = args_get(p->ret, "timeout");
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	*ret = (struct ctl){
		.socket = socket ? socket : (from_env && *from_env ? from_env : NULL),
		.is_json = args_has(p->ret, "json"),
		.is_terminal = isatty(STDOUT_FILENO) == 1,
		.timeout_ms = DEFAULT_TIMEOUT_MS,
		.limit_ms = -1,
	};
	ret->has_colors = ret->is_terminal && term && *term && !streq(term, "dumb") &&
			  !(no_color && *no_color);
	if (timeout && !number_read_seconds(timeout, MAX_TIMEOUT_S, &ret->timeout_ms))
		return wrong(p, "--timeout: '%s' is no number of seconds from 0.001 to %d", timeout,
			MAX_TIMEOUT_S);
	if (timeout)
		ret->limit_ms = ret->timeout_ms;
	return true;
}

/* Before it is complained that something is missing. */
static bool wants_words(const struct ctl_args *args)
{
	if (args_has(args, "help")) {
		args_print_help(args->verb);
		return true;
	}
	if (args_has(args, "version")) {
		(void)printf("mcp-fleetctl %s\n", PACKAGE_VERSION);
		return true;
	}
	return false;
}

enum args_verdict args_parse(int argc, char **argv, struct ctl *ret_ctl, struct ctl_args *ret)
{
	struct parser p = { .argc = argc, .argv = argv, .at = 1, .ret = ret };

	*ret = (struct ctl_args){ .rest = argc > 0 ? argv + 1 : argv };
	if (!take_all(&p))
		return ARGS_WRONG;
	if (ret->verb)
		ret->rest[ret->n_rest] = NULL;
	if (wants_words(ret))
		return ARGS_DONE;
	if (!ret->verb) {
		(void)wrong(&p, "a verb is missing, as 'status'");
		return ARGS_WRONG;
	}
	return check_count(&p) && read_globals(&p, ret_ctl) ? ARGS_RUN : ARGS_WRONG;
}

/* --- what was given ---------------------------------------------------------------------------- */

bool args_has(const struct ctl_args *args, const char *option)
{
	for (size_t i = 0; i < args->n_options; i++)
		if (streq(args->options[i]->name, option))
			return true;
	return false;
}

const char *args_get(const struct ctl_args *args, const char *option)
{
	for (size_t i = args->n_options; i > 0; i--)
		if (streq(args->options[i - 1]->name, option))
			return args->values[i - 1];
	return NULL;
}

const char *args_get_nth(const struct ctl_args *args, const char *option, size_t i)
{
	for (size_t at = 0; at < args->n_options; at++)
		if (streq(args->options[at]->name, option) && i-- == 0)
			return args->values[at];
	return NULL;
}

size_t args_count(const struct ctl_args *args)
{
	return args->n_rest;
}

const char *args_at(const struct ctl_args *args, size_t i)
{
	return i < args->n_rest ? args->rest[i] : NULL;
}

char *const *args_rest(const struct ctl_args *args)
{
	return args->rest;
}
