/* Arguments against a table with every type of parameter: what is let through keeps the table's
 * promises, what is refused comes with words that fit into one line. */
#include <errno.h>
#include <jansson.h>

#include "shared/limits.h"
#include "shared/schema.h"
#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_args {
	bool flag;
	int64_t count;
	struct opt_int maybe;
	double ratio;
	struct opt_num limit;
	const char *name;
	const char *mode;
	struct str_list files;
	json_t *number;
	json_t *list;
	json_t *any;
	json_t *edits;
	int64_t task_id;
};

static const char *const modes[] = { "soft", "mixed", "hard", NULL };

static const struct param inner_params[] = {
	{ .name = "deep", .doc = "D.", .type = PARAM_NUM, .required = true, RANGE_NUM(-0.5, 0.5) },
	{ 0 },
};

static const struct param edit_params[] = {
	{ .name = "old", .doc = "O.", .type = PARAM_STR, .required = true, RANGE(1, 5) },
	{ .name = "inner", .doc = "I.", .type = PARAM_JSON, .items = inner_params, AT_MOST(2) },
	{ 0 },
};

static const struct param params[] = {
	PARAM(fuzz_args, flag, .doc = "F."),
	PARAM(fuzz_args, count, RANGE(1, 100), .def_int = 10, .doc = "C."),
	PARAM(fuzz_args, maybe, .has_min = true, .min = -5, .doc = "M."),
	PARAM(fuzz_args, ratio, RANGE_NUM(0.1, 60), .def_num = 2.5, .doc = "R."),
	PARAM(fuzz_args, limit, .doc = "L."),
	PARAM(fuzz_args, name, RANGE(2, 4), .doc = "N."),
	PARAM(fuzz_args, mode, .choices = modes, .def_str = "soft", .doc = "M."),
	PARAM(fuzz_args, files, RANGE(1, 3), .doc = "F."),
	PARAM(fuzz_args, number, .json_type = "number", .doc = "N."),
	PARAM(fuzz_args, list, .json_type = "array", AT_MOST(2), .doc = "L."),
	PARAM(fuzz_args, any, .doc = "A."),
	PARAM(fuzz_args, edits, .items = edit_params, AT_MOST(2), .doc = "E."),
	PARAM(fuzz_args, task_id, RANGE(0, 999999999), .digits_ok = true, .doc = "T."),
	{ 0 },
};

static bool is_mode(const char *text)
{
	for (size_t i = 0; modes[i]; i++)
		if (streq(text, modes[i]))
			return true;
	return false;
}

static void check_edits(json_t *edits)
{
	CHECK(json_is_array(edits) && json_array_size(edits) <= 2);
	for (size_t i = 0; i < json_array_size(edits); i++) {
		json_t *old = json_object_get(json_array_get(edits, i), "old");
		json_t *inner = json_object_get(json_array_get(edits, i), "inner");

		CHECK(json_is_string(old) && json_string_length(old) >= 1);
		CHECK(json_array_size(inner) <= 2);
		for (size_t j = 0; j < json_array_size(inner); j++)
			CHECK(json_is_number(json_object_get(json_array_get(inner, j), "deep")));
	}
}

static void check_accepted(const struct fuzz_args *a)
{
	CHECK(a->count >= 1 && a->count <= 100);
	CHECK(!a->maybe.set || a->maybe.value >= -5);
	CHECK(a->ratio >= 0.1 && a->ratio <= 60);
	CHECK(a->limit.set || a->limit.value == 0);
	if (a->name) {
		size_t n = utf8_count(a->name, strlen(a->name));

		CHECK(utf8_valid(a->name, strlen(a->name)) && n >= 2 && n <= 4);
	}
	CHECK(is_mode(a->mode));
	CHECK(a->files.n <= 3 && (a->files.n > 0) == (a->files.items != NULL));
	for (size_t i = 0; i < a->files.n; i++)
		CHECK(utf8_valid(a->files.items[i], strlen(a->files.items[i])));
	CHECK(!a->number || json_is_number(a->number));
	CHECK(!a->list || (json_is_array(a->list) && json_array_size(a->list) <= 2));
	CHECK(a->task_id >= 0 && a->task_id <= 999999999);
	if (a->edits)
		check_edits(a->edits);
}

static void check_refused(const struct fuzz_args *a, const struct fail *fail)
{
	const size_t len = strlen(fail->text);

	CHECK(fail->code == -EINVAL && len > 0);
	CHECK(utf8_valid(fail->text, len) && !strpbrk(fail->text, "\n\r\x1b"));
	CHECK(!a->files.items && !a->edits && !a->any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *json =
		json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	struct fail fail = { 0 };
	struct fuzz_args args;
	int r;

	if (!json)
		return 0;
	memset(&args, 0xa5, sizeof(args));
	r = schema_decode(params, json, &args, &fail);
	CHECK(r == 0 || r == -EINVAL);
	if (r == 0)
		check_accepted(&args);
	else
		check_refused(&args, &fail);
	schema_done(params, &args);
	return 0;
}
