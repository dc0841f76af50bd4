/* Answers of name servers, as bytes that nobody has checked.
 *
 * c-ares has a parser for each type, but none for all the fields (TTL of MX, TXT, NS, SOA, PTR before
 * 1.28), and each would read the message again. This one reads any of ten types in one pass, strictly:
 * a message that is wrong anywhere in its answers is refused as a whole.
 *
 * Source: RFC 1035 section 4; RFC 2782 (SRV), RFC 3596 (AAAA), RFC 8659 (CAA). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum { DNS_MAX_RECORDS = 500 };

struct dns_record {
	char *name; /* ASCII, "example.org"; odd bytes as \DDD */
	const char *type;
	uint32_t ttl;
	char *data; /* as in a zone file; TXT as it is, made valid UTF-8 */
};

/* Zero-initialised is empty. */
struct dns_message {
	unsigned rcode;
	struct dns_record *records; /* of the answer section, of known types */
	size_t n_records;
	bool is_cut; /* there were more than DNS_MAX_RECORDS */
};

void dns_message_done(struct dns_message *message);

/* -EBADMSG: it is no answer, or malformed. *ret must be empty, and be given back in any case. */
int dns_message_parse(const void *bytes, size_t len, struct dns_message *ret) must_check;

/* "NXDOMAIN"; NULL: it has no name. */
const char *dns_rcode_name(unsigned rcode);

/* Names of the types, NULL at the end, and their numbers; 0: unknown. */
extern const char *const dns_type_names[];
int dns_type_find(const char *name);
