/* The courier: HTTP requests for the daemon, which itself has neither libcurl nor a connection to anywhere.
 *
 * What it is asked for, on its link (workers/common/aide_link):
 *   courier/fetch {url, ca_file, max_bytes, timeout_ms, accept} -> {status, body, max_age_s?}
 *   courier/post {url, ca_file, headers_file, content_type, body, timeout_ms} -> {status, body?, retry_after_s?}
 * An answer to a post has its body where its status is 2xx and it is text, cut at 64 KiB.
 * An answer with any status is a result; an error has words that name the URL (without its query) and the cause.
 *
 * http and https only. A redirect of a fetch is followed 3 times, never from https to http; that of a post is
 * not. Everything has a bound: the time of an order, redirects included, its answer's body and head, the orders
 * under way and what all of them hold. The headers of headers_file are secrets: read here, for each request anew,
 * and told to nobody but the server.
 *
 * Source: RFC 9110 sections 10.2.3 and 15.4; RFC 9111 section 5.2.2.1. */
#pragma once

#include "shared/fail.h"

/* Until the link ends: 0, or -errno with words. */
int courier_run(int in_fd, int out_fd, struct fail *fail) must_check;
