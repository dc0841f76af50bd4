/* See regex_replace.h. The replacement is read once, into pieces of text and numbers of groups. */
#include "workers/utils/regex_replace.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/utf8.h"

struct piece {
	const char *text; /* literal, where len is not 0 */
	size_t len;
	size_t group;     /* else this group, */
	const char *name; /* or the one of this name that took part */
	size_t name_len;
};

struct replacement {
	char *text; /* the pieces point into it */
	struct piece *pieces;
	size_t n;
	size_t size;
};

DEFINE_FREEP(struct replacement, replacement_free)

void replacement_free(struct replacement *replacement)
{
	free(replacement->text);
	free(replacement->pieces);
	free(replacement);
}

static void add_piece(struct replacement *rep, struct piece piece)
{
	if (rep->n == rep->size) {
		rep->size = rep->size ? rep->size * 2 : 8;
		rep->pieces = alloc_resize(rep->pieces, rep->size, sizeof(*rep->pieces));
	}
	rep->pieces[rep->n++] = piece;
}

static int fail_at(
	const struct replacement *rep, const char *at, const char *words, struct failure *fail)
{
	return failure_set(fail, "invalid_argument", "replacement, character %zu: %s",
		utf8_count(rep->text, (size_t)(at - rep->text)) + 1, words);
}

static bool all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return len > 0;
}

/* A group by number or by name; `at` is where the dollar stands. */
static int add_group(struct replacement *rep, const struct regex *regex, const char *at,
	const char *name, size_t len, struct failure *fail)
{
	struct piece piece = { 0 };

	if (all_digits(name, len)) {
		for (size_t i = 0; i < len && piece.group < regex_n_groups(regex); i++)
			piece.group = piece.group * 10 + (size_t)(name[i] - '0');
		if (piece.group >= regex_n_groups(regex))
			return fail_at(rep, at,
				len > 1 ? "the pattern has no such group; write ${1}0 for group 1 and a 0"
					: "the pattern has no such group; write $$ for a dollar sign",
				fail);
	} else {
		if (!regex_has_name(regex, name, len))
			return fail_at(rep, at, "the pattern has no group of that name", fail);
		piece.name = name;
		piece.name_len = len;
	}
	add_piece(rep, piece);
	return 0;
}

/* *at stands at a dollar; moves it behind what belongs to it. */
static int read_dollar(
	struct replacement *rep, const struct regex *regex, const char **at, struct failure *fail)
{
	const char *dollar = *at;
	const char *name = dollar + 1;
	size_t len;

	if (*name == '$') {
		add_piece(rep, (struct piece){ .text = name, .len = 1 });
		*at = name + 1;
		return 0;
	}
	if (*name == '{') {
		len = strcspn(++name, "}");
		if (name[len] != '}')
			return fail_at(rep, dollar, "'}' is missing", fail);
		*at = name + len + 1;
	} else {
		len = strspn(name, "0123456789");
		if (len == 0)
			return fail_at(rep, dollar, "write $$ for a dollar sign", fail);
		*at = name + len;
	}
	return add_group(rep, regex, dollar, name, len, fail);
}

int replacement_parse(
	const char *text, const struct regex *regex, struct replacement **ret, struct failure *fail)
{
	auto_(replacement_freep) struct replacement *rep = alloc_zero(sizeof(*rep));
	const char *at;

	rep->text = alloc_str(text);
	at = rep->text;
	while (*at) {
		size_t literal = strcspn(at, "$");

		if (literal) {
			add_piece(rep, (struct piece){ .text = at, .len = literal });
			at += literal;
		} else if (read_dollar(rep, regex, &at, fail) < 0) {
			return -EINVAL;
		}
	}
	*ret = TAKE(rep);
	return 0;
}

struct output {
	struct strbuf *out;
	size_t max_bytes;
};

static bool add_bounded(struct output *o, const char *text, size_t len)
{
	if (len > o->max_bytes - o->out->len)
		return false;
	strbuf_add(o->out, text, len);
	return true;
}

static bool add_replacement(struct output *o, const struct regex *regex,
	const struct replacement *rep, const char *text)
{
	for (size_t i = 0; i < rep->n; i++) {
		const struct piece *piece = &rep->pieces[i];
		struct regex_span span;

		if (piece->len) {
			if (!add_bounded(o, piece->text, piece->len))
				return false;
			continue;
		}
		span = piece->name ? regex_named_group(regex, piece->name, piece->name_len)
				   : regex_group(regex, piece->group);
		if (span.from < span.to && !add_bounded(o, text + span.from, span.to - span.from))
			return false;
	}
	return true;
}

int regex_replace_all(struct regex *regex, const struct replacement *replacement, const char *text,
	size_t len, int64_t max_count, size_t max_bytes, struct strbuf *out, int64_t *ret_n,
	struct failure *fail)
{
	struct output o = { .out = out, .max_bytes = max_bytes };
	size_t copied = 0;
	bool fits = true;

	*ret_n = 0;
	regex_start(regex, text, len);
	while (fits && (max_count == 0 || *ret_n < max_count)) {
		struct regex_span span;
		int r = regex_next(regex, fail);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		span = regex_group(regex, 0);
		fits = add_bounded(&o, text + copied, span.from - copied) &&
		       add_replacement(&o, regex, replacement, text);
		copied = span.to;
		++*ret_n;
	}
	if (!fits || !add_bounded(&o, text + copied, len - copied))
		return failure_set(
			fail, "too_large", "the result has more than %zu bytes", max_bytes);
	return 0;
}
