/* Tokens at the door: whom a bearer token stands for, by the settings `auth.…`.
 *
 * It joins what is asked of a token (token.h), where the keys come from (key_source.h) and what the scopes allow:
 * each scope that auth.scopes knows is a way in; a token with none of them may reach nothing, and where auth.scopes
 * is empty every token may reach everything. A token's principal is its subject, or the client where it has none.
 *
 * Source: MCP 2025-11-25 basic/authorization, "Access Token Usage"; RFC 9068 section 4. */
#pragma once

#include "supervisor/front/key_source.h"
#include "supervisor/front/token.h"
#include "supervisor/mcp/principal.h"

struct token_door;

/* `fetch` is the hook of struct key_source_hooks, and is answered by token_door_take_keys() or
 * token_door_miss_keys(). Closed until settings are committed. */
struct token_door *token_door_new(struct loop *loop,
	void (*fetch)(void *arg, uint64_t number, const char *url, const char *ca_file), void *arg);
void token_door_free(struct token_door *door);

/* Makes other settings ready, which are not kept, and reads the files that they name; nothing changes. 0, or -errno
 * with words. Then comes token_door_commit() or token_door_abandon(). */
int token_door_prepare(struct token_door *door, const struct conf *conf, struct fail *fail)
	must_check;
void token_door_commit(struct token_door *door);
void token_door_abandon(struct token_door *door);

/* Tokens are taken: auth.issuer is set. */
bool token_door_is_open(const struct token_door *door);

/* What was opened with this principal's token may go on: the issuer is still trusted, and it has not expired. */
bool token_door_lets_go_on(
	const struct token_door *door, const struct principal *principal, int64_t now_s);

/* TOKEN_OK: *ret is whom it stands for, a reference of the caller's. Else `fail` has words for the log. With
 * TOKEN_NO_KEYS the same token may be right soon. */
enum token_verdict token_door_judge(struct token_door *door, struct span token, int64_t now_s,
	struct principal **ret, struct fail *fail) must_check;

/* See key_source_take() and key_source_miss(). */
void token_door_take_keys(
	struct token_door *door, uint64_t number, const char *body, size_t len, int64_t max_age_s);
void token_door_miss_keys(struct token_door *door, uint64_t number, const char *why);
