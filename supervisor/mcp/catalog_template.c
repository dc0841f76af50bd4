/* See catalog_template.h.
 *
 * The template is walked part by part, with the set of all places in the URI where the next part may begin:
 * no backtracking, so the worst case is the product of the lengths. */
#include "supervisor/mcp/catalog_template.h"

#include <string.h>

#include "shared/cleanup.h"

enum { BYTES_PER_STEP = 16 };

/* What an expression may stand for. */
struct wild {
	char first;        /* how it begins when it is not empty; 0: with anything */
	bool may_be_empty; /* else it is one character or more */
	const char *stop;  /* it holds none of these, `first` apart */
};

struct places {
	bool at[TEMPLATE_MAX_BYTES + 1]; /* the next part may begin there */
	size_t len;                      /* of the URI */
};

/* `at` is on the '{', `end` on the '}'. */
static struct wild read_expression(const char *at, const char *end)
{
	bool is_list = memchr(at, '*', (size_t)(end - at)) || memchr(at, ',', (size_t)(end - at));
	bool is_exploded = memchr(at, '*', (size_t)(end - at));

	switch (at[1]) {
	case '+':
		return (struct wild){ .stop = "" };
	case '#':
		return (struct wild){ .first = '#', .may_be_empty = true, .stop = "" };
	case '?':
	case '&':
		return (struct wild){ .first = at[1], .may_be_empty = true, .stop = "#" };
	case '.':
	case ';':
		return (struct wild){ .first = at[1], .may_be_empty = true, .stop = "/" };
	case '/':
		return (struct wild){
			.first = '/', .may_be_empty = true, .stop = is_list ? "" : "/"
		};
	default:
		return (struct wild){ .stop = is_exploded ? "" : "/" };
	}
}

static size_t take(size_t *steps, size_t n)
{
	size_t taken = n < *steps ? n : *steps;

	*steps -= taken;
	return taken;
}

/* Moves every place behind `len` bytes of literal text; those where it does not stand are lost. */
static void pass_literal(
	struct places *places, const char *uri, const char *literal, size_t len, size_t *steps)
{
	for (size_t i = places->len + 1; i-- > 0;) { /* from the end, for it moves in place */
		bool fits = places->at[i] && len <= places->len - i &&
			    memcmp(uri + i, literal, len) == 0;

		if (places->at[i])
			(void)take(steps, 1 + len / BYTES_PER_STEP);
		places->at[i] = false;
		if (fits)
			places->at[i + len] = true;
	}
}

static void pass_wild(struct places *places, const char *uri, const struct wild *wild)
{
	bool is_open = false; /* an expression that began further left may reach to here */

	for (size_t i = 0; i <= places->len; i++) {
		bool was_place = places->at[i];
		bool begins = was_place && i < places->len &&
			      (wild->first ? uri[i] == wild->first : !strchr(wild->stop, uri[i]));

		places->at[i] = is_open || (was_place && wild->may_be_empty);
		is_open = begins || (is_open && i < places->len && !strchr(wild->stop, uri[i]));
	}
}

bool template_matches(const char *template, const char *uri, size_t *steps)
{
	struct places places = { .len = strnlen(uri, TEMPLATE_MAX_BYTES + 1) };
	size_t literal = strcspn(template, "{");

	if (strncmp(template, uri, literal) != 0 || places.len > TEMPLATE_MAX_BYTES ||
		!template_is_valid(template))
		return false;
	places.at[literal] = true;
	template += literal;
	while (*template && *steps > 0) {
		const char *end = strchr(template, '}');

		if (*template == '{' && end) {
			const struct wild wild = read_expression(template, end);

			(void)take(steps, places.len + 1);
			pass_wild(&places, uri, &wild);
			template = end + 1;
		}
		literal = strcspn(template, "{");
		if (literal > 0)
			pass_literal(&places, uri, template, literal, steps);
		template += literal;
	}
	return !*template && places.at[places.len];
}

bool template_is_valid(const char *template)
{
	size_t n = 0;

	if (strnlen(template, TEMPLATE_MAX_BYTES + 1) > TEMPLATE_MAX_BYTES)
		return false;
	while ((template = strchr(template, '{'))) {
		const char *end = template + 1 + strcspn(template + 1, "{}");

		if (*end != '}' || end == template + 1 || ++n > TEMPLATE_MAX_EXPRESSIONS)
			return false;
		template = end + 1;
	}
	return true;
}
