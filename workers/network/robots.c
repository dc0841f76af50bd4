/* See robots.h. */
#include "workers/network/robots.h"

#include <stdint.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/span.h"
#include "shared/strbuf.h"

struct robots_rule {
	char *pattern; /* percent-encoding normal, as of normalize() */
	size_t len;
	bool allow;
};

struct rules {
	struct robots_rule *items;
	size_t n;
	size_t size;
	bool named; /* a group of this name is there, even if it is empty */
};

struct robots {
	struct rules own;  /* for our name */
	struct rules rest; /* for *; empty when there are ours */
};

static void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		free(rules->items[i].pattern);
	free(rules->items);
	*rules = (struct rules){ 0 };
}

void robots_free(struct robots *robots)
{
	if (!robots)
		return;

	rules_done(&robots->own);
	rules_done(&robots->rest);
	free(robots);
}

static bool is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c > 0 && c < 0x80 && strchr("-._~", c));
}

/* So that one path has one spelling: what needs no encoding is not encoded, what is not ASCII is, and
 * hexadecimal digits are large. */
static char *normalize(struct span text)
{
	static const char digits[] = "0123456789ABCDEF";
	auto_strbuf out = { 0 };

	for (size_t i = 0; i < text.len; i++) {
		int c = (unsigned char)text.at[i];
		int high = c == '%' && text.len - i > 2 ? ascii_hex_value(text.at[i + 1]) : -1;
		int low = high >= 0 ? ascii_hex_value(text.at[i + 2]) : -1;
		bool is_encoded = low >= 0;

		if (is_encoded) {
			c = high * 16 + low;
			i += 2;
		}
		if ((is_encoded && !is_unreserved(c)) || c >= 0x80) {
			const char encoded[] = { '%', digits[c / 16], digits[c % 16] };

			strbuf_add(&out, encoded, sizeof(encoded));
		} else {
			strbuf_addc(&out, (char)c);
		}
	}

	return strbuf_take(&out);
}

static void add_rule(struct rules *rules, struct span pattern, bool allow)
{
	struct robots_rule *rule;

	/* "Disallow:" alone disallows nothing. */
	if (pattern.len == 0 || rules->n == ROBOTS_MAX_RULES)
		return;
	if (rules->n == rules->size) {
		rules->size = rules->size ? rules->size * 2 : 16;
		rules->items = alloc_resize(rules->items, rules->size, sizeof(*rules->items));
	}
	rule = &rules->items[rules->n++];
	rule->pattern = normalize(pattern);
	rule->len = strlen(rule->pattern);
	rule->allow = allow;
}

static struct span trim(struct span span)
{
	while (span.len > 0 && strchr(" \t", *span.at) && *span.at) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 && strchr(" \t", span.at[span.len - 1]) && span.at[span.len - 1])
		span.len--;

	return span;
}

/* "name: value # comment". False: no such line. */
static bool split_line(struct span line, struct span *ret_name, struct span *ret_value)
{
	const char *comment = memchr(line.at, '#', line.len);
	const char *colon;

	if (comment)
		line.len = (size_t)(comment - line.at);
	colon = memchr(line.at, ':', line.len);
	if (!colon || memchr(line.at, '\0', line.len))
		return false;

	*ret_name = trim((struct span){ .at = line.at, .len = (size_t)(colon - line.at) });
	*ret_value = trim(
		(struct span){ .at = colon + 1, .len = line.len - (size_t)(colon + 1 - line.at) });
	return true;
}

/* Which of the groups the lines at hand belong to. */
struct group {
	bool is_own;
	bool is_rest;
	bool has_rules; /* a user-agent line begins a new group */
};

/* A product token may have a version behind it: "mcp-fleet/1.0". */
static bool names_agent(struct span value, const char *agent)
{
	size_t len = strlen(agent);

	if (value.len < len || strncasecmp(value.at, agent, len) != 0)
		return false;

	return value.len == len || strchr("/ \t", value.at[len]) != NULL;
}

static void read_line(
	struct robots *robots, struct group *group, struct span line, const char *agent)
{
	struct span name;
	struct span value;
	bool allow;

	if (!split_line(line, &name, &value))
		return;
	if (span_is_nocase(name, "user-agent")) {
		if (group->has_rules)
			*group = (struct group){ 0 };
		if (names_agent(value, agent))
			robots->own.named = group->is_own = true;
		if (span_is(value, "*"))
			robots->rest.named = group->is_rest = true;
		return;
	}
	allow = span_is_nocase(name, "allow");
	if (!allow && !span_is_nocase(name, "disallow"))
		return;

	group->has_rules = true;
	if (group->is_own)
		add_rule(&robots->own, value, allow);
	if (group->is_rest)
		add_rule(&robots->rest, value, allow);
}

struct robots *robots_parse(const char *text, size_t len, const char *agent)
{
	struct robots *robots = alloc_zero(sizeof(*robots));
	struct group group = { 0 };
	const char *end;

	if (len > ROBOTS_MAX_BYTES)
		len = ROBOTS_MAX_BYTES;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	end = text + len;
	while (text < end) {
		const char *stop = text;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		read_line(robots, &group, (struct span){ .at = text, .len = (size_t)(stop - text) },
			agent);
		text = stop + (stop < end);
	}
	if (robots->own.named)
		rules_done(&robots->rest);

	return robots;
}

/* Greedy with one place to come back to: a star never needs an earlier one again. At most pattern
 * times path steps, which are taken from *budget; when that is empty, it is a match. */
static bool matches(const char *pattern, const char *path, size_t *budget)
{
	const char *star = NULL;
	const char *star_path = NULL;

	while (*pattern) {
		bool at_end_mark = *pattern == '$' && pattern[1] == '\0';

		if (*budget == 0)
			return true;
		--*budget;
		if (at_end_mark && *path == '\0')
			return true;
		if (*pattern == '*') {
			star = ++pattern;
			star_path = path;
		} else if (!at_end_mark && *path && *pattern == *path) {
			pattern++;
			path++;
		} else if (star && *star_path) {
			pattern = star;
			path = ++star_path;
		} else {
			return false;
		}
	}

	return true;
}

bool robots_allow(const struct robots *robots, const char *path)
{
	const struct rules *rules = robots->own.named ? &robots->own : &robots->rest;
	auto_free char *normal = normalize((struct span){ .at = path, .len = strlen(path) });
	size_t budget = ROBOTS_MAX_STEPS;
	size_t longest = 0;
	bool allow = true;

	/* The file itself may always be read (RFC 9309, section 2.2.2). */
	if (streq(normal, "/robots.txt"))
		return true;
	for (size_t i = 0; i < rules->n; i++) {
		const struct robots_rule *rule = &rules->items[i];

		if (rule->len < longest || (rule->len == longest && allow))
			continue;
		if (!matches(rule->pattern, normal, &budget))
			continue;
		longest = rule->len;
		allow = rule->allow;
	}

	return allow && budget > 0;
}
