/* See precheck.h. */
#include "workers/registrar/precheck.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/quote.h"
#include "shared/utf8.h"
#include "workers/registrar/slug.h"

enum {
	MAX_PEER_NAME = 255,
	MAX_TAG = 100,
	MIN_TAG = 2,
};

/* In a description; the gateway takes them for an attack. */
static const char *const refused_texts[] = { "&&", "||", "$(",
	"javascript:", "vbscript:", "<script", "<iframe", "<object", "<embed", "<form", "<input",
	"<button", "<link", "<meta", "<base", "<svg", "<img", "<style" };

static int check_name(const char *name, struct fail *fail)
{
	char quoted[QUOTE_SIZE];

	for (const char *c = name; *c; c++)
		if (!ascii_is_letter(*c) && !ascii_is_digit(*c) && !strchr("_.- ", *c))
			return fail_set(fail, -EINVAL,
				"the gateway takes names of letters, digits and _ . - only, not %s",
				quote(quoted, name));
	if (strlen(name) > MAX_PEER_NAME)
		return fail_set(
			fail, -EINVAL, "the name %s is over 255 characters", quote(quoted, name));
	return 0;
}

static int check_text(const char *text, const char *what, struct fail *fail)
{
	for (size_t i = 0; text && i < N_ELEMENTS(refused_texts); i++)
		if (strcasestr(text, refused_texts[i]))
			return fail_set(fail, -EINVAL,
				"the gateway refuses the description of %s, because '%s' stands in it",
				what, refused_texts[i]);
	return 0;
}

static bool is_tool_name(const char *name)
{
	if (!ascii_is_letter(*name) && !ascii_is_digit(*name) && *name != '_')
		return false;
	for (const char *c = name; *c; c++)
		if (!ascii_is_letter(*c) && !ascii_is_digit(*c) && !strchr("_./-", *c))
			return false;
	return true;
}

static int check_tool(json_t *tool, size_t slug_len, struct fail *fail)
{
	const char *name = json_string_value(json_object_get(tool, "name"));
	const char *description = json_string_value(json_object_get(tool, "description"));
	char quoted[QUOTE_SIZE];

	if (!name || !*name)
		return fail_set(fail, -EINVAL, "a tool has no name");
	(void)quote(quoted, name);
	if (!is_tool_name(name))
		return fail_set(fail, -EINVAL,
			"the gateway takes tool names of letters, digits and _ . / - only, not %s",
			quoted);
	if (strlen(name) > PRECHECK_MAX_NAME || slug_len + 1 + strlen(name) > PRECHECK_MAX_NAME)
		return fail_set(fail, -EINVAL,
			"the tool %s has a name too long for the gateway: with the domain's name in "
			"front it is over 128 characters",
			quoted);
	if (!json_is_object(json_object_get(tool, "inputSchema")))
		return fail_set(
			fail, -EINVAL, "the inputSchema of the tool %s is no object", quoted);
	return check_text(description, quoted, fail);
}

/* Two tools whose names become the same are both taken and clash silently. */
static int check_unique(json_t *tools, struct fail *fail)
{
	json_auto_t *seen = json_object();
	json_t *tool;
	size_t i;

	json_array_foreach(tools, i, tool) {
		const char *name = json_string_value(json_object_get(tool, "name"));
		auto_free char *slug = slug_make(name);
		json_t *other = json_object_get(seen, slug);
		char quoted[QUOTE_SIZE];
		char other_quoted[QUOTE_SIZE];

		if (other)
			return fail_set(fail, -EINVAL,
				"the gateway gives the tools %s and %s the same name",
				quote(other_quoted, json_string_value(other)), quote(quoted, name));
		(void)json_object_set_new(seen, slug, json_string(name));
	}
	return 0;
}

int precheck_peer(
	const char *gateway_name, const char *description, json_t *tools, struct fail *fail)
{
	auto_free char *slug = slug_make(gateway_name);
	json_t *tool;
	size_t i;
	int r = check_name(gateway_name, fail);

	if (r == 0 && !*slug)
		r = fail_set(fail, -EINVAL, "the name has no letter and no digit");
	if (r == 0)
		r = check_text(description, "the domain", fail);
	json_array_foreach(tools, i, tool)
		if (r == 0)
			r = check_tool(tool, strlen(slug), fail);
	return r < 0 ? r : check_unique(tools, fail);
}

int precheck_tag(const char *tag, struct fail *fail)
{
	size_t n = utf8_count(tag, strlen(tag));
	char quoted[QUOTE_SIZE];

	if (n < MIN_TAG || n > MAX_TAG || strpbrk(tag, "<>"))
		return fail_set(fail, -EINVAL,
			"the gateway drops the tag %s: it takes 2 to 100 characters without < and >",
			quote(quoted, tag));
	return 0;
}
