/* See order.h. */
#include "workers/courier/order.h"

#include <errno.h>

#include "shared/schema.h"
#include "workers/common/target.h"

enum { MAX_PATH = 4096, MAX_VALUE = 1024, DEFAULT_MS = 10000 };

#define COMMON                                                                                     \
	PARAM(order, url, .required = true, RANGE(1, TARGET_MAX_BYTES), .doc = "Where to."),       \
		PARAM(order, ca_file, AT_MOST(MAX_PATH), .def_str = "",                            \
			.doc = "Certificates that are trusted instead of the system's."),          \
		PARAM(order, timeout_ms, RANGE(1, ORDER_MAX_MS), .def_int = DEFAULT_MS,            \
			.doc = "For all of it.")

static const struct param fetch_params[] = {
	COMMON,
	PARAM(order, max_bytes, RANGE(1, ORDER_MAX_BYTES), .def_int = ORDER_MAX_BYTES,
		.doc = "Of the answer's body."),
	PARAM(order, accept, AT_MOST(MAX_VALUE), .def_str = "*/*", .doc = "What is wanted."),
	{ 0 },
};

static const struct param post_params[] = {
	COMMON,
	PARAM(order, headers_file, AT_MOST(MAX_PATH), .def_str = "",
		.doc = "Lines Name: value, for the request."),
	PARAM(order, content_type, .required = true, RANGE(1, MAX_VALUE), .doc = "Of the body."),
	PARAM(order, body, .required = true, AT_MOST(ORDER_MAX_BYTES), .doc = "What is sent."),
	{ 0 },
};

static const struct param *params_of(const struct order *order)
{
	return order->is_post ? post_params : fetch_params;
}

/* It becomes the value of a header. */
static bool is_one_line(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

int order_read(struct jspan method, struct jspan params, struct order *ret, struct fail *fail)
{
	json_error_t error;
	int r;

	*ret = (struct order){ .is_post = jspan_is(method, "courier/post") };
	ret->json = params.at ? json_loadb(params.at, params.len, JSON_REJECT_DUPLICATES, &error)
			      : json_object();
	if (!ret->json)
		return fail_set(fail, -EINVAL, "the order cannot be read: %s", error.text);
	r = schema_decode(params_of(ret), ret->json, ret, fail);
	if (r < 0)
		return r;
	if (!is_one_line(ret->accept) || !is_one_line(ret->content_type))
		return fail_set(fail, -EINVAL, "a header would have a control character in it");
	return 0;
}

void order_done(struct order *order)
{
	schema_done(params_of(order), order);
	json_decref(order->json);
	*order = (struct order){ 0 };
}
