/* The limits at the door, beside those of a request's form: what a key and what an address may have (mcp/usage.h), and
 * how many streams there are. Of each connection it knows the caller; nothing of it outlives the connection. */
#pragma once

#include "supervisor/client_addr.h"
#include "supervisor/loop.h"
#include "supervisor/mcp/principal.h"

struct door_limits;

struct door_limits *door_limits_new(struct loop *loop);
void door_limits_free(struct door_limits *limits); /* after all connections and sessions */
void door_limits_set(struct door_limits *limits, const struct conf_limits *conf);

/* What this peer has of its own: a reference of the caller's, NULL where nothing is limited. */
struct usage *door_limits_of_address(struct door_limits *limits, const struct client_addr *addr);

/* Fill caller->usages, by `addr` and by its principal; they are references of the caller's, given back by
 * door_limits_forget(). */
void door_limits_know_address(
	struct door_limits *limits, struct caller *caller, const struct client_addr *addr);
void door_limits_know_key(struct door_limits *limits, struct caller *caller);
void door_limits_forget(struct caller *caller);

/* What is in the way of something; all zero: nothing. */
struct door_refusal {
	int status;        /* 429, 503 */
	const char *limit; /* the setting: "limits.per_key.rate" */
	int64_t retry_s;   /* for Retry-After */
};

/* A request has come: whether its address, or its key, may ask again already. */
struct door_refusal door_limits_admit(const struct caller *caller, enum usage_of of);

/* It wants to open one of these: USAGE_SESSIONS or USAGE_STREAMS. */
struct door_refusal door_limits_check(
	const struct door_limits *limits, const struct caller *caller, enum usage_thing thing);

void door_limits_begin_stream(struct door_limits *limits, const struct caller *caller);
void door_limits_end_stream(struct door_limits *limits, const struct caller *caller);

/* Bytes a second that a body has to come with; 0: none. */
size_t door_limits_get_min_rate(const struct door_limits *limits);
unsigned door_limits_get_unauthenticated(const struct door_limits *limits);
