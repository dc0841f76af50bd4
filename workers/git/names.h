/* A growing list of file names, for answers and refusals. Zero-initialised is empty. */
#pragma once

#include <jansson.h>

#include "shared/cleanup.h"

struct names {
	char **items;
	size_t n;
	size_t size;
};

#define auto_names auto_(names_done) struct names

/* Adds a copy; a name equal to the last one is left out, so sorted input has no doubles. */
void names_add(struct names *names, const char *name);
void names_done(struct names *names);

/* Sorts bytewise and drops doubles. */
void names_sort(struct names *names);

/* The first NAMES_SHOWN of them, as JSON strings (made valid UTF-8). */
enum { NAMES_SHOWN = 5000 };
json_t *names_json(const struct names *names) must_check;

/* "a, b and 7 more": as many as fit into about 400 bytes. Yours to free. */
char *names_text(const struct names *names) must_check;
