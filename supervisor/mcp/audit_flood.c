/* See audit_flood.h. */
#include "supervisor/mcp/audit_flood.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/keyed_hash.h"

enum { NETWORK_BYTES = 8 };

static unsigned slot_of(const char *client, const char *reason)
{
	uint64_t hash = keyed_hash_text(0, reason);
	struct in6_addr ip;

	hash = inet_pton(AF_INET6, client, &ip) == 1 ? keyed_hash(hash, &ip, NETWORK_BYTES)
						     : keyed_hash_text(hash, client);
	return (unsigned)(hash % AUDIT_FLOOD_SLOTS);
}

bool audit_flood_admit(struct audit_flood *flood, const char *client, const char *reason,
	int64_t now_ms, uint64_t *ret_left_out)
{
	unsigned slot = slot_of(client, reason);

	if (now_ms - flood->since_ms >= AUDIT_FLOOD_WINDOW_MS) {
		flood->since_ms = now_ms;
		flood->n = 0;
		memset(flood->n_each, 0, sizeof(flood->n_each));
	}
	if (flood->n >= AUDIT_FLOOD_ALL || flood->n_each[slot] >= AUDIT_FLOOD_EACH) {
		flood->left_out++;
		return false;
	}
	flood->n++;
	flood->n_each[slot]++;
	*ret_left_out = flood->left_out;
	flood->left_out = 0;
	return true;
}
