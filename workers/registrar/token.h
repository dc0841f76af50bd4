/* The gateway's token: where it comes from, when it ends. It is read anew for each round; its file is looked
 * at in between, so that one that was put in the place of a refused one is used at once.
 *
 * Source: RFC 7519 sections 3 and 4.1.4. The signature is not checked: only the gateway can. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "workers/registrar/secret.h"

enum token_source {
	TOKEN_NONE,
	TOKEN_FILE,
	TOKEN_CREDENTIAL,  /* $CREDENTIALS_DIRECTORY/gateway.token */
	TOKEN_ENVIRONMENT, /* $MCPGATEWAY_BEARER_TOKEN */
};

struct token {
	enum token_source source;
	char *text;      /* NULL: there is none */
	int64_t expires; /* seconds since 1970; 0: it does not say */
	bool is_open;    /* its file is readable by others */
	struct stat was;
	bool was_there;
	char *path; /* of its file */
};

void token_done(struct token *token);

/* Finds and reads it anew; `file` "": not from a file. 0, or -errno with words: there is none now. */
int token_load(struct token *token, const char *file, struct fail *fail) must_check;

/* Is the file another one than it was? */
bool token_has_changed(const struct token *token);

const char *token_source_name(enum token_source source);

/* The `exp` of a JWT; 0: it is none, or has none. */
int64_t token_expiry(const char *text);
