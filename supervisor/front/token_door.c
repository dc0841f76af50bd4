/* See token_door.h. */
#include "supervisor/front/token_door.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/utf8.h"
#include "supervisor/front/resource_meta.h"
#include "supervisor/front/token_cache.h"

enum { MAX_NAME_CHARS = 128 };

/* What holds with one set of settings. */
struct ruleset {
	char *issuer;
	struct conf_strs audience;
	int64_t leeway_s;
	struct principal *scopes; /* its grants are those of auth.scopes */
	struct key_source *source;
};

struct token_door {
	struct loop *loop;
	struct key_source_hooks hooks;
	void (*fetch)(void *arg, uint64_t number, const char *url, const char *ca_file);
	void *arg;
	struct ruleset *rules;  /* NULL: no tokens are taken */
	struct ruleset *coming; /* made ready */
	struct token_cache cache;
};

/* --- settings ------------------------------------------------------------------------------------ */

static void ruleset_free(struct ruleset *rules)
{
	if (!rules)
		return;
	free(rules->issuer);
	for (size_t i = 0; i < rules->audience.n; i++)
		free(rules->audience.items[i]);
	free(rules->audience.items);
	principal_unref(rules->scopes);
	key_source_free(rules->source);
	free(rules);
}
DEFINE_FREEP(struct ruleset, ruleset_free)

static void on_fetch(void *arg, uint64_t number, const char *url, const char *ca_file)
{
	struct token_door *door = arg;

	door->fetch(door->arg, number, url, ca_file);
}

static void on_keys_changed(void *arg)
{
	struct token_door *door = arg;

	token_cache_clear(&door->cache);
}

int token_door_prepare(struct token_door *door, const struct conf *conf, struct fail *fail)
{
	const struct conf_auth *auth = &conf->auth;
	auto_(ruleset_freep) struct ruleset *rules = NULL;

	token_door_abandon(door);
	if (!*auth->issuer)
		return 0;
	rules = alloc_zero(sizeof(*rules));
	rules->issuer = alloc_str(auth->issuer);
	resource_add_audiences(conf, &rules->audience);
	rules->leeway_s = auth->leeway_ms / CLOCK_SECOND_MS;
	rules->scopes = principal_new(PRINCIPAL_TOKEN, "", "");
	for (size_t i = 0; i < auth->scopes.n; i++)
		principal_add_grant(rules->scopes, &auth->scopes.items[i]);
	rules->source = key_source_new(door->loop, auth, &door->hooks, door, fail);
	if (!rules->source)
		return fail_prefix(fail, "keys of tokens: ");
	door->coming = TAKE(rules);
	return 0;
}

void token_door_commit(struct token_door *door)
{
	struct ruleset *old = door->rules;

	door->rules = TAKE(door->coming);
	token_cache_clear(&door->cache);
	if (door->rules)
		key_source_start(door->rules->source, old ? old->source : NULL);
	ruleset_free(old);
}

void token_door_abandon(struct token_door *door)
{
	ruleset_free(TAKE(door->coming));
}

bool token_door_is_open(const struct token_door *door)
{
	return door->rules != NULL;
}

bool token_door_lets_go_on(
	const struct token_door *door, const struct principal *principal, int64_t now_s)
{
	return door->rules && streq(principal->credential, door->rules->issuer) &&
	       now_s < principal->expires_s;
}

/* --- whom a token stands for --------------------------------------------------------------------- */

/* For people: one line, not too long. (The identity is the whole text.) */
static char *make_name(const char *text)
{
	auto_strbuf name = { 0 };
	size_t len;

	log_add_clean(&name, text);
	len = utf8_cut(strbuf_get(&name), name.len, MAX_NAME_CHARS);
	strbuf_cut(&name, len);
	return strbuf_take(&name);
}

static bool has_scope(const struct token_claims *claims, const char *scope)
{
	for (size_t i = 0; i < claims->scopes.n; i++) {
		if (streq(claims->scopes.items[i], scope))
			return true;
	}
	return false;
}

static struct principal *make_principal(
	const struct ruleset *rules, const struct token_claims *claims)
{
	const struct conf_grants *known = &rules->scopes->grants;
	const char *who = claims->subject ? claims->subject : claims->client;
	auto_free char *name = make_name(who);
	/* A subject is unique at its issuer, and is not a client of the same name. */
	auto_free char *identity = alloc_printf(
		"%s:%s %s", claims->subject ? "token" : "token-client", rules->issuer, who);
	struct principal *principal = principal_new(PRINCIPAL_TOKEN, name, identity);

	principal->credential = alloc_str(rules->issuer);
	principal->expires_s = claims->expires_s;
	for (size_t i = 0; i < known->n; i++) {
		if (has_scope(claims, known->items[i].scope))
			principal_add_grant(principal, &known->items[i]);
	}
	principal->has_nothing = known->n > 0 && principal->grants.n == 0;
	return principal;
}

/* --- judging ------------------------------------------------------------------------------------- */

static enum token_verdict no_keys(struct fail *fail)
{
	(void)fail_set(fail, -EAGAIN, "the keys of auth.jwks_url are being fetched");
	return TOKEN_NO_KEYS;
}

static enum token_verdict check(struct token_door *door, struct span token, int64_t now_s,
	struct token_claims *ret, struct fail *fail)
{
	const struct ruleset *rules = door->rules;
	const struct token_rules ask = {
		.issuer = rules->issuer,
		.audience = &rules->audience,
		.keys = key_source_get(rules->source),
		.leeway_s = rules->leeway_s,
	};

	if (!ask.keys)
		return no_keys(fail);
	return token_check(&ask, token.at, token.len, now_s, ret, fail);
}

/* As check(), and where a key is missing, with newer keys if they can be had at once. */
static enum token_verdict check_anew(struct token_door *door, struct span token, int64_t now_s,
	struct token_claims *ret, struct fail *fail)
{
	enum token_verdict verdict = check(door, token, now_s, ret, fail);

	if (verdict != TOKEN_UNKNOWN_KEY)
		return verdict;
	switch (key_source_seek(door->rules->source)) {
	case KEY_SOURCE_NONE:
		break;
	case KEY_SOURCE_COMING:
		return no_keys(fail);
	case KEY_SOURCE_NEW:
		return check(door, token, now_s, ret, fail);
	}
	return verdict;
}

enum token_verdict token_door_judge(struct token_door *door, struct span token, int64_t now_s,
	struct principal **ret, struct fail *fail)
{
	unsigned char digest[TOKEN_CACHE_DIGEST];
	struct token_claims claims = { 0 };
	struct principal *known;
	enum token_verdict verdict;

	if (!door->rules) {
		(void)fail_set(fail, -ENOENT, "no tokens are taken: auth.issuer is empty");
		return TOKEN_MALFORMED;
	}
	if (token.len > TOKEN_MAX_BYTES) /* not worth a digest */
		return check(door, token, now_s, &claims, fail);
	token_cache_digest(token, digest);
	known = token_cache_find(&door->cache, digest);
	if (known && now_s < known->expires_s) {
		*ret = principal_ref(known);
		return TOKEN_OK;
	}
	verdict = check_anew(door, token, now_s, &claims, fail);
	if (verdict != TOKEN_OK)
		return verdict;
	*ret = make_principal(door->rules, &claims);
	token_claims_done(&claims);
	token_cache_add(&door->cache, digest, *ret);
	return TOKEN_OK;
}

void token_door_take_keys(
	struct token_door *door, uint64_t number, const char *body, size_t len, int64_t max_age_s)
{
	if (door->rules)
		key_source_take(door->rules->source, number, body, len, max_age_s);
}

void token_door_miss_keys(struct token_door *door, uint64_t number, const char *why)
{
	if (door->rules)
		key_source_miss(door->rules->source, number, why);
}

struct token_door *token_door_new(struct loop *loop,
	void (*fetch)(void *arg, uint64_t number, const char *url, const char *ca_file), void *arg)
{
	struct token_door *door = alloc_zero(sizeof(*door));

	door->loop = loop;
	door->hooks = (struct key_source_hooks){ .fetch = on_fetch, .changed = on_keys_changed };
	door->fetch = fetch;
	door->arg = arg;
	return door;
}

void token_door_free(struct token_door *door)
{
	if (!door)
		return;
	token_door_abandon(door);
	ruleset_free(door->rules);
	token_cache_clear(&door->cache);
	free(door);
}
