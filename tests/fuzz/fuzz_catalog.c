/* What workers offer, in the catalog. The input is three texts with a line break between: the offering of
 * a domain with plain names, that of one with a prefix, and a name to look up.
 *
 * Whatever they are: the lists are JSON, what is listed is found under its name and leads to the domain, no
 * name is listed twice, and a domain's endpoint lists what the whole fleet does. */
#include "shared/log.h"
#include "supervisor/mcp/catalog.h"
#include "tests/fuzz/fuzz.h"

static char *all_tools[] = { (char[]){ "*" } };
static char federation[] = "fed";
static char name_a[] = "a";
static char name_b[] = "b-c";

static const struct {
	const char *member;
	const char *key;
	bool (*find)(const struct endpoint *, const struct principal *, const char *,
		struct catalog_target *);
} kinds[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "tools", "name", endpoint_find_tool },
	[CATALOG_RESOURCES] = { "resources", "uri", endpoint_find_resource },
	[CATALOG_TEMPLATES] = { "resourceTemplates", "uriTemplate", endpoint_find_template },
	[CATALOG_PROMPTS] = { "prompts", "name", endpoint_find_prompt },
};

/* One line of the input; yours to free. */
static char *take_line(const uint8_t **data, size_t *size)
{
	const char *at = (const char *)*data;
	const char *end = *size ? memchr(at, '\n', *size) : NULL;
	size_t len = end ? (size_t)(end - at) : *size;
	char *line = alloc_mem(*size ? at : "", len);

	*data += len + (end != NULL);
	*size -= len + (end != NULL);
	return line;
}

static void set(struct catalog *catalog, char *name, enum conf_names names, const char *text)
{
	const struct conf_domain conf = { .name = name,
		.names = names,
		.call_timeout_ms = 1000,
		.tools_allow = { .items = all_tools, .n = 1 } };
	struct offering offering;

	if (offering_from_text(text, &offering) < 0)
		return;
	catalog_set_domain(catalog, &conf, &offering);
	offering_done(&offering);
}

/* The names of a list: checked, in one array. */
static size_t check_list(const struct endpoint *endpoint, enum catalog_list list)
{
	size_t n = 0;
	size_t len;
	size_t cursor = 0;
	const char *text = endpoint_get_page(endpoint, list, NULL, &len);
	struct jspan page, items, item;
	json_auto_t *seen = json_object();

	CHECK(text && jspan_check(text, len, &page, NULL) == 0);
	items = jspan_member(page, kinds[list].member, NULL);
	CHECK(jspan_type(items) == JSPAN_ARRAY);
	for (; jspan_next(items, &cursor, NULL, &item); n++) {
		auto_strbuf name = { 0 };
		struct catalog_target target;

		CHECK(jspan_get_str(jspan_member(item, kinds[list].key, NULL), &name));
		CHECK(name.len > 0 && !json_object_get(seen, strbuf_get(&name)));
		(void)json_object_set_new(seen, strbuf_get(&name), json_true());
		CHECK(kinds[list].find(endpoint, NULL, strbuf_get(&name), &target));
		CHECK(streq(target.name, strbuf_get(&name)));
		CHECK(target.text && strlen(target.text) == item.len &&
			memcmp(target.text, item.at, item.len) == 0);
	}
	return n;
}

static void look_up(const struct endpoint *endpoint, const char *name)
{
	for (int l = 0; l < CATALOG_LISTS; l++) {
		struct catalog_target target;
		size_t len;

		if (kinds[l].find(endpoint, NULL, name, &target))
			CHECK(streq(target.domain, name_a) || streq(target.domain, name_b));
		CHECK(!endpoint_get_page(endpoint, (enum catalog_list)l, name, &len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct conf_tools conf = { .federation_prefix = federation };
	struct catalog *catalog = catalog_new(&conf);
	auto_free char *text_a = take_line(&data, &size);
	auto_free char *text_b = take_line(&data, &size);
	auto_free char *name = take_line(&data, &size);

	log_init("fuzz", LOG_TARGET_TEXT, (enum log_level)0);
	set(catalog, name_b, CONF_NAMES_PREFIX, text_b);
	set(catalog, name_a, CONF_NAMES_PLAIN, text_a);
	for (int l = 0; l < CATALOG_LISTS; l++) {
		enum catalog_list list = (enum catalog_list)l;
		const struct endpoint *a = catalog_endpoint(catalog, name_a);
		const struct endpoint *b = catalog_endpoint(catalog, name_b);

		CHECK(check_list(catalog_endpoint(catalog, NULL), list) ==
			(a ? check_list(a, list) : 0) + (b ? check_list(b, list) : 0));
	}
	look_up(catalog_endpoint(catalog, NULL), name);
	catalog_remove_domain(catalog, name_a);
	for (int l = 0; l < CATALOG_LISTS; l++)
		(void)check_list(catalog_endpoint(catalog, NULL), (enum catalog_list)l);
	catalog_free(catalog);
	return 0;
}
