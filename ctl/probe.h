/* One HTTP GET, to see whether somebody answers and how: for mcp-fleetctl doctor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

struct probe {
	const char *url;
	const char *accept;  /* NULL: anything */
	const char *bearer;  /* NULL: none */
	const char *host;    /* in the place of that of the URL; NULL: that */
	const char *ca_file; /* NULL, of each file: none */
	const char *client_cert;
	const char *client_key;
	const char *until; /* enough when the body has this: streams do not end */
	bool is_unverified;
	bool is_direct; /* by no proxy */
	int64_t timeout_ms;
};

struct probe_result {
	long status;
	bool has_until;
	struct strbuf body; /* its beginning */
};

/* 0: somebody answered, *ret (zeroed by the caller; strbuf_done() its body) says how. -EIO with words. */
int probe_get(const struct probe *probe, struct probe_result *ret, struct fail *fail) must_check;
