/* What in the configuration of a server is a secret, and must not get into a file that others may read or
 * onto a terminal.
 *
 * This is judged by names and by forms. What is taken for a secret wrongly only lies in another file, so
 * doubtful cases are secrets. */
#pragma once

#include <stdbool.h>

/* A variable, a parameter or the like: by its name (GITHUB_TOKEN, apiKey), or by what it holds. */
bool secret_is(const char *name, const char *value);

/* By its form alone: tokens with the prefixes of well-known services, JWTs, keys, passwords in URLs, long
 * random texts. */
bool secret_is_value(const char *value);

/* An argument of a program that holds one: --token=…, the argument behind --token (`before`, may be NULL), or
 * by its form. */
bool secret_is_argument(const char *before, const char *argument);

/* A URL with one in its query or its path. */
bool secret_is_url(const char *url);
