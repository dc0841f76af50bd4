/* See easy.h. */
#include "workers/common/easy.h"

#include <string.h>

#include "shared/alloc.h"

#include "config.h"

enum { KEEP_S = 30 }; /* an idle connection */

void easy_require(CURLcode result)
{
	if (result != CURLE_OK)
		abort();
}

void easy_set_safety(CURL *easy, const char *ca_file)
{
	const char *system_file = getenv("SSL_CERT_FILE");

	EASY_SET(easy, CURLOPT_NOSIGNAL, 1L);
	EASY_SET(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for the thread of a name's look-up */
	EASY_SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	EASY_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	EASY_SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	EASY_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	EASY_SET(easy, CURLOPT_MAXAGE_CONN, (long)KEEP_S);
	EASY_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	EASY_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	EASY_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	EASY_SET(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	EASY_SET(easy, CURLOPT_USERAGENT, "mcp-fleet/" PACKAGE_VERSION);
	if (ca_file && *ca_file)
		EASY_SET(easy, CURLOPT_CAINFO, ca_file);
	else if (system_file && *system_file)
		EASY_SET(easy, CURLOPT_CAINFO, system_file);
}

const char *easy_words(CURL *easy, CURLcode result, const char *error)
{
	long err = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &err);
	if (result == CURLE_COULDNT_CONNECT && err > 0)
		return strerror((int)err);
	if (!*error || result == CURLE_COULDNT_CONNECT || result == CURLE_OPERATION_TIMEDOUT)
		return curl_easy_strerror(result);
	return error;
}

void easy_add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		abort(); /* out of memory */
	*list = longer;
}

void easy_free_headers(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(list);
}
