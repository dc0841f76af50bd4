/* See catalog_world.h. */
#include "tests/unit/catalog_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"

static char *all_tools[] = { (char[]){ "*" } };
static char nothing[1];
static struct strbuf names;
static struct strbuf log_lines;
static struct strbuf taken;

struct conf_tools world_tools = { .federation_prefix = nothing };

/* Programs end with the tests. */
static void __attribute__((destructor)) free_texts(void)
{
	strbuf_done(&names);
	strbuf_done(&log_lines);
	strbuf_done(&taken);
}

struct conf_domain world_domain(const char *name, bool is_native)
{
	union {
		const char *in;
		char *out;
	} n = { name };

	return (struct conf_domain){ .name = n.out,
		.native = is_native ? name : NULL,
		.call_timeout_ms = 60000,
		.tools_allow = { .items = all_tools, .n = 1 } };
}

struct offering world_offering(const char *members, const char *info)
{
	auto_free char *text = alloc_printf("{\"takes_legacy\":true,\"info\":%s%s%s}",
		info ? info : "{}", *members ? "," : "", members);
	struct offering offering;

	if (offering_from_text(text, &offering) < 0)
		fail_msg("not an offering: %s", text);
	return offering;
}

void world_set(struct catalog *catalog, const struct conf_domain *conf, const char *members,
	const char *info)
{
	struct offering offering = world_offering(members, info);

	catalog_set_domain(catalog, conf, &offering);
	offering_done(&offering);
}

const char *world_names(const struct endpoint *endpoint, enum catalog_list list, const char *cursor)
{
	static const char *const members[CATALOG_LISTS] = { "tools", "resources",
		"resourceTemplates", "prompts" };
	static const char *const keys[CATALOG_LISTS] = { "name", "uri", "uriTemplate", "name" };
	size_t len;
	const char *text = endpoint_get_page(endpoint, list, cursor, &len);
	json_auto_t *page = text ? json_loadb(text, len, 0, NULL) : NULL;
	json_t *item;
	size_t i;

	if (!text)
		return "-";
	assert_non_null(page);
	strbuf_cut(&names, 0);
	json_array_foreach(json_object_get(page, members[list]), i, item)
		strbuf_addf(&names, "%s%s", i ? " " : "",
			json_string_value(json_object_get(item, keys[list])));
	return strbuf_get(&names);
}

static void keep_message(const struct iovec *fields, int n)
{
	static const size_t label = sizeof("MESSAGE=") - 1;

	assert_true(n > 0 && fields[0].iov_len > label);
	strbuf_add(&log_lines, (const char *)fields[0].iov_base + label, fields[0].iov_len - label);
	strbuf_addc(&log_lines, '\n');
}

void world_keep_log(void)
{
	strbuf_cut(&log_lines, 0);
	log_set_journal(keep_message);
	log_init("test", LOG_TARGET_JOURNAL, LOG_LEVEL_WARNING);
}

const char *world_take_log(void)
{
	strbuf_cut(&taken, 0);
	strbuf_adds(&taken, strbuf_get(&log_lines));
	strbuf_cut(&log_lines, 0);
	return strbuf_get(&taken);
}
