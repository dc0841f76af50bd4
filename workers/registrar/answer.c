/* See answer.h. */
#include "workers/registrar/answer.h"

#include "shared/alloc.h"
#include "workers/registrar/secret.h"

enum {
	MAX_ERROR_CHARS = 400,
	MAX_DETAILS = 5, /* of a list of errors */
	/* Of an answer, for each costs memory many times its length. 10000 tools have fewer. */
	MAX_JSON_VALUES = 2000000,
	MAX_JSON_NESTS = 300000, /* objects and arrays */
};

static const char remedy_token[] =
	"make a new token at the gateway (POST /v1/tokens) with the permissions gateways.read, "
	"gateways.create, gateways.update, gateways.delete and tools.read, and put it into the token's file";
static const char remedy_refused[] =
	"most often the gateway may not connect to the fleet's address: allow it there "
	"(SSRF_ALLOW_LOCALHOST=true, SSRF_ALLOWED_NETWORKS), check that the host in public_url can be "
	"resolved there, and see the reason with EXPOSE_ERROR_DETAILS=true";
static const char remedy_schema[] =
	"a tool of this domain has a name or a schema that the gateway refuses; its log names it";
static const char remedy_peer[] =
	"the gateway cannot reach the fleet at this address: set public_url to what is reachable from the "
	"gateway's host, check the listening address, the firewall, the certificate and the peer's key";
static const char remedy_tls[] =
	"the gateway does not trust the fleet's certificate: give it the right CA (peer_ca_file), and have the "
	"name in public_url in the certificate";
static const char remedy_wrong[] =
	"is the URL that of a ContextForge gateway, without a path behind?";
static const char remedy_unreached[] =
	"check that the gateway runs, its URL, and the proxy settings";
static const char remedy_limited[] =
	"raise the gateway's rate limit for this client; nothing is sent until the time is over";
static const char remedy_busy[] =
	"nothing: it said when to come again, and nothing is sent until then";
static const char remedy_client[] =
	"the gateway asks for a certificate: set client_cert and client_key to one that it knows";
static const char remedy_own_tls[] = "set the CA of the gateway's certificate (ca_file)";

static enum answer_kind kind_of_status(int status)
{
	switch (status) {
	case 202:
		return ANSWER_PENDING;
	case 401:
	case 403:
		return ANSWER_AUTH;
	case 404:
		return ANSWER_MISSING;
	case 409:
		return ANSWER_CONFLICT;
	case 429:
		return ANSWER_LIMITED;
	case 502:
		return ANSWER_PEER;
	default:
		break;
	}
	if (status >= 200 && status < 300)
		return ANSWER_OK;
	if (status == 408)
		return ANSWER_TROUBLE;
	return status >= 400 && status < 500 ? ANSWER_REFUSED : ANSWER_TROUBLE;
}

static enum answer_kind kind_of_end(enum http_end end)
{
	switch (end) {
	case HTTP_UNREACHED:
		return ANSWER_UNREACHED;
	case HTTP_LATE:
		return ANSWER_LATE;
	case HTTP_STOPPED:
		return ANSWER_STOPPED;
	case HTTP_ANSWERED:
	case HTTP_BROKEN:
	case HTTP_REFUSED:
		break;
	}
	return ANSWER_TROUBLE;
}

/* --- words ---------------------------------------------------------------------------------------- */

static void add_words(struct strbuf *out, json_t *value);

/* One of a list of validation errors: where and why, never the input. */
static void add_detail(struct strbuf *out, json_t *detail)
{
	const char *why = json_string_value(json_object_get(detail, "msg"));
	json_t *part;
	size_t i;

	json_array_foreach(json_object_get(detail, "loc"), i, part)
		if (json_is_string(part))
			strbuf_addf(out, "%s%s", i ? "." : "", json_string_value(part));
	strbuf_addf(out, ": %s", why ? why : "refused");
}

static void add_list(struct strbuf *out, json_t *list)
{
	json_t *detail;
	size_t i;

	json_array_foreach(list, i, detail) {
		if (i == MAX_DETAILS)
			return;
		strbuf_adds(out, i ? "; " : "");
		if (json_is_object(detail))
			add_detail(out, detail);
	}
}

static void add_words(struct strbuf *out, json_t *value)
{
	static const char *const names[] = { "message", "detail", "error", "msg" };

	if (json_is_string(value))
		strbuf_adds(out, json_string_value(value));
	else if (json_is_array(value))
		add_list(out, value);
	for (size_t i = 0; json_is_object(value) && i < N_ELEMENTS(names); i++) {
		json_t *inner = json_object_get(value, names[i]);

		if (json_is_string(inner)) {
			strbuf_adds(out, json_string_value(inner));
			return;
		}
	}
}

static void add_gateway_words(struct strbuf *out, json_t *json)
{
	static const char *const names[] = { "message", "detail", "details", "error" };

	for (size_t i = 0; i < N_ELEMENTS(names) && out->len == 0; i++)
		add_words(out, json_object_get(json, names[i]));
}

static char *make_error(const struct answer *answer, const struct http_answer *from,
	const char *const *secrets, size_t n_secrets)
{
	auto_strbuf words = { 0 };
	auto_strbuf line = { 0 };

	if (from->end != HTTP_ANSWERED)
		return secret_clean(from->cause, MAX_ERROR_CHARS, secrets, n_secrets);
	add_gateway_words(&words, answer->json);
	if (words.len == 0)
		strbuf_adds(
			&words, answer->json ? "no reason is given" : "the answer is not in JSON");
	strbuf_addf(&line, "HTTP %d: %s", answer->status, words.data);
	return secret_clean(line.data, MAX_ERROR_CHARS, secrets, n_secrets);
}

static bool says(const struct answer *answer, const char *words)
{
	return answer->error && strcasestr(answer->error, words);
}

static const char *remedy_for_connection(const struct answer *answer)
{
	if (says(answer, "client certificate") || says(answer, "alert"))
		return remedy_client;
	return says(answer, "certificate") ? remedy_own_tls : remedy_unreached;
}

static const char *remedy_for(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_AUTH:
		return remedy_token;
	case ANSWER_REFUSED:
		return answer->status == 400 ? remedy_schema : remedy_refused;
	case ANSWER_PEER:
		return says(answer, "certificate") ? remedy_tls : remedy_peer;
	case ANSWER_UNREACHED:
		return remedy_for_connection(answer);
	case ANSWER_LATE:
		return remedy_unreached;
	case ANSWER_LIMITED:
		return remedy_limited;
	case ANSWER_BUSY:
		return remedy_busy;
	case ANSWER_TROUBLE:
		if (answer->status == 0)
			return remedy_for_connection(answer);
		return answer->json ? NULL : remedy_wrong;
	case ANSWER_OK:
	case ANSWER_PENDING:
	case ANSWER_MISSING:
	case ANSWER_CONFLICT:
	case ANSWER_STOPPED:
		break;
	}
	return NULL;
}

/* Is it small enough to be read as a tree? Texts are not told apart: what is in them counts too. */
static bool is_bounded(const struct strbuf *body)
{
	size_t n_values = 0;
	size_t n_nests = 0;

	for (size_t i = 0; i < body->len; i++) {
		n_values += body->data[i] == ',';
		n_nests += body->data[i] == '{' || body->data[i] == '[';
	}
	return n_values <= MAX_JSON_VALUES && n_nests <= MAX_JSON_NESTS;
}

static json_t *read_body(const struct strbuf *body)
{
	return is_bounded(body) ? json_loadb(strbuf_get(body), body->len, 0, NULL) : NULL;
}

/* 204 has no body; every other good answer is JSON, or it is not a gateway that answers. */
static bool is_plausible(const struct answer *answer)
{
	if (answer->kind != ANSWER_OK && answer->kind != ANSWER_PENDING &&
		answer->kind != ANSWER_MISSING)
		return true;
	return answer->json || answer->status == 204;
}

void answer_read(const struct http_answer *from, const char *const *secrets, size_t n_secrets,
	struct answer *ret)
{
	*ret = (struct answer){ .retry_after_ms = from->retry_after_ms };
	if (from->end == HTTP_ANSWERED) {
		ret->status = from->status;
		ret->json = read_body(&from->body);
		ret->kind = kind_of_status(from->status);
		if (ret->status == 503 && ret->retry_after_ms > 0)
			ret->kind = ANSWER_BUSY;
		if (!is_plausible(ret))
			ret->kind = ANSWER_TROUBLE;
	} else {
		ret->kind = kind_of_end(from->end);
	}
	if (ret->kind == ANSWER_OK || ret->kind == ANSWER_PENDING)
		return;
	ret->error = make_error(ret, from, secrets, n_secrets);
	ret->remedy = remedy_for(ret);
}

void answer_done(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->error);
	*answer = (struct answer){ 0 };
}

bool answer_is_global(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_AUTH:
	case ANSWER_LIMITED:
	case ANSWER_BUSY:
	case ANSWER_UNREACHED:
	case ANSWER_STOPPED:
		return true;
	case ANSWER_OK:
	case ANSWER_PENDING:
	case ANSWER_MISSING:
	case ANSWER_CONFLICT:
	case ANSWER_REFUSED:
	case ANSWER_PEER:
	case ANSWER_TROUBLE:
	case ANSWER_LATE:
		break;
	}
	return false;
}
