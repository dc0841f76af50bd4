/* See notices.h. */
#include "ctl/notices.h"

#include "shared/alloc.h"
#include "shared/limits.h"

enum { MAX_NOTICES = 4096 };
#define MAX_BYTES (64 * MIB)

struct notice {
	char *method;
	json_t *params;
	size_t bytes;
};

bool notices_add(struct notices *notices, const json_t *message)
{
	size_t bytes = json_dumpb(message, NULL, 0, JSON_COMPACT);

	if (notices->n - notices->first >= MAX_NOTICES ||
		bytes > (size_t)MAX_BYTES - notices->bytes)
		return false;
	notices->items = alloc_resize(notices->items, notices->n + 1, sizeof(*notices->items));
	notices->items[notices->n++] = (struct notice){
		.method = alloc_str(json_string_value(json_object_get(message, "method"))),
		.params = json_incref(json_object_get(message, "params")),
		.bytes = bytes,
	};
	notices->bytes += bytes;
	return true;
}

bool notices_take(struct notices *notices, char **ret_method, json_t **ret_params)
{
	const struct notice *notice;

	if (notices_is_empty(notices))
		return false;
	notice = &notices->items[notices->first++];
	notices->bytes -= notice->bytes;
	*ret_method = notice->method;
	*ret_params = notice->params;
	if (notices_is_empty(notices))
		notices->first = notices->n = 0;
	return true;
}

bool notices_is_empty(const struct notices *notices)
{
	return notices->first == notices->n;
}

void notices_done(struct notices *notices)
{
	char *method;
	json_t *params;

	while (notices_take(notices, &method, &params)) {
		free(method);
		json_decref(params);
	}
	free(notices->items);
	*notices = (struct notices){ 0 };
}
