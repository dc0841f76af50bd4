/* See token.h. */
#include "workers/registrar/token.h"

#include <errno.h>
#include <jansson.h>

#include "shared/alloc.h"
#include "shared/base64.h"

void token_done(struct token *token)
{
	secret_free(token->text);
	free(token->path);
	*token = (struct token){ 0 };
}

int64_t token_expiry(const char *text)
{
	const char *payload = strchr(text, '.');
	const char *end = payload ? strchr(payload + 1, '.') : NULL;
	auto_strbuf bytes = { 0 };
	json_auto_t *claims = NULL;
	json_t *exp;
	double seconds;

	if (!end || base64_decode(
			    BASE64_URL, payload + 1, (size_t)(end - payload - 1), &bytes, NULL) < 0)
		return 0;
	claims = json_loadb(strbuf_get(&bytes), bytes.len, 0, NULL);
	exp = json_object_get(claims, "exp");
	seconds = json_number_value(exp);
	return seconds > 0 && seconds < 1e12 ? (int64_t)seconds : 0;
}

static void look(struct token *token)
{
	token->was_there = token->path && stat(token->path, &token->was) == 0;
}

static int load_file(struct token *token, enum token_source source, struct fail *fail)
{
	int r;

	token->source = source;
	look(token);
	r = secret_read(token->path, true, &token->text, &token->is_open, fail);
	return r < 0 ? fail_prefix(fail, "the token's file '%s' cannot be used: ", token->path) : 0;
}

static int load(struct token *token, const char *file, struct fail *fail)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const char *text = getenv("MCPGATEWAY_BEARER_TOKEN");

	if (*file) {
		token->path = alloc_str(file);
		return load_file(token, TOKEN_FILE, fail);
	}
	if (folder && *folder) {
		token->path = alloc_printf("%s/gateway.token", folder);
		if (access(token->path, F_OK) == 0)
			return load_file(token, TOKEN_CREDENTIAL, fail);
	}
	if (!text || !*text)
		return fail_set(fail, -ENOENT, "there is no token for the gateway");
	token->source = TOKEN_ENVIRONMENT;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7f)
			return fail_set(fail, -EINVAL,
				"MCPGATEWAY_BEARER_TOKEN holds a blank or a line break");
	token->text = alloc_str(text);
	return 0;
}

int token_load(struct token *token, const char *file, struct fail *fail)
{
	int r;

	token_done(token);
	r = load(token, file, fail);
	if (r == 0)
		token->expires = token_expiry(token->text);
	return r;
}

bool token_has_changed(const struct token *token)
{
	struct stat now;

	if (!token->path)
		return false;
	if (stat(token->path, &now) < 0)
		return token->was_there;
	return !token->was_there || now.st_ino != token->was.st_ino ||
	       now.st_dev != token->was.st_dev || now.st_size != token->was.st_size ||
	       now.st_mtim.tv_sec != token->was.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != token->was.st_mtim.tv_nsec;
}

const char *token_source_name(enum token_source source)
{
	static const char *const names[] = { [TOKEN_NONE] = "none",
		[TOKEN_FILE] = "file",
		[TOKEN_CREDENTIAL] = "credential",
		[TOKEN_ENVIRONMENT] = "environment" };

	return names[source];
}
