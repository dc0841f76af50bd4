/* See guard.h. */
#include "supervisor/front/guard.h"

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/front/cors.h"
#include "supervisor/front/credential.h"
#include "supervisor/front/hosts.h"
#include "supervisor/front/resource_meta.h"
#include "supervisor/mcp/audit.h"

enum {
	LOG_BURST = 10, /* lines of one kind of refusal */
};

static const char words_not_admin[] =
	"this key may not look after the fleet (mcp-fleetctl key add --admin)";

struct guard {
	struct guard_parts parts;
	const struct conf *conf;
	bool wants; /* a credential */
	struct principal *anybody;
	struct log_limit refusal_logs[STATS_REFUSALS];
};

/* --- verdicts ------------------------------------------------------------------------------------ */

void guard_verdict_done(struct guard_verdict *verdict)
{
	strbuf_done(&verdict->challenge);
	strbuf_done(&verdict->grants);
	principal_unref(verdict->principal);
}

static void refuse(
	struct guard_verdict *verdict, int status, enum stats_refusal refusal, const char *why)
{
	verdict->status = status;
	verdict->refusal = refusal;
	verdict->why = why;
}

/* A browser may show a key as a password, but only where there is nothing to do but to look: it sends it with
 * whatever another site's page makes it ask for, too. */
static bool takes_login(const struct guard_ask *ask)
{
	return ask->zone == GUARD_ZONE_ADMIN;
}

/* With where a token is had, and what went wrong, in the words of RFC 6750. */
static void add_challenge(const struct guard *guard, const struct resource_place *place,
	const struct resource_challenge *challenge, struct strbuf *out)
{
	strbuf_adds(out, "WWW-Authenticate: ");
	resource_add_challenge(guard->conf, place, challenge, out);
	strbuf_adds(out, "\r\n");
}

static void challenge(const struct guard *guard, const struct guard_ask *ask,
	const struct resource_challenge *challenge, struct guard_verdict *ret)
{
	const struct resource_place place = { .is_https = ask->origin->is_https,
		.host = ask->request->host,
		.path = ask->whole_path ? ask->whole_path : "" };

	add_challenge(guard, &place, challenge, &ret->challenge);
	if (takes_login(ask))
		strbuf_adds(&ret->challenge, "WWW-Authenticate: Basic realm=\"mcp-fleet\", "
					     "charset=\"UTF-8\"\r\n");
}

static void refuse_credential(const struct guard *guard, const struct guard_ask *ask,
	enum stats_refusal refusal, const char *why, struct guard_verdict *ret)
{
	const struct resource_challenge words = {
		.error = refusal == STATS_REFUSED_NO_CREDENTIAL ? NULL : "invalid_token",
		.description = refusal == STATS_REFUSED_NO_CREDENTIAL ? NULL : why,
	};

	refuse(ret, 401, refusal, why);
	challenge(guard, ask, &words, ret);
}

/* --- Host and Origin ------------------------------------------------------------------------------- */

/* True: the request is for us, and its page may ask. */
static bool check_hosts(
	const struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	const struct conf_http *conf = &guard->conf->http;
	enum hosts_reach reach = ask->is_loopback ? HOSTS_LOOPBACK
				 : guard->wants   ? HOSTS_GUARDED
						  : HOSTS_OPEN;
	struct span origin;

	if (!hosts_allow(conf, ask->request, reach)) {
		refuse(ret, 421, STATS_REFUSED_HOST,
			ask->is_loopback
				? "this Host is not served here: use 127.0.0.1 or localhost, or add it "
				  "to http.allowed_hosts"
				: "this Host is not served here: add it to http.allowed_hosts");
		return false;
	}
	if (!hosts_allow_origin(conf, ask->request, reach, &origin)) {
		refuse(ret, 403, STATS_REFUSED_ORIGIN,
			"requests from this Origin are refused: add it to http.allowed_origins");
		return false;
	}
	if (origin.at && cors_is_preflight(ask->request)) {
		ret->status = 204;
		cors_add_preflight(&ret->grants, ask->request, origin);
		return false;
	}
	if (origin.at)
		cors_add_grants(&ret->grants, origin);
	return true;
}

/* --- credentials ----------------------------------------------------------------------------------- */

static bool admin_wants_credential(const struct guard *guard, bool is_loopback, bool is_public)
{
	switch (guard->conf->admin_auth) {
	case CONF_ADMIN_AUTH_NONE:
		return false;
	case CONF_ADMIN_AUTH_REQUIRED:
		return true;
	case CONF_ADMIN_AUTH_AUTO:
		break;
	}
	/* What is public may stand behind a proxy of this machine: loopback says nothing there. */
	return guard->wants && (is_public || !is_loopback);
}

bool guard_asks_who(const struct guard *guard, const struct guard_ask *ask)
{
	switch (ask->zone) {
	case GUARD_ZONE_PROBE:
	case GUARD_ZONE_OPEN:
		return false;
	case GUARD_ZONE_TOOLS:
		return guard->wants;
	case GUARD_ZONE_ADMIN:
		break;
	}
	return admin_wants_credential(guard, ask->is_loopback, ask->is_public);
}

static void judge_key(const struct guard *guard, const struct guard_ask *ask, struct span text,
	struct guard_verdict *ret)
{
	switch (keys_judge(guard->parts.keys, text, ask->now_s, &ret->principal)) {
	case KEYS_OK:
		break;
	case KEYS_UNKNOWN:
		refuse_credential(guard, ask, STATS_REFUSED_BAD_CREDENTIAL,
			"this key or token is not valid here", ret);
		break;
	case KEYS_EXPIRED:
		refuse_credential(guard, ask, STATS_REFUSED_EXPIRED, "this key has expired", ret);
		break;
	}
}

static void judge_token(const struct guard *guard, const struct guard_ask *ask, struct span text,
	struct guard_verdict *ret)
{
	struct fail fail = { 0 };
	enum token_verdict verdict =
		token_door_judge(guard->parts.tokens, text, ask->now_s, &ret->principal, &fail);

	if (verdict == TOKEN_OK)
		return;
	if (verdict == TOKEN_NO_KEYS) {
		refuse(ret, 503, STATS_REFUSED_BAD_CREDENTIAL, token_verdict_words(verdict));
		strbuf_adds(&ret->challenge, "Retry-After: 1\r\n");
	} else {
		refuse_credential(guard, ask,
			verdict == TOKEN_EXPIRED ? STATS_REFUSED_EXPIRED
						 : STATS_REFUSED_BAD_CREDENTIAL,
			token_verdict_words(verdict), ret);
	}
	ret->reason = fail;
}

static void judge_shown(const struct guard *guard, const struct guard_ask *ask,
	const struct credential *shown, struct guard_verdict *ret)
{
	if (shown->is_bearer && token_door_is_open(guard->parts.tokens) &&
		token_is_jwt(shown->text.at, shown->text.len))
		judge_token(guard, ask, shown->text, ret);
	else
		judge_key(guard, ask, shown->text, ret);
}

static void judge_login(const struct guard *guard, const struct guard_ask *ask,
	const struct credential *shown, struct guard_verdict *ret)
{
	auto_strbuf buf = { 0 };
	struct span key;

	if (!takes_login(ask))
		refuse_credential(guard, ask, STATS_REFUSED_BAD_CREDENTIAL, shown->why, ret);
	else if (!credential_read_login(shown->text, &buf, &key))
		refuse(ret, 400, STATS_REFUSED_BAD_REQUEST,
			"Authorization: Basic must be followed by a name and a key, as base64");
	else
		judge_key(guard, ask, key, ret);
	if (buf.size)
		explicit_bzero(buf.data, buf.size);
	/* A browser keeps a password until it hears 401: with 403 nobody could try another one. */
	if (ret->status == 0 && !ret->principal->is_admin)
		refuse_credential(guard, ask, STATS_REFUSED_FORBIDDEN, words_not_admin, ret);
}

/* The first of its names that stands for a key. */
static void judge_certificate(
	const struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	enum keys_verdict verdict = KEYS_UNKNOWN;

	for (size_t i = 0; verdict == KEYS_UNKNOWN && i < ask->names->n; i++)
		verdict = keys_judge_certificate(
			guard->parts.keys, ask->names->items[i].text, ask->now_s, &ret->principal);
	if (verdict == KEYS_EXPIRED)
		refuse_credential(guard, ask, STATS_REFUSED_EXPIRED,
			"the key that this certificate stands for has expired", ret);
	else if (verdict == KEYS_UNKNOWN)
		refuse_credential(guard, ask, STATS_REFUSED_BAD_CREDENTIAL,
			"no name of this certificate stands for a key", ret);
}

/* What is shown on purpose counts, and is never replaced by what is shown with every connection. */
static void judge_credential(
	const struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	struct credential shown = credential_find(ask->request);

	switch (shown.kind) {
	case CREDENTIAL_NONE:
		if (ask->names)
			judge_certificate(guard, ask, ret);
		else
			refuse_credential(guard, ask, STATS_REFUSED_NO_CREDENTIAL,
				"a key or token is wanted: send Authorization: Bearer, or X-API-Key",
				ret);
		break;
	case CREDENTIAL_FOREIGN:
		refuse_credential(guard, ask, STATS_REFUSED_BAD_CREDENTIAL, shown.why, ret);
		break;
	case CREDENTIAL_MALFORMED:
		refuse(ret, 400, STATS_REFUSED_BAD_REQUEST, shown.why);
		break;
	case CREDENTIAL_SHOWN:
		judge_shown(guard, ask, &shown, ret);
		break;
	case CREDENTIAL_LOGIN:
		judge_login(guard, ask, &shown, ret);
		break;
	}
}

/* --- rights ---------------------------------------------------------------------------------------- */

/* A token with more scopes could; its client is told which. */
static void refuse_domain(
	const struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	auto_strbuf scopes = { 0 };
	struct resource_challenge words = { .error = "insufficient_scope" };

	refuse(ret, 403, STATS_REFUSED_FORBIDDEN, "this key or token may not use this domain");
	if (ret->principal->kind != PRINCIPAL_TOKEN)
		return;
	if (ask->domain && principal_add_needed_scopes(ret->principal, &guard->conf->auth.scopes,
				   ask->domain, NULL, &scopes))
		words.scope = strbuf_get(&scopes);
	challenge(guard, ask, &words, ret);
}

static void judge_rights(
	const struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	const struct principal *principal = ret->principal;

	if (ask->zone == GUARD_ZONE_ADMIN && !principal->is_admin)
		refuse(ret, 403, STATS_REFUSED_FORBIDDEN, words_not_admin);
	else if (ask->zone == GUARD_ZONE_TOOLS &&
		 (principal->has_nothing ||
			 (ask->domain && !principal_allows_domain(principal, ask->domain))))
		refuse_domain(guard, ask, ret);
}

/* --- the log --------------------------------------------------------------------------------------- */

static void note_refusal(
	struct guard *guard, const struct guard_ask *ask, const struct guard_verdict *verdict)
{
	const struct span method = ask->request->method_name;
	const struct principal *principal = verdict->principal;
	char address[CLIENT_ADDR_TEXT_SIZE];
	auto_free char *method_text = alloc_mem(method.at, method.len);
	const struct audit_refusal audited = { .reason = stats_refusal_name(verdict->refusal),
		.why = verdict->why,
		.detail = verdict->reason.text,
		.status = verdict->status,
		.method = method_text,
		.endpoint = ask->path,
		.domain = ask->domain,
		.address = client_addr_format(&ask->origin->addr, address),
		.principal = principal };

	stats_refused(verdict->refusal);
	audit_refused(&audited);
	if (!log_limit_ok(&guard->refusal_logs[verdict->refusal], LOG_BURST,
		    stats_refusal_name(verdict->refusal)))
		return;
	const struct log_about about = {
		.client = address, .key = principal ? principal->name : NULL, .domain = ask->domain
	};

	log_notice_about(&about, "refused %.*s %s with %d: %s%s%s", (int)method.len, method.at,
		ask->path ? ask->path : "(no such path)", verdict->status, verdict->why,
		*verdict->reason.text ? ": " : "", verdict->reason.text);
}

/* --- public ---------------------------------------------------------------------------------------- */

void guard_judge(struct guard *guard, const struct guard_ask *ask, struct guard_verdict *ret)
{
	*ret = (struct guard_verdict){ 0 };
	if (check_hosts(guard, ask, ret)) {
		if (guard_asks_who(guard, ask))
			judge_credential(guard, ask, ret);
		else
			ret->principal = principal_ref(guard->anybody);
		if (ret->status == 0 && ret->principal != guard->anybody)
			judge_rights(guard, ask, ret);
	}
	if (ret->status != 0 && ret->status != 204)
		note_refusal(guard, ask, ret);
}

void guard_refuse_scopes(
	struct guard *guard, const struct guard_scopes *refused, struct strbuf *out)
{
	const struct resource_place place = {
		.is_https = refused->origin->is_https, .host = refused->host, .path = refused->path
	};
	const struct resource_challenge words = { .error = "insufficient_scope",
		.scope = refused->scopes };
	char address[CLIENT_ADDR_TEXT_SIZE];
	const struct log_about about = { .client = client_addr_format(
						 &refused->origin->addr, address),
		.key = refused->principal->name };

	add_challenge(guard, &place, &words, out);
	stats_refused(STATS_REFUSED_FORBIDDEN);
	if (log_limit_ok(&guard->refusal_logs[STATS_REFUSED_FORBIDDEN], LOG_BURST,
		    stats_refusal_name(STATS_REFUSED_FORBIDDEN)))
		log_notice_about(&about,
			"refused a call of a tool with 403: the scopes that it needs are: %s",
			refused->scopes);
}

void guard_add_grants(const struct guard *guard, const struct guard_ask *ask, struct strbuf *out)
{
	auto_guard_verdict verdict = { 0 };

	if (check_hosts(guard, ask, &verdict) && verdict.grants.len > 0)
		strbuf_add(out, verdict.grants.data, verdict.grants.len);
}

bool guard_wants_credential(const struct guard *guard)
{
	return guard->wants;
}

bool guard_probe_tells_all(const struct guard *guard, bool is_loopback, bool is_public)
{
	return is_public ? !guard->wants : !admin_wants_credential(guard, is_loopback, false);
}

void guard_set_conf(struct guard *guard, const struct conf *conf)
{
	bool wants =
		conf->auth.mode != CONF_AUTH_NONE && (guard->wants || conf_wants_credential(conf));

	guard->conf = conf;
	guard->wants = wants;
}

void guard_note_keys(struct guard *guard)
{
	guard_set_conf(guard, guard->conf);
}

/* NULL: its credential is not taken any more. */
static struct principal *renew_credential(
	const struct guard *guard, struct principal *principal, int64_t now_s)
{
	if (principal->kind != PRINCIPAL_TOKEN)
		return keys_renew(guard->parts.keys, principal, now_s);
	return token_door_lets_go_on(guard->parts.tokens, principal, now_s) ? principal : NULL;
}

struct principal *guard_renew(const struct guard *guard, struct principal *principal, int64_t now_s)
{
	switch (principal->kind) {
	case PRINCIPAL_LOCAL:
		return principal;
	case PRINCIPAL_ANYBODY: /* it came before the first key was made, */
		return guard->wants ? NULL : principal;
	case PRINCIPAL_KEY:
	case PRINCIPAL_CERTIFICATE:
	case PRINCIPAL_TOKEN:
		break;
	}
	/* or before `auth: none`: everybody is nobody since then, and could not use it any more. */
	return guard->wants ? renew_credential(guard, principal, now_s) : NULL;
}

bool guard_admits_still(const struct guard *guard, struct principal *principal, bool is_loopback,
	bool is_public, int64_t now_s)
{
	const struct principal *now;

	if (!admin_wants_credential(guard, is_loopback, is_public))
		return true;
	if (principal->kind == PRINCIPAL_ANYBODY)
		return false;
	now = renew_credential(guard, principal, now_s);
	return now && now->is_admin;
}

struct guard *guard_new(const struct guard_parts *parts, const struct conf *conf)
{
	struct guard *guard = alloc_zero(sizeof(*guard));

	guard->parts = *parts;

	guard->anybody = principal_new(PRINCIPAL_ANYBODY, "", "");
	guard_set_conf(guard, conf);
	return guard;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	principal_unref(guard->anybody);
	free(guard);
}
