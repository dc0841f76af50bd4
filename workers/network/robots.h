/* robots.txt: which paths a site asks robots to leave alone.
 *
 * Source: RFC 9309: the group of our own name, else that of *; groups of the same name are one; the
 * longest matching rule counts, of two equally long ones allow; * and $ in patterns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
	ROBOTS_MAX_BYTES = 512 * 1024, /* what follows is not read (RFC 9309: at least 500 KiB) */
	ROBOTS_MAX_RULES = 10000,      /* of our group; more are not kept */
	ROBOTS_MAX_STEPS = 20000000,   /* of comparing one path; who wants more allows nothing */
};

struct robots;

/* The rules in a robots.txt (any bytes) for robot `agent`. Never NULL. */
struct robots *robots_parse(const char *text, size_t len, const char *agent);
void robots_free(struct robots *robots);

/* Whether `path` ("/a?b", percent-encoded as it will be sent) may be asked for. */
bool robots_allow(const struct robots *robots, const char *path);
