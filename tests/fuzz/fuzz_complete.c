/* A command line that is typed, and names of a daemon: what is offered begins with what was typed, and a shell takes
 * it as one plain word. The line is what stands before the first NUL, the rest are names, one a line. */
#include "ctl/call_value.h"
#include "ctl/complete.h"
#include "tests/fuzz/fuzz.h"

static json_t *give_names(void *arg, const struct complete_ask *ask)
{
	json_t *names = json_object();

	for (const char *at = arg; *at;) {
		size_t len = strcspn(at, "\n");
		auto_free char *name = alloc_mem(at, len);

		(void)json_object_set_new(
			names, name, json_string(name)); /* fails when not UTF-8 */
		at += len + (at[len] == '\n');
	}
	return names;
}

static void check_lines(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t word = strcspn(text, "\t\n");

		CHECK(text[len] == '\n');
		CHECK(word > 0);
		for (size_t i = 0; i < word; i++)
			CHECK(text[i] > ' ' && text[i] < 0x7f &&
				!strchr("$`\"'\\;&|<>(){}[]*?!#~", text[i]));
		text += len + 1;
	}
}

/* The same bytes as a word of 'call', against a schema of their own. */
static void check_value(const char *line, const char *schema_text)
{
	json_auto_t *schema = json_loads(schema_text, 0, NULL);
	json_auto_t *args = json_object();
	struct fail fail = { 0 };

	if (strchr(line, '@')) /* it would read files */
		return;
	if (call_value_add(args, schema, line, &fail) < 0)
		CHECK(fail.code < 0 && fail.text[0]);
	else
		CHECK(json_object_size(args) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(data, size);
	size_t len = strlen(text);
	const char *names = len < size ? text + len + 1 : "";
	auto_free char *given = alloc_str(names);
	auto_strbuf out = { 0 };

	complete_line(text, give_names, given, &out);
	check_lines(strbuf_get(&out));
	check_value(text, names);
	return 0;
}
