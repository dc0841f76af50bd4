/* The MCP side of the hostile worker: two tools, hostile_attempt and hostile_brood.
 *
 * It is no worker of ours on purpose: it takes any arguments, so that it can stand where any worker
 * stands. */
#include "tests/hostile/hostile.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"

static const char TOOLS[] =
	"{\"tools\":[{\"name\":\"hostile_attempt\",\"description\":\"Try.\",\"inputSchema\":"
	"{\"type\":\"object\"}},{\"name\":\"hostile_brood\",\"description\":\"Multiply.\","
	"\"inputSchema\":{\"type\":\"object\"}}]}";

static json_t *initialize(void)
{
	return json_pack("{s:s, s:{s:{}}, s:{s:s, s:s}}", "protocolVersion", "2025-06-18",
		"capabilities", "tools", "serverInfo", "name", "hostile", "version", "1");
}

static json_t *answer_call(int result)
{
	const char *text = "worked";
	auto_free char *name = NULL;

	if (result > 0)
		text = "no such attempt";
	else if (result < 0)
		text = strerrorname_np(-result);
	return json_pack("{s:[{s:s, s:s}]}", "content", "type", "text", "text", text);
}

static json_t *call_tool(json_t *params)
{
	json_t *args = json_object_get(params, "arguments");
	const char *name = json_string_value(json_object_get(params, "name"));

	if (name && strstr(name, "brood"))
		return answer_call(brood((int)json_integer_value(json_object_get(args, "n")),
			json_string_value(json_object_get(args, "name"))));
	return answer_call(attempt(args));
}

static json_t *result_of(const char *method, json_t *params)
{
	if (streq(method, "initialize"))
		return initialize();
	if (streq(method, "tools/list"))
		return json_loads(TOOLS, 0, NULL);
	if (streq(method, "tools/call"))
		return call_tool(params);
	return json_object();
}

static void answer(json_t *message)
{
	const char *method = json_string_value(json_object_get(message, "method"));
	json_t *id = json_object_get(message, "id");
	json_auto_t *out = NULL;

	if (!method || !id)
		return;
	out = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result",
		result_of(method, json_object_get(message, "params")));
	if (out && json_dumpf(out, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	(void)fflush(stdout);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		json_auto_t *message = json_loads(line, 0, NULL);

		if (message)
			answer(message);
	}
	free(line);
	return 0;
}
