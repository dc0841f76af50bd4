/* What a person wants to know of an X.509 certificate. Nothing is verified here. */
#pragma once

#include <openssl/x509.h>

#include <jansson.h>
#include <stdint.h>

#include "shared/strbuf.h"

enum {
	CERTIFICATE_MAX_NAMES = 200,       /* of the subject's alternative ones */
	CERTIFICATE_MAX_NAME_BYTES = 1000, /* of subject and issuer */
	CERTIFICATE_DATE_SIZE = 32,
};

struct certificate {
	struct strbuf
		subject; /* RFC 2253, "CN=example.org,O=…"; valid UTF-8 without control characters */
	struct strbuf issuer;
	json_t *names; /* texts: DNS names, addresses, e-mail addresses, URIs; the first ones */
	size_t n_names;
	char not_before[CERTIFICATE_DATE_SIZE]; /* "2026-01-31T12:00:00Z"; "": it is no date */
	char not_after[CERTIFICATE_DATE_SIZE];
	int64_t days_remaining;           /* whole ones; negative: it is over */
	struct strbuf fingerprint_sha256; /* hexadecimal */
};

/* *ret is overwritten. */
void certificate_read(X509 *cert, struct certificate *ret);
void certificate_done(struct certificate *certificate);
