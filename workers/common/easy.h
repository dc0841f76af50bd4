/* What every request of ours by libcurl has in common, whatever drives it: how it is set up safely, the words for
 * what went wrong, headers that may be secrets.
 *
 * http and https only; redirects are never followed by libcurl itself; no netrc, cookie or compression; TLS from 1.2
 * on, with the certificate checked. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

/* Sets an option; none is optional: without one of them more would be done than is meant. */
#define EASY_SET(easy, option, value) easy_require(curl_easy_setopt((easy), (option), (value)))
void easy_require(CURLcode result);

/* `ca_file`: certificates that are trusted instead of the system's; NULL or "": those of the system, or of
 * SSL_CERT_FILE. A proxy is used as the environment has it, unless the caller sets another. */
void easy_set_safety(CURL *easy, const char *ca_file);

/* Why a transfer failed; `error` is its CURLOPT_ERRORBUFFER. Libcurl's own words where they say more, but not those
 * that tell how long it took: the same cause is to have the same words. Borrowed. */
const char *easy_words(CURL *easy, CURLcode result, const char *error);

/* Adds a header; aborts when there is no memory. */
void easy_add_header(struct curl_slist **list, const char *line);

/* Wipes and frees: they may be secrets. */
void easy_free_headers(struct curl_slist *list);
