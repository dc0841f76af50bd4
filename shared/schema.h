/* Parameter tables: from one table come the JSON Schema that clients see and the decoder that fills
 * a C struct. Schema, validation and code cannot drift apart: the JSON type is taken from the type of
 * the C field, and a field of an unsupported type does not compile.
 *
 * Only the keywords that tools.md section 2 allows are produced (type, properties, required,
 * additionalProperties, description, enum, default, minimum, maximum, minLength, maxLength,
 * minItems, maxItems, items): some clients drop a tool that has others.
 *
 * Source: JSON Schema 2020-12; MCP 2025-11-25 server/tools, "Data Types". */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/fail.h"

/* Numbers without a default that may be absent. */
struct opt_int {
	bool set;
	int64_t value;
};

struct opt_num {
	bool set;
	double value;
};

/* A list of texts. NULL items when absent. */
struct str_list {
	const char **items;
	size_t n;
};

enum param_type {
	PARAM_BOOL,     /* bool */
	PARAM_INT,      /* int64_t: .def_int when absent */
	PARAM_OPT_INT,  /* struct opt_int */
	PARAM_NUM,      /* double: .def_num when absent */
	PARAM_OPT_NUM,  /* struct opt_num */
	PARAM_STR,      /* const char *: .def_str when absent (NULL: none) */
	PARAM_STR_LIST, /* struct str_list */
	PARAM_JSON,     /* json_t *: borrowed; of .json_type, or objects of .items */
};

struct param {
	const char *name;
	const char *doc;
	size_t offset;
	enum param_type type;
	bool required;
	bool def_bool;
	bool digits_ok;  /* PARAM_INT: a string of decimal digits is taken as well */
	bool no_default; /* the schema shows no default (PARAM_BOOL, PARAM_INT, PARAM_NUM) */
	bool has_min;    /* set by RANGE() and its like */
	bool has_max;
	int64_t min, max;        /* value, code points of a text, items of a list */
	double min_num, max_num; /* PARAM_NUM, PARAM_OPT_NUM */
	int64_t def_int;
	double def_num;
	const char *def_str;
	const char *const *choices; /* PARAM_STR: the only values, NULL at the end */
	const char *json_type;      /* PARAM_JSON: "number", "object", "array" …; NULL: any */
	const struct param *items;  /* PARAM_JSON: an array of objects that this table describes */
};

/* The bounds of a number (integer or not), of a text's code points, of a list's items. */
#define RANGE(lo, hi) .has_min = true, .has_max = true, .min = (lo), .max = (hi)
#define RANGE_NUM(lo, hi) .has_min = true, .has_max = true, .min_num = (lo), .max_num = (hi)
#define AT_MOST(hi) .has_max = true, .max = (hi)

#define PARAM_TYPE_OF(field)                                                                       \
	_Generic((field), bool: PARAM_BOOL, int64_t: PARAM_INT, struct opt_int: PARAM_OPT_INT,     \
		double: PARAM_NUM, struct opt_num: PARAM_OPT_NUM, const char *: PARAM_STR,         \
		struct str_list: PARAM_STR_LIST, json_t *: PARAM_JSON)

#define PARAM(args, field, ...)                                                                    \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct args, field),                            \
		.type = PARAM_TYPE_OF(((struct args *)0)->field), __VA_ARGS__                      \
	}

/* Where the name in JSON is a word of C ("new"), or another than the field's. */
#define PARAM_NAMED(json_name, args, field, ...)                                                   \
	{                                                                                          \
		.name = (json_name), .offset = offsetof(struct args, field),                       \
		.type = PARAM_TYPE_OF(((struct args *)0)->field), __VA_ARGS__                      \
	}

/* The inputSchema of a table that ends with { 0 } (NULL: no parameters): a new reference. */
json_t *schema_of_params(const struct param *params) must_check;

/* An outputSchema from a short notation, as in
 *   "branch? string, detached boolean, staged {path string, status string}[], tree any[]"
 * `?`: not required. Types: string integer number boolean object any, {…}, each with [] behind.
 * NULL when the notation is wrong (our bug; a unit test reads all of them). A new reference. */
json_t *schema_of_result(const char *notation) must_check;

/* Checks `args` (NULL or null: {}) against the table and fills the struct at `ret` (zeroed first).
 * Texts and json_t fields are borrowed from `args`; lists of texts are allocated, so schema_done()
 * must be called after the last use, also after an error.
 * -EINVAL: fail->text names the argument, what is wrong, and what is allowed. */
int schema_decode(const struct param *params, json_t *args, void *ret, struct fail *fail)
	must_check;
void schema_done(const struct param *params, void *args);
