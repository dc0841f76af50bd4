/* See http.h. */
#include "workers/registrar/http.h"

#include <stdio.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "workers/common/easy.h"
#include "workers/registrar/pace.h"

enum { WAIT_MS = 60000 };

struct http {
	CURLM *multi;
	struct aide_link *link;
};

/* What is filled while it runs. */
struct transfer {
	CURL *easy;
	struct curl_slist *headers;
	struct http_answer *answer;
	bool is_too_big;
	char error[CURL_ERROR_SIZE];
};

/* --- what arrives ---------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	struct strbuf *body = &transfer->answer->body;
	size_t len = size * n;

	if (len > HTTP_MAX_BYTES - body->len) {
		transfer->is_too_big = true;
		return 0;
	}
	strbuf_add(body, bytes, len);
	return len;
}

/* --- setting up ----------------------------------------------------------------------------------- */

static struct curl_slist *make_headers(const struct http_request *request)
{
	struct curl_slist *headers = NULL;
	auto_strbuf line = { 0 };

	strbuf_addf(&line, "%s: Bearer %s", request->auth_header, request->token);
	easy_add_header(&headers, line.data);
	explicit_bzero(line.data, line.size);
	easy_add_header(&headers, "Accept: application/json");
	easy_add_header(&headers, "Expect:"); /* do not wait for a 100 */
	if (request->body)
		easy_add_header(&headers, "Content-Type: application/json");
	return headers;
}

static void set_safety(CURL *easy, const struct http_request *request)
{
	easy_set_safety(easy, request->ca_file);
	EASY_SET(easy, CURLOPT_SSL_VERIFYPEER, request->verify ? 1L : 0L);
	EASY_SET(easy, CURLOPT_SSL_VERIFYHOST, request->verify ? 2L : 0L);
	if (*request->client_cert)
		EASY_SET(easy, CURLOPT_SSLCERT, request->client_cert);
	if (*request->client_key)
		EASY_SET(easy, CURLOPT_SSLKEY, request->client_key);
}

static void set_request(struct transfer *transfer, const struct http_request *request)
{
	CURL *easy = transfer->easy;

	EASY_SET(easy, CURLOPT_URL, request->url);
	EASY_SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
	EASY_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	EASY_SET(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	EASY_SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
	EASY_SET(easy, CURLOPT_WRITEFUNCTION, on_body);
	EASY_SET(easy, CURLOPT_WRITEDATA, transfer);
	EASY_SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
	/* On a kept connection that turns out to be dead libcurl sends once more, whatever became of it. */
	EASY_SET(easy, CURLOPT_FRESH_CONNECT, streq(request->method, "GET") ? 0L : 1L);
	if (request->body) {
		EASY_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
		EASY_SET(easy, CURLOPT_POSTFIELDS, request->body);
	} else if (streq(request->method, "POST")) {
		EASY_SET(easy, CURLOPT_POSTFIELDS, "");
	}
}

/* --- the transfer --------------------------------------------------------------------------------- */

/* Seconds, or a date (RFC 9110 section 10.2.3): libcurl reads both. */
static int64_t get_retry_after(CURL *easy)
{
	curl_off_t seconds = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds <= 0)
		return 0;
	if (seconds > PACE_MAX_RETRY_AFTER_S)
		seconds = PACE_MAX_RETRY_AFTER_S;
	return (int64_t)seconds * CLOCK_SECOND_MS;
}

static void judge(struct transfer *transfer, CURLcode result)
{
	struct http_answer *answer = transfer->answer;
	long status = 0;
	long sent = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
	answer->status = (int)status;
	if (result == CURLE_OK) {
		answer->end = HTTP_ANSWERED;
		answer->retry_after_ms = get_retry_after(transfer->easy);
		return;
	}
	if (transfer->is_too_big)
		answer->end = HTTP_REFUSED;
	else if (sent == 0)
		answer->end = HTTP_UNREACHED;
	else
		answer->end = result == CURLE_OPERATION_TIMEDOUT ? HTTP_LATE : HTTP_BROKEN;
	(void)snprintf(answer->cause, sizeof(answer->cause), "%s",
		transfer->is_too_big ? "its answer is over 16 MiB"
				     : easy_words(transfer->easy, result, transfer->error));
}

/* Has it ended? */
static bool take_result(struct http *http, struct transfer *transfer)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)))
		if (message->msg == CURLMSG_DONE && message->easy_handle == transfer->easy) {
			judge(transfer, message->data.result);
			return true;
		}
	return false;
}

/* On the link, and on what is under way. */
static void wait_for_more(struct http *http, int64_t timeout_ms)
{
	struct curl_waitfd fds[AIDE_LINK_FDS];
	unsigned n = aide_link_get_fds(http->link, fds, &timeout_ms);

	(void)curl_multi_poll(http->multi, fds, n, (int)timeout_ms, NULL);
}

static void run(struct http *http, struct transfer *transfer)
{
	int n_running;

	transfer->answer->end = HTTP_STOPPED;
	if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
		abort(); /* out of memory */
	while (aide_link_turn(http->link)) {
		(void)curl_multi_perform(http->multi, &n_running);
		if (take_result(http, transfer))
			break;
		wait_for_more(http, WAIT_MS);
	}
	(void)curl_multi_remove_handle(http->multi, transfer->easy);
}

void http_ask(struct http *http, const struct http_request *request, struct http_answer *ret)
{
	struct transfer transfer = { .answer = ret };

	*ret = (struct http_answer){ 0 };
	transfer.easy = curl_easy_init();
	if (!transfer.easy)
		abort(); /* out of memory */
	transfer.headers = make_headers(request);
	set_safety(transfer.easy, request);
	set_request(&transfer, request);
	run(http, &transfer);
	curl_easy_cleanup(transfer.easy);
	easy_free_headers(transfer.headers);
}

void http_answer_done(struct http_answer *answer)
{
	strbuf_done(&answer->body);
}

static bool serve(struct http *http, int64_t until_ms, bool stops_for_notes)
{
	int n_running;

	while (aide_link_turn(http->link)) {
		int64_t now = clock_now_ms();

		if (now >= until_ms || (stops_for_notes && !TAILQ_EMPTY(&http->link->notes)))
			return true;
		(void)curl_multi_perform(http->multi, &n_running); /* kept connections may end */
		wait_for_more(http, until_ms - now);
	}
	return false;
}

bool http_idle(struct http *http, int64_t until_ms)
{
	return serve(http, until_ms, true);
}

bool http_sleep(struct http *http, int64_t until_ms)
{
	return serve(http, until_ms, false);
}

struct http *http_new(struct aide_link *link)
{
	struct http *http;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	http = alloc_zero(sizeof(*http));
	http->link = link;
	http->multi = curl_multi_init();
	if (!http->multi)
		abort(); /* out of memory */
	return http;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	(void)curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http);
}
