/* Does a URI come from a URI template? Pure.
 *
 * It decides who serves a resource that nobody listed, so it reads templates as servers publish and match
 * them, and in doubt says yes: whether there is such a resource, its worker knows. What an expression of
 * RFC 6570 may stand for:
 *
 *   {id} {a,b}        one character or more, no "/"; {path*} also with "/"
 *   {+path}           one character or more
 *   {#part}           nothing, or "#" and more
 *   {.ext} {;a,b}     nothing, or the operator and more, no "/"
 *   {/dir}            nothing, or "/" and more without another; {/dir*} and {/a,b} with others
 *   {?q,r} {&q,r}     nothing, or the operator and more, up to a "#"
 *
 * Bytes are compared as they are: "%2F" is no "/". Source: RFC 6570, sections 2.2 and 3.2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
	TEMPLATE_MAX_EXPRESSIONS = 32, /* one with more fits nothing */
	TEMPLATE_MAX_BYTES = 2048,     /* of the template, of the URI: longer ones do not fit */
	TEMPLATE_STEPS = 1000000,      /* for one look-up: some milliseconds */
};

/* Both end with a NUL. Work is taken from *steps; when that is used up, nothing fits. */
bool template_matches(const char *template, const char *uri, size_t *steps);

/* Whether it is a template at all: its braces are closed, it is not beyond the limits. */
bool template_is_valid(const char *template);
