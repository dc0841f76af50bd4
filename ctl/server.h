/* An MCP server on its way into the settings: a domain of conf.d/NAME.yaml, with its secrets in NAME.env or
 * NAME.headers beside it, which nobody else may read. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

enum { SERVER_NAME_MAX = 32 };

struct server {
	char *name;      /* of the domain */
	json_t *command; /* program and arguments, texts; empty: there is a url */
	char *url;       /* NULL: there is a command */
	char *transport; /* as in the settings; NULL: the default */
	char *cwd;       /* NULL: the default */
	json_t *env;     /* names and texts */
	json_t *secrets; /* the same, for the file */
	json_t *headers; /* the same, of a url */
	json_t *keys;    /* further keys of the domain, as texts or objects of such */
	json_t *hidden; /* texts that are secrets wherever they stand: what a password was asked for */
	bool is_private; /* a secret in its command or url: nobody else may read its settings either */
};

struct server server_new(const char *name) must_check;
void server_done(struct server *server);

/* A variable of the environment; one that looks like a secret goes to the others. */
void server_set_env(struct server *server, const char *name, const char *value, bool is_secret);

/* Whether the daemon's loader can take it, and would serve it. -EINVAL with words; is_private is set. */
int server_check(struct server *server, struct fail *fail) must_check;

/* The text of conf.d/NAME.yaml in `dir`, an absolute path; `origin` says who wrote it. `is_masked`: secrets are not
 * shown. */
void server_print(const struct server *server, const char *dir, const char *origin, bool is_masked,
	struct strbuf *out);

/* The text of NAME.env or NAME.headers; nothing is added where there are no secrets. */
void server_print_env(const struct server *server, struct strbuf *out);
void server_print_headers(const struct server *server, struct strbuf *out);

/* What a name of another program becomes as a domain's: small letters, digits and -, yours. Empty: nothing is
 * left. */
char *server_name_of(const char *name) must_check;

/* NULL, or why a domain cannot have this name. */
const char *server_check_name(const char *name);
