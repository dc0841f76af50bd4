/* UUIDs of versions 1, 4, 5 and 7: making, reading, writing.
 *
 * The makers are given time and random bytes; what one of them made before is in the state, so that
 * times of versions 1 and 7 always rise within a process.
 *
 * Source: RFC 9562. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	UUID_BYTES = 16,
	UUID_TEXT_SIZE = 37,
};

struct uuid {
	uint8_t bytes[UUID_BYTES];
};

/* Zero-initialised at first; the random parts are chosen by the first call. */
struct uuid_state {
	bool is_seeded;
	uint8_t node[6];     /* version 1: random, with the multicast bit */
	uint16_t clock_seq;  /* version 1: random, 14 bits */
	uint64_t last_ticks; /* version 1: of 100 ns, since 1582-10-15 */
	uint64_t last_ms;    /* version 7: since 1970 */
	uint16_t counter;    /* version 7: 12 bits, rises within a millisecond */
};

struct uuid uuid_make_v4(const uint8_t random[UUID_BYTES]);

/* `random` is used for the node and the clock sequence of the first call only. */
struct uuid uuid_make_v1(struct uuid_state *state, int64_t unix_ns, const uint8_t random[8]);

struct uuid uuid_make_v7(
	struct uuid_state *state, int64_t unix_ms, const uint8_t random[UUID_BYTES]);

/* SHA-1 of namespace and name. 0 or -errno (-ENOTSUP: the system's policy refuses SHA-1). */
int uuid_make_v5(const struct uuid *space, const char *name, struct uuid *ret) must_check;

void uuid_format(const struct uuid *uuid, char ret[UUID_TEXT_SIZE]);

/* Reads 32 hexadecimal digits, with hyphens in the usual places or without them, in braces or not,
 * with "urn:uuid:" in front or not. -EINVAL: *ret_why is a static text. */
int uuid_parse(const char *text, struct uuid *ret, const char **ret_why) must_check;

/* The namespaces of RFC 9562, 6.6: "dns", "url", "oid", "x500". False: none of them. */
bool uuid_namespace(const char *name, struct uuid *ret);

/* "RFC 9562", "NCS", "Microsoft", "reserved"; the version means something for the first only. */
const char *uuid_variant(const struct uuid *uuid);
bool uuid_is_rfc(const struct uuid *uuid);
int uuid_version(const struct uuid *uuid);
