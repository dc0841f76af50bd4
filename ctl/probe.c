/* See probe.h. */
#include "ctl/probe.h"

#include <curl/curl.h>
#include <errno.h>

#include "shared/alloc.h"

enum { MAX_BODY = 65536 };

struct reading {
	const struct probe *probe;
	struct probe_result *result;
};

DEFINE_FREEP(CURL, curl_easy_cleanup)
DEFINE_FREEP(struct curl_slist, curl_slist_free_all)

/* Fewer than came: the transfer ends, which is no failure when it was enough. */
static size_t take_body(char *bytes, size_t one, size_t n, void *arg)
{
	struct reading *reading = arg;
	struct strbuf *body = &reading->result->body;
	size_t room = MAX_BODY - body->len;

	strbuf_add(body, bytes, n < room ? n : room);
	if (reading->probe->until && strstr(strbuf_get(body), reading->probe->until)) {
		reading->result->has_until = true;
		return 0;
	}
	return n < room ? n : 0;
}

static struct curl_slist *make_headers(const struct probe *probe)
{
	auto_free char *accept = alloc_printf("Accept: %s", probe->accept ? probe->accept : "*/*");
	struct curl_slist *headers = curl_slist_append(NULL, accept);

	if (probe->bearer) {
		auto_free char *line = alloc_printf("Authorization: Bearer %s", probe->bearer);

		headers = curl_slist_append(headers, line);
	}
	if (probe->host) {
		auto_free char *line = alloc_printf("Host: %s", probe->host);

		headers = curl_slist_append(headers, line);
	}
	return headers;
}

static void set_options(CURL *curl, const struct probe *probe)
{
	(void)curl_easy_setopt(curl, CURLOPT_URL, probe->url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)probe->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	if (probe->is_direct)
		(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	if (probe->ca_file)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, probe->ca_file);
	if (probe->client_cert)
		(void)curl_easy_setopt(curl, CURLOPT_SSLCERT, probe->client_cert);
	if (probe->client_key)
		(void)curl_easy_setopt(curl, CURLOPT_SSLKEY, probe->client_key);
	if (probe->is_unverified) {
		/* Nobody has to be read whom nobody asks. */
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
		(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

int probe_get(const struct probe *probe, struct probe_result *ret, struct fail *fail)
{
	auto_(curl_easy_cleanupp) CURL *curl = curl_easy_init();
	auto_(curl_slist_free_allp) struct curl_slist *headers = make_headers(probe);
	struct reading reading = { .probe = probe, .result = ret };
	char words[CURL_ERROR_SIZE] = "";
	CURLcode code;

	if (!curl)
		return fail_set(fail, -EIO, "libcurl cannot be used");
	set_options(curl, probe);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reading);
	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
	/* A stream that sends nothing has answered nevertheless, by its head. */
	if (code == CURLE_OK || (ret->status > 0 && (code == CURLE_WRITE_ERROR ||
							    code == CURLE_OPERATION_TIMEDOUT)))
		return 0;
	return fail_set(fail, -EIO, "%s", *words ? words : curl_easy_strerror(code));
}
