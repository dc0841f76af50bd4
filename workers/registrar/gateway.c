/* See gateway.h. */
#include "workers/registrar/gateway.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/log.h"

/* Waits for its turn. False: nothing may be sent, *ret says why. */
static bool wait_for_turn(struct gateway *gateway, struct answer *ret)
{
	int64_t now = clock_now_ms();
	int64_t wait_ms;

	if (gateway->pace.closed_ms > now) {
		*ret = (struct answer){ .kind = gateway->closed.kind,
			.retry_after_ms = gateway->pace.closed_ms - now,
			.error = alloc_str("the gateway asked us to wait"),
			.remedy = gateway->closed.remedy };
		return false;
	}
	while ((wait_ms = pace_wait_ms(&gateway->pace, clock_now_ms())) > 0)
		if (!http_sleep(gateway->http, clock_now_ms() + wait_ms)) {
			*ret = (struct answer){ .kind = ANSWER_STOPPED };
			return false;
		}
	pace_spend(&gateway->pace, clock_now_ms());
	return true;
}

static void count(struct gateway_counters *counters, const char *method)
{
	counters->requests++;
	counters->creates += streq(method, "POST");
	counters->updates += streq(method, "PUT");
	counters->deletes += streq(method, "DELETE");
}

static void send_request(struct gateway *gateway, const char *method, const char *path,
	const char *body, struct answer *ret)
{
	const struct settings *settings = gateway->settings;
	const char *secrets[] = { gateway->token, gateway->peer_key };
	bool is_read = streq(method, "GET") || streq(method, "DELETE");
	auto_free char *url =
		alloc_printf("%s%s%s", gateway->url, gateway->is_unversioned ? "" : "/v1", path);
	auto_(http_answer_done) struct http_answer answer = { 0 };
	struct http_request request = {
		.method = method,
		.url = url,
		.auth_header = settings->auth_header,
		.token = gateway->token,
		.body = body,
		.ca_file = settings->ca_file,
		.client_cert = settings->client_cert,
		.client_key = settings->client_key,
		.verify = gateway->verify,
		.timeout_ms = is_read ? HTTP_READ_MS : HTTP_WRITE_MS,
	};

	count(&gateway->counters, method);
	http_ask(gateway->http, &request, &answer);
	answer_read(&answer, secrets, N_ELEMENTS(secrets), ret);
	log_debug("%s %s: %d %s", method, path, ret->status, ret->error ? ret->error : "");
}

/* It wants to be left alone; what is asked of it meanwhile hears the same. */
static void close_for_now(struct gateway *gateway, const struct answer *answer)
{
	int64_t wait_ms = answer->retry_after_ms;

	if (answer->kind == ANSWER_LIMITED && wait_ms <= 0)
		wait_ms = PACE_CAP_MS;
	pace_close(&gateway->pace, clock_now_ms(), wait_ms);
	gateway->closed.kind = answer->kind;
	gateway->closed.remedy = answer->remedy;
}

static void ask(struct gateway *gateway, const char *method, const char *path, json_t *body,
	struct answer *ret)
{
	auto_strbuf text = { 0 };

	if (!wait_for_turn(gateway, ret))
		return;
	if (body)
		jx_dump(&text, body);
	send_request(gateway, method, path, body ? text.data : NULL, ret);
	if (text.data)
		explicit_bzero(text.data, text.size);
	if (ret->kind == ANSWER_LIMITED || ret->kind == ANSWER_BUSY)
		close_for_now(gateway, ret);
	if (ret->kind != ANSWER_OK && ret->kind != ANSWER_PENDING && ret->kind != ANSWER_STOPPED)
		gateway->counters.errors++;
}

/* Gateways before 1.0.5 have no /v1: the first thing that is asked for shows it. A newer one put in its place
 * is found out in the same way. */
void gateway_list(struct gateway *gateway, struct answer *ret)
{
	static const char path[] = "/gateways?limit=0&include_inactive=true";

	ask(gateway, "GET", path, NULL, ret);
	if (ret->kind != ANSWER_MISSING)
		return;
	answer_done(ret);
	gateway->is_unversioned = !gateway->is_unversioned;
	ask(gateway, "GET", path, NULL, ret);
	if (ret->kind == ANSWER_MISSING) {
		gateway->is_unversioned = false;
		ret->kind = ANSWER_TROUBLE;
		ret->remedy = "is the URL that of a ContextForge gateway, without a path behind?";
	}
}

static void ask_about(struct gateway *gateway, const char *method, const char *kind, const char *id,
	json_t *body, struct answer *ret)
{
	auto_free char *path = alloc_printf("/%s/%s", kind, id);

	ask(gateway, method, path, body, ret);
}

void gateway_get(struct gateway *gateway, const char *id, struct answer *ret)
{
	ask_about(gateway, "GET", "gateways", id, NULL, ret);
}

void gateway_tools(struct gateway *gateway, const char *id, struct answer *ret)
{
	auto_free char *path =
		alloc_printf("/tools?gateway_id=%s&limit=0&include_inactive=true", id);

	ask(gateway, "GET", path, NULL, ret);
}

void gateway_create(struct gateway *gateway, json_t *body, struct answer *ret)
{
	ask(gateway, "POST", "/gateways", body, ret);
}

void gateway_update(struct gateway *gateway, const char *id, json_t *body, struct answer *ret)
{
	ask_about(gateway, "PUT", "gateways", id, body, ret);
}

void gateway_delete(struct gateway *gateway, const char *id, struct answer *ret)
{
	ask_about(gateway, "DELETE", "gateways", id, NULL, ret);
}

void gateway_servers(struct gateway *gateway, struct answer *ret)
{
	ask(gateway, "GET", "/servers?limit=0&include_inactive=true", NULL, ret);
}

void gateway_create_server(struct gateway *gateway, json_t *body, struct answer *ret)
{
	ask(gateway, "POST", "/servers", body, ret);
}

void gateway_update_server(
	struct gateway *gateway, const char *id, json_t *body, struct answer *ret)
{
	ask_about(gateway, "PUT", "servers", id, body, ret);
}

void gateway_delete_server(struct gateway *gateway, const char *id, struct answer *ret)
{
	ask_about(gateway, "DELETE", "servers", id, NULL, ret);
}
