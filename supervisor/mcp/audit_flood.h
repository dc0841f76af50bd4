/* How many refusals are recorded: a peer can cause as many as it likes, and a record costs disk.
 *
 * In ten seconds a few of each client (an address, or a network of 64 bits of IPv6) for each reason, and no more than
 * AUDIT_FLOOD_ALL of all; so that one who guesses keys hides nobody else who does. What is left out is counted, and told
 * with the next record: what is recorded and what is told are all that there were. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	AUDIT_FLOOD_WINDOW_MS = 10 * 1000,
	AUDIT_FLOOD_EACH = 10,
	AUDIT_FLOOD_ALL = 500,
	AUDIT_FLOOD_SLOTS = 1024,
};

/* All zero at first. */
struct audit_flood {
	int64_t since_ms;
	unsigned n; /* recorded in this window, */
	unsigned char
		n_each[AUDIT_FLOOD_SLOTS]; /* and of each client and reason; two may share one */
	uint64_t left_out;                 /* since the last record */
};

/* True: it is to be recorded, with *ret_left_out others that were not. */
bool audit_flood_admit(struct audit_flood *flood, const char *client, const char *reason,
	int64_t now_ms, uint64_t *ret_left_out);
