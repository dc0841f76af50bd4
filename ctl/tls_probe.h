/* One TLS handshake, to see which certificate a listener shows and who would take it: for mcp-fleetctl doctor.
 *
 * Nothing is refused: what is wrong is told. Source: RFC 5280 6.1; RFC 9525 (names). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

struct tls_probe {
	const char *host; /* an address, without brackets */
	uint16_t port;
	const char *name;    /* that the certificate is to be for; NULL: any */
	const char *ca_file; /* whom to trust besides the system's authorities; NULL: nobody */
	int64_t timeout_ms;
};

struct tls_seen {
	char protocol[16];    /* "TLSv1.3" */
	struct strbuf names;  /* "a.example, 127.0.0.1" */
	int64_t not_before_s; /* since 1970 */
	int64_t not_after_s;
	bool fits_name;          /* also where none was wanted */
	const char *chain_fault; /* why it is not trusted, in static words; NULL: it is */
	bool is_incomplete; /* that could be for want of certificates between its own and the authority's */
};

void tls_seen_done(struct tls_seen *seen);

/* 0: a certificate was shown, *ret (zeroed by the caller, who gives it to tls_seen_done()) tells of it; a server that
 * then wants the client's may have ended the handshake. -EIO with words. */
int tls_probe(const struct tls_probe *probe, struct tls_seen *ret, struct fail *fail) must_check;
