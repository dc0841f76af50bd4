/* See request.h. */
#include "workers/network/request.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "workers/common/address.h"
#include "workers/network/policy.h"

enum {
	LOOK_MS = 50,
	MIN_CONNECT_MS = 500, /* of one address, when there are many */
};

enum request_state {
	REQUEST_LOOKUP,
	REQUEST_RUNNING, /* in libcurl's hands */
	REQUEST_DONE,
};

struct request {
	const struct request_spec *spec;
	enum request_state state;
	struct lookup *lookup;
	struct resolved to;
	size_t tried; /* addresses; the last of them is the one in use */
	int64_t connect_deadline_ms;
	CURL *easy;
	struct curl_slist *connect_to;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	CURLcode result;
	bool finished; /* `result` is set */
	size_t head_bytes;
	size_t n_codings; /* compressions of the body */
	bool head_too_large;
	bool body_too_large;
	bool body_cut;
	struct response response;
	struct failure failure; /* code NULL: none */
};

static CURLM *multi;
static const char *ca_file; /* what the environment names; NULL: those of the system */
static const char *ca_dir;

int request_start(struct fail *fail)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail_set(fail, -EINVAL, "libcurl cannot be used");

	multi = curl_multi_init();
	if (!multi)
		return fail_set(fail, -ENOMEM, "libcurl cannot be used");

	ca_file = getenv("SSL_CERT_FILE");
	ca_dir = getenv("SSL_CERT_DIR");
	return 0;
}

void request_stop(void)
{
	(void)curl_multi_cleanup(multi);
	multi = NULL;
	curl_global_cleanup();
}

/* Callbacks */

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct request *request = arg;
	size_t len = size * n;

	if (len > REQUEST_MAX_HEADER_BYTES - request->head_bytes) {
		request->head_too_large = true;
		return 0;
	}
	request->head_bytes += len;
	/* Of several libcurl would undo one after the other, and ask nobody in between: a few kilobytes
	 * could keep it busy for hours. No server has a reason for a second. */
	request->n_codings += response_line_codings(line, len);
	if (request->n_codings > 1)
		return 0;
	response_add_line(&request->response, line, len);
	return len;
}

static int get_status(const struct request *request)
{
	long status = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static bool is_redirect(const struct request *request)
{
	return response_is_redirect(get_status(request)) &&
	       response_header(&request->response, "Location");
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct request *request = arg;
	size_t len = size * n;
	size_t room;

	if (request->spec->skip_redirect_body && is_redirect(request)) {
		request->body_cut = true;
		return 0;
	}
	room = (size_t)request->spec->max_body_bytes - request->response.body.len;

	strbuf_add(&request->response.body, bytes, len > room ? room : len);
	if (len <= room)
		return len;
	if (request->spec->cut_body)
		request->body_cut = true;
	else
		request->body_too_large = true;
	return 0;
}

static const struct sockaddr *address_in_use(const struct request *request)
{
	return (const struct sockaddr *)&request->to.addresses[request->tried - 1];
}

/* The last gate: whatever libcurl may want to connect to, only the judged address is opened. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	const struct request *request = arg;

	if (purpose != CURLSOCKTYPE_IPCXN || !address_is_same(&to->addr, address_in_use(request)))
		return CURL_SOCKET_BAD;

	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Setting up */

/* None is optional: without one of them more could be reached than was judged. */
static void require(CURLcode result)
{
	if (result != CURLE_OK)
		abort();
}

#define SET(request, option, value) require(curl_easy_setopt((request)->easy, (option), (value)))

static void set_safety(struct request *request)
{
	SET(request, CURLOPT_NOSIGNAL, 1L);
	SET(request, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(request, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(request, CURLOPT_FOLLOWLOCATION, 0L);
	SET(request, CURLOPT_PROXY, "");
	SET(request, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(request, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(request, CURLOPT_FRESH_CONNECT, 1L);
	SET(request, CURLOPT_FORBID_REUSE, 1L);
	SET(request, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(request, CURLOPT_OPENSOCKETDATA, request);
	SET(request, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(request, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(request, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(request, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (ca_file)
		SET(request, CURLOPT_CAINFO, ca_file);
	if (ca_dir)
		SET(request, CURLOPT_CAPATH, ca_dir);
}

static void set_method(struct request *request)
{
	const struct request_spec *spec = request->spec;
	const char *method = spec->method ? spec->method : "GET";

	if (streq(method, "HEAD")) {
		SET(request, CURLOPT_NOBODY, 1L);
		return;
	}
	if (streq(method, "GET")) {
		SET(request, CURLOPT_HTTPGET, 1L);
		return;
	}
	if (spec->body || streq(method, "POST") || streq(method, "PUT") || streq(method, "PATCH")) {
		SET(request, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_bytes);
		SET(request, CURLOPT_POSTFIELDS, spec->body ? spec->body : "");
	}
	SET(request, CURLOPT_CUSTOMREQUEST, method);
}

static struct curl_slist *add_to_list(struct curl_slist *list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(list, text);

	if (!longer)
		abort(); /* no memory */
	return longer;
}

static void set_message(struct request *request)
{
	for (const struct curl_slist *at = request->spec->headers; at; at = at->next)
		request->headers = add_to_list(request->headers, at->data);
	request->headers = add_to_list(request->headers, "Expect:"); /* do not wait for a 100 */
	SET(request, CURLOPT_HTTPHEADER, request->headers);
	SET(request, CURLOPT_CURLU, request->spec->url->curl);
	SET(request, CURLOPT_USERAGENT, "mcp-fleet/" PACKAGE_VERSION);
	SET(request, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	set_method(request);
}

static void set_answer(struct request *request)
{
	SET(request, CURLOPT_PRIVATE, request);
	SET(request, CURLOPT_ERRORBUFFER, request->error);
	SET(request, CURLOPT_HEADERFUNCTION, on_header);
	SET(request, CURLOPT_HEADERDATA, request);
	SET(request, CURLOPT_WRITEFUNCTION, on_body);
	SET(request, CURLOPT_WRITEDATA, request);
	SET(request, CURLOPT_LOW_SPEED_LIMIT, (long)REQUEST_SLOW_BYTES / REQUEST_SLOW_S + 1);
	SET(request, CURLOPT_LOW_SPEED_TIME, (long)REQUEST_SLOW_S);
}

static void set_times(struct request *request, int64_t now)
{
	int64_t left = request->spec->deadline_ms - now;
	int64_t share = (request->connect_deadline_ms - now) /
			(int64_t)(request->to.n - (request->tried - 1));

	if (share < MIN_CONNECT_MS)
		share = MIN_CONNECT_MS;
	SET(request, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
	SET(request, CURLOPT_CONNECTTIMEOUT_MS, (long)share);
}

static void set_address(struct request *request)
{
	const struct sockaddr *address = address_in_use(request);
	char *text = request->response.address;
	auto_free char *line = NULL;

	policy_address_text(address, text);
	line = address->sa_family == AF_INET6 ? alloc_printf("::[%s]:%d", text, request->to.port)
					      : alloc_printf("::%s:%d", text, request->to.port);
	curl_slist_free_all(request->connect_to);
	request->connect_to = add_to_list(NULL, line);
	SET(request, CURLOPT_CONNECT_TO, request->connect_to);
}

/* The next of the addresses. */
static void connect_next(struct request *request)
{
	request->tried++;
	*request->error = '\0';
	set_address(request);
	set_times(request, clock_now_ms());
	if (curl_multi_add_handle(multi, request->easy) != CURLM_OK)
		abort(); /* no memory */
}

static void begin_transfer(struct request *request)
{
	request->easy = curl_easy_init();
	if (!request->easy)
		abort(); /* no memory */

	set_safety(request);
	set_message(request);
	set_answer(request);
	request->connect_deadline_ms = clock_now_ms() + REQUEST_CONNECT_MS;
	request->state = REQUEST_RUNNING;
	connect_next(request);
}

struct request *request_new(const struct request_spec *spec)
{
	struct request *request = alloc_zero(sizeof(*request));
	int64_t left = spec->deadline_ms - clock_now_ms();

	request->spec = spec;
	if (url_check(spec->url, &request->failure) < 0) {
		request->state = REQUEST_DONE;
		return request;
	}
	request->lookup = lookup_new(spec->url->host, spec->url->port, left > 0 ? left : 0);
	return request;
}

void request_free(struct request *request)
{
	if (!request)
		return;

	lookup_free(request->lookup);
	if (request->easy) {
		(void)curl_multi_remove_handle(multi, request->easy);
		curl_easy_cleanup(request->easy);
	}
	curl_slist_free_all(request->connect_to);
	curl_slist_free_all(request->headers);
	response_done(&request->response);
	free(request);
}

/* Running */

/* Any request's, not only that of the caller. */
static void take_results(void)
{
	CURLMsg *message;
	int left = 0;

	while ((message = curl_multi_info_read(multi, &left))) {
		struct request *request = NULL;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		(void)curl_multi_remove_handle(multi, request->easy);
		request->result = result;
		request->finished = true;
	}
}

/* Whether the server's part of a handshake, or more, has come. */
static bool was_connected(const struct request *request)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

static bool may_try_next(const struct request *request)
{
	int64_t now = clock_now_ms();

	return request->tried < request->to.n && now < request->connect_deadline_ms &&
	       now < request->spec->deadline_ms && !was_connected(request) &&
	       (request->result == CURLE_COULDNT_CONNECT ||
		       request->result == CURLE_OPERATION_TIMEDOUT);
}

static int fail_timeout(struct request *request)
{
	const char *host = request->to.host;

	if (clock_now_ms() >= request->spec->deadline_ms)
		return failure_set(&request->failure, "timeout",
			"%s did not answer in time (%zu bytes were read). Try a longer "
			"timeout_seconds.",
			host, request->response.body.len);
	if (!was_connected(request))
		return failure_set(&request->failure, "connect_failed",
			"%s, port %d: no connection within %d s.", host, request->to.port,
			REQUEST_CONNECT_MS / 1000);

	return failure_set(&request->failure, "timeout",
		"%s sent less than %d bytes in %d s (%zu bytes were read). Whoever is slower is not "
		"waited for, whatever timeout_seconds is. Try again later.",
		host, REQUEST_SLOW_BYTES, REQUEST_SLOW_S, request->response.body.len);
}

static int fail_too_large(struct request *request)
{
	if (request->body_too_large)
		return failure_set(&request->failure, "response_too_large",
			"%s sent more than %lld bytes (domains.network.max_response_bytes).",
			request->to.host, (long long)request->spec->max_body_bytes);

	return failure_set(&request->failure, "response_too_large",
		"%s sent a header of more than %d bytes.", request->to.host,
		REQUEST_MAX_HEADER_BYTES);
}

static const char *code_of(CURLcode result)
{
	switch ((int)result) {
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return "tls_failed";
	case CURLE_BAD_CONTENT_ENCODING:
		return "unsupported_content";
	default:
		return "connect_failed";
	}
}

/* libcurl's words, in which foreign bytes may be, unless the system has better ones. */
static int fail_other(struct request *request)
{
	const char *words = *request->error ? request->error : curl_easy_strerror(request->result);
	long system_error = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &system_error);
	if (request->result == CURLE_COULDNT_CONNECT && system_error > 0)
		words = strerror((int)system_error);
	return failure_set(&request->failure, code_of(request->result), "%s, port %d: %s.",
		request->to.host, request->to.port, words);
}

/* As libcurl says it. */
static bool came_from_there(const struct request *request)
{
	const char *text = NULL;
	struct sockaddr_storage from;

	(void)curl_easy_getinfo(request->easy, CURLINFO_PRIMARY_IP, &text);
	return text && host_get_address(text, request->to.port, &from) &&
	       address_is_same((const struct sockaddr *)&from, address_in_use(request));
}

static int judge(struct request *request)
{
	/* A line that is too long for libcurl is said to be memory that is not there. */
	if (request->head_too_large || request->body_too_large ||
		(request->result == CURLE_OUT_OF_MEMORY && request->response.body.len == 0))
		return fail_too_large(request);
	if (request->n_codings > 1)
		return failure_set(&request->failure, "unsupported_content",
			"%s sent a body that is compressed more than once, which is not read.",
			request->to.host);
	if (request->result == CURLE_OPERATION_TIMEDOUT)
		return fail_timeout(request);
	if (request->result != CURLE_OK && !request->body_cut)
		return fail_other(request);
	if (!came_from_there(request))
		return failure_set(&request->failure, "address_refused",
			"%s was answered from another address than the one that was judged.",
			request->to.host);

	request->response.status = get_status(request);
	request->response.truncated = request->body_cut;
	return 0;
}

static void step_lookup(struct request *request)
{
	if (!lookup_step(request->lookup))
		return;
	if (lookup_finish(request->lookup, &request->to, &request->failure) < 0)
		request->state = REQUEST_DONE;
	else
		begin_transfer(request);
	lookup_free(request->lookup);
	request->lookup = NULL;
}

static void step_transfer(struct request *request)
{
	int running = 0;

	if (!request->finished) {
		(void)curl_multi_perform(multi, &running);
		take_results();
	}
	if (!request->finished)
		return;

	if (may_try_next(request)) {
		request->finished = false;
		connect_next(request);
		return;
	}
	(void)judge(request);
	request->state = REQUEST_DONE;
}

bool request_step(struct request *request)
{
	if (request->state == REQUEST_LOOKUP)
		step_lookup(request);
	if (request->state == REQUEST_RUNNING)
		step_transfer(request);

	return request->state == REQUEST_DONE;
}

size_t request_bytes(const struct request *request)
{
	return request->response.body.len;
}

static size_t add_fds(struct request *request, struct curl_waitfd *to, int *max_wait_ms)
{
	struct pollfd fds[LOOKUP_MAX_FDS];
	size_t n = lookup_poll_fds(request->lookup, fds, max_wait_ms);

	for (size_t i = 0; i < n; i++)
		to[i] = (struct curl_waitfd){
			.fd = fds[i].fd,
			.events = (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
					  (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0)),
		};
	return n;
}

void request_wait_any(struct request *const *requests, size_t n)
{
	auto_free struct curl_waitfd *fds = alloc_zero((n * LOOKUP_MAX_FDS + 1) * sizeof(*fds));
	size_t n_fds = 0;
	int wait_ms = LOOK_MS;

	for (size_t i = 0; i < n; i++) {
		if (requests[i]->state == REQUEST_DONE)
			return;
		if (requests[i]->state == REQUEST_LOOKUP)
			n_fds += add_fds(requests[i], fds + n_fds, &wait_ms);
	}
	(void)curl_multi_poll(multi, fds, (unsigned)n_fds, wait_ms, NULL);
}

int request_finish(struct request *request, struct response *ret, struct failure *fail)
{
	assert(request->state == REQUEST_DONE);
	if (request->failure.code) {
		*fail = request->failure;
		return -EINVAL;
	}

	*ret = request->response;
	request->response = (struct response){ 0 };
	return 0;
}
