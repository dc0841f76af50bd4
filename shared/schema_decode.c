/* The decoder of schema.h: checks arguments against a table, then fills the struct.
 *
 * A message names the argument as the asker wrote it, then what is allowed, then (shortened) what came. */
#include "shared/schema.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "shared/utf8.h"

/* Names that differ by more are not meant. */
enum { MAX_NAME = 64, MAX_DISTANCE = 2, MAX_DIGITS = 18 };

/* Doubles from -2^63 up to below 2^63 are those that an int64_t can hold. */
static const double INT_LIMIT = 9223372036854775808.0;

static int check_object(
	const struct param *params, const char *prefix, json_t *object, struct fail *fail);

static bool is_list(const struct param *p)
{
	return p->type == PARAM_STR_LIST || p->items ||
	       (p->type == PARAM_JSON && p->json_type && streq(p->json_type, "array"));
}

/* " of 1 to 200 characters", or nothing. */
static void add_size_range(struct strbuf *out, const struct param *p, const char *unit)
{
	if (p->has_min && p->min > 0 && p->has_max && p->min == p->max)
		strbuf_addf(out, " of %lld %s", (long long)p->min, unit);
	else if (p->has_min && p->min > 0 && p->has_max)
		strbuf_addf(out, " of %lld to %lld %s", (long long)p->min, (long long)p->max, unit);
	else if (p->has_max)
		strbuf_addf(out, " of at most %lld %s", (long long)p->max, unit);
	else if (p->has_min && p->min > 0)
		strbuf_addf(out, " of at least %lld %s", (long long)p->min, unit);
}

static void add_number_range(struct strbuf *out, const struct param *p)
{
	double min = (double)p->min + p->min_num;
	double max = (double)p->max + p->max_num;

	if (p->has_min && p->has_max)
		strbuf_addf(out, " from %.15g to %.15g", min, max);
	else if (p->has_min)
		strbuf_addf(out, " of at least %.15g", min);
	else if (p->has_max)
		strbuf_addf(out, " of at most %.15g", max);
}

static void add_choices(struct strbuf *out, const char *const *choices)
{
	strbuf_adds(out, "one of ");
	for (size_t i = 0; choices[i]; i++)
		strbuf_addf(out, "%s\"%s\"", i ? ", " : "", choices[i]);
}

static const char *words_for_json_type(const char *type)
{
	static const struct {
		const char *type;
		const char *words;
	} table[] = { { "string", "a string" }, { "integer", "an integer" },
		{ "number", "a number" }, { "boolean", "true or false" }, { "array", "a list" },
		{ "object", "an object" } };

	for (size_t i = 0; type && i < N_ELEMENTS(table); i++)
		if (streq(table[i].type, type))
			return table[i].words;
	return "any value";
}

/* What the argument may be: "an integer from 1 to 10". */
static void add_allowed(struct strbuf *out, const struct param *p)
{
	switch (p->type) {
	case PARAM_BOOL:
		strbuf_adds(out, "true or false");
		return;
	case PARAM_INT:
	case PARAM_OPT_INT:
		strbuf_adds(out, "an integer");
		add_number_range(out, p);
		return;
	case PARAM_NUM:
	case PARAM_OPT_NUM:
		strbuf_adds(out, "a number");
		add_number_range(out, p);
		return;
	case PARAM_STR:
		if (p->choices) {
			add_choices(out, p->choices);
			return;
		}
		strbuf_adds(out, "a string");
		add_size_range(out, p, "characters");
		return;
	case PARAM_STR_LIST:
		strbuf_adds(out, "a list of strings");
		add_size_range(out, p, "items");
		return;
	case PARAM_JSON:
		strbuf_adds(
			out, p->items ? "a list of objects" : words_for_json_type(p->json_type));
		if (is_list(p))
			add_size_range(out, p, "items");
		return;
	}
}

/* What came instead: numbers and texts are shown, the rest is only named. */
static void add_value(struct strbuf *out, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		strbuf_adds(out, "an object");
		return;
	case JSON_ARRAY:
		strbuf_adds(out, "a list");
		return;
	case JSON_STRING:
		strbuf_adds(out, "the string ");
		quote_add(out, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER:
		strbuf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_REAL:
		strbuf_addf(out, "%.17g", json_real_value(value));
		return;
	case JSON_TRUE:
		strbuf_adds(out, "true");
		return;
	case JSON_FALSE:
		strbuf_adds(out, "false");
		return;
	case JSON_NULL:
		strbuf_adds(out, "null");
		return;
	}
}

static int fail_value(
	const struct param *p, const char *name, const json_t *value, struct fail *fail)
{
	auto_strbuf allowed = { 0 };
	auto_strbuf got = { 0 };

	add_allowed(&allowed, p);
	add_value(&got, value);
	return fail_set(fail, -EINVAL, "%s must be %s, not %s", name, strbuf_get(&allowed),
		strbuf_get(&got));
}

static int fail_size(const struct param *p, const char *name, size_t size, struct fail *fail)
{
	auto_strbuf allowed = { 0 };

	add_allowed(&allowed, p);
	return fail_set(
		fail, -EINVAL, "%s must be %s; this one has %zu", name, strbuf_get(&allowed), size);
}

static bool size_fits(const struct param *p, size_t size)
{
	return (!p->has_min || p->min < 0 || size >= (size_t)p->min) &&
	       (!p->has_max || (p->max >= 0 && size <= (size_t)p->max));
}

static bool is_whole(double real)
{
	return real >= -INT_LIMIT && real < INT_LIMIT && real == (double)(int64_t)real;
}

/* A real number without a fraction is an integer in JSON Schema; digits in a string only by leave. */
static bool get_int(const struct param *p, const json_t *value, int64_t *ret)
{
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return true;
	}
	if (json_is_real(value)) {
		if (!is_whole(json_real_value(value)))
			return false;
		*ret = (int64_t)json_real_value(value);
		return true;
	}
	if (json_is_string(value) && p->digits_ok) {
		const char *text = json_string_value(value);
		size_t len = json_string_length(value);

		if (len == 0 || len > MAX_DIGITS || strspn(text, "0123456789") != len)
			return false;
		*ret = strtoll(text, NULL, 10);
		return true;
	}
	return false;
}

static int check_int(
	const struct param *p, const char *name, const json_t *value, struct fail *fail)
{
	int64_t n;

	if (!get_int(p, value, &n) || (p->has_min && n < p->min) || (p->has_max && n > p->max))
		return fail_value(p, name, value, fail);
	return 0;
}

static int check_num(
	const struct param *p, const char *name, const json_t *value, struct fail *fail)
{
	double n = json_number_value(value);

	if (!json_is_number(value) || (p->has_min && n < (double)p->min + p->min_num) ||
		(p->has_max && n > (double)p->max + p->max_num))
		return fail_value(p, name, value, fail);
	return 0;
}

static int fail_nul(const char *name, struct fail *fail)
{
	return fail_set(fail, -EINVAL, "%s must not hold the character U+0000", name);
}

static int check_text(const char *name, const json_t *value, struct fail *fail)
{
	const bool is_c_text = strlen(json_string_value(value)) == json_string_length(value);

	return is_c_text ? 0 : fail_nul(name, fail);
}

static bool is_choice(const char *const *choices, const char *text)
{
	for (; *choices; choices++)
		if (streq(*choices, text))
			return true;
	return false;
}

static int check_str(
	const struct param *p, const char *name, const json_t *value, struct fail *fail)
{
	size_t n_chars;
	int r;

	if (!json_is_string(value))
		return fail_value(p, name, value, fail);
	r = check_text(name, value, fail);
	if (r < 0)
		return r;
	if (p->choices && !is_choice(p->choices, json_string_value(value)))
		return fail_value(p, name, value, fail);
	if (!p->has_min && !p->has_max)
		return 0;
	n_chars = utf8_count(json_string_value(value), json_string_length(value));
	return size_fits(p, n_chars) ? 0 : fail_size(p, name, n_chars, fail);
}

static int check_str_item(const char *name, const json_t *value, struct fail *fail)
{
	auto_strbuf got = { 0 };

	if (json_is_string(value))
		return check_text(name, value, fail);
	add_value(&got, value);
	return fail_set(fail, -EINVAL, "%s must be a string, not %s", name, strbuf_get(&got));
}

static int check_item(const struct param *p, const char *name, json_t *value, struct fail *fail)
{
	auto_strbuf got = { 0 };

	if (p->type == PARAM_STR_LIST)
		return check_str_item(name, value, fail);
	if (!p->items)
		return 0;
	if (json_is_object(value))
		return check_object(p->items, name, value, fail);
	add_value(&got, value);
	return fail_set(fail, -EINVAL, "%s must be an object, not %s", name, strbuf_get(&got));
}

static int check_list(const struct param *p, const char *name, json_t *value, struct fail *fail)
{
	size_t n = json_array_size(value);
	int r = 0;

	if (!json_is_array(value))
		return fail_value(p, name, value, fail);
	if (!size_fits(p, n))
		return fail_size(p, name, n, fail);
	for (size_t i = 0; r == 0 && i < n; i++) {
		auto_free char *item_name = alloc_printf("%s[%zu]", name, i);

		r = check_item(p, item_name, json_array_get(value, i), fail);
	}
	return r;
}

static bool has_json_type(const json_t *value, const char *type)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return streq(type, "object");
	case JSON_ARRAY:
		return streq(type, "array");
	case JSON_STRING:
		return streq(type, "string");
	case JSON_INTEGER:
		return streq(type, "integer") || streq(type, "number");
	case JSON_REAL:
		return streq(type, "number") ||
		       (streq(type, "integer") && is_whole(json_real_value(value)));
	case JSON_TRUE:
	case JSON_FALSE:
		return streq(type, "boolean");
	case JSON_NULL:
		return false;
	}
	return false;
}

/* Whether a handler that reads the texts in `value` as C strings would miss a part of one. As deep
 * as LIMIT_JSON_DEPTH at most. */
static bool holds_nul(json_t *value)
{
	const char *key;
	json_t *item;

	if (json_is_string(value))
		return strlen(json_string_value(value)) != json_string_length(value);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (holds_nul(json_array_get(value, i)))
			return true;
	json_object_foreach(value, key, item)
		if (holds_nul(item))
			return true;
	return false;
}

static int check_json(const struct param *p, const char *name, json_t *value, struct fail *fail)
{
	if (p->json_type && !has_json_type(value, p->json_type))
		return fail_value(p, name, value, fail);
	if (holds_nul(value))
		return fail_nul(name, fail);
	return is_list(p) ? check_list(p, name, value, fail) : 0;
}

static int check_value(const struct param *p, const char *name, json_t *value, struct fail *fail)
{
	switch (p->type) {
	case PARAM_BOOL:
		return json_is_boolean(value) ? 0 : fail_value(p, name, value, fail);
	case PARAM_INT:
	case PARAM_OPT_INT:
		return check_int(p, name, value, fail);
	case PARAM_NUM:
	case PARAM_OPT_NUM:
		return check_num(p, name, value, fail);
	case PARAM_STR:
		return check_str(p, name, value, fail);
	case PARAM_STR_LIST:
		return check_list(p, name, value, fail);
	case PARAM_JSON:
		return check_json(p, name, value, fail);
	}
	return -EINVAL;
}

/* Small letters and digits only: repoPath, repo-path and repo_path are the same mistake. */
static size_t plain_name(const char *name, char ret[MAX_NAME])
{
	size_t n = 0;

	for (; *name && n < MAX_NAME; name++)
		if (isalnum((unsigned char)*name))
			ret[n++] = (char)tolower((unsigned char)*name);
	return n;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance of two names. */
static size_t distance(const char *name_a, const char *name_b)
{
	char a[MAX_NAME];
	char b[MAX_NAME];
	size_t row[MAX_NAME + 1];
	size_t n_a = plain_name(name_a, a);
	size_t n_b = plain_name(name_b, b);

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n_b];
}

/* The known name that was probably meant, or NULL. */
static const char *nearest(const struct param *params, const char *name)
{
	const char *best = NULL;
	size_t best_distance = MAX_DISTANCE + 1;

	for (const struct param *p = params; p->name; p++) {
		size_t d = distance(p->name, name);

		if (d < best_distance && d < strlen(p->name)) {
			best = p->name;
			best_distance = d;
		}
	}
	return best;
}

static const struct param *find_param(const struct param *params, const char *name)
{
	for (const struct param *p = params; p->name; p++)
		if (streq(p->name, name))
			return p;
	return NULL;
}

static void add_names(struct strbuf *out, const struct param *params)
{
	for (const struct param *p = params; p->name; p++)
		strbuf_addf(out, "%s%s", p == params ? "" : ", ", p->name);
}

static int fail_unknown(
	const struct param *params, const char *prefix, const char *name, struct fail *fail)
{
	const char *meant = nearest(params, name);
	char quoted[QUOTE_SIZE];
	auto_strbuf known = { 0 };

	(void)quote(quoted, name);
	if (meant)
		return fail_set(fail, -EINVAL, "unknown argument %s%s%s; did you mean %s?", prefix,
			*prefix ? ": " : "", quoted, meant);
	add_names(&known, params);
	if (known.len == 0)
		return fail_set(fail, -EINVAL, "unknown argument %s; there are none here", quoted);
	return fail_set(fail, -EINVAL, "unknown argument %s%s%s; allowed are %s", prefix,
		*prefix ? ": " : "", quoted, strbuf_get(&known));
}

static int check_known(
	const struct param *params, const char *prefix, json_t *object, struct fail *fail)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		if (!find_param(params, key))
			return fail_unknown(params, prefix, key, fail);
	return 0;
}

static int fail_missing(const struct param *p, const char *name, struct fail *fail)
{
	auto_strbuf allowed = { 0 };

	add_allowed(&allowed, p);
	return fail_set(fail, -EINVAL, "%s is missing: %s", name, strbuf_get(&allowed));
}

/* `prefix` is what stands before the object's own names: "" or "edits[3]". */
static int check_object(
	const struct param *params, const char *prefix, json_t *object, struct fail *fail)
{
	int r = check_known(params, prefix, object, fail);

	for (const struct param *p = params; r == 0 && p->name; p++) {
		json_t *value = json_object_get(object, p->name);
		auto_free char *full = *prefix ? alloc_printf("%s.%s", prefix, p->name) : NULL;
		const char *name = full ? full : p->name;

		if (value)
			r = check_value(p, name, value, fail);
		else if (p->required)
			r = fail_missing(p, name, fail);
	}
	return r;
}

static struct str_list list_of(json_t *array)
{
	struct str_list list = { .n = json_array_size(array) };

	/* One more: an empty list is not an absent one, whose items are NULL. */
	list.items = alloc_resize(NULL, list.n + 1, sizeof(*list.items));
	for (size_t i = 0; i < list.n; i++)
		list.items[i] = json_string_value(json_array_get(array, i));
	return list;
}

static int64_t int_of(const struct param *p, const json_t *value)
{
	int64_t n = 0;

	(void)get_int(p, value, &n);
	return n;
}

/* `value` was checked; NULL: the default. */
static void store(const struct param *p, json_t *value, void *args)
{
	void *field = (char *)args + p->offset;

	switch (p->type) {
	case PARAM_BOOL:
		*(bool *)field = value ? json_is_true(value) : p->def_bool;
		return;
	case PARAM_INT:
		*(int64_t *)field = value ? int_of(p, value) : p->def_int;
		return;
	case PARAM_OPT_INT:
		*(struct opt_int *)field =
			value ? (struct opt_int){ true, int_of(p, value) } : (struct opt_int){ 0 };
		return;
	case PARAM_NUM:
		*(double *)field = value ? json_number_value(value) : p->def_num;
		return;
	case PARAM_OPT_NUM:
		*(struct opt_num *)field =
			value ? (struct opt_num){ true, json_number_value(value) }
			      : (struct opt_num){ 0 };
		return;
	case PARAM_STR:
		*(const char **)field = value ? json_string_value(value) : p->def_str;
		return;
	case PARAM_STR_LIST:
		*(struct str_list *)field = value ? list_of(value) : (struct str_list){ 0 };
		return;
	case PARAM_JSON:
		*(json_t **)field = value;
		return;
	}
}

int schema_decode(const struct param *params, json_t *args, void *ret, struct fail *fail)
{
	static const struct param none[] = { { 0 } };
	int r;

	if (!params)
		params = none;
	if (json_is_null(args))
		args = NULL;
	if (args && !json_is_object(args))
		r = fail_set(fail, -EINVAL, "the arguments must be an object");
	else
		r = check_object(params, "", args, fail);
	/* Also after an error, so that schema_done() finds a list or none. */
	for (const struct param *p = params; p->name; p++)
		store(p, r == 0 ? json_object_get(args, p->name) : NULL, ret);
	return r;
}

void schema_done(const struct param *params, void *args)
{
	for (const struct param *p = params; p && p->name; p++)
		if (p->type == PARAM_STR_LIST)
			free(((struct str_list *)((char *)args + p->offset))->items);
}
