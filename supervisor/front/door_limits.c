/* See door_limits.h. */
#include "supervisor/front/door_limits.h"

#include "shared/alloc.h"
#include "supervisor/front/shares.h"
#include "supervisor/stats.h"

struct door_limits {
	struct usages *usages[USAGE_OFS];
	struct conf_quota quotas[USAGE_OFS];
	unsigned max_streams; /* 0: no limit */
	unsigned n_streams;
	unsigned unauthenticated;
	size_t min_rate;
};

static bool limits_anything(const struct conf_quota *quota)
{
	return quota->rate || quota->connections || quota->sessions || quota->streams ||
	       quota->calls || quota->bytes_rate;
}

struct usage *door_limits_of_address(struct door_limits *limits, const struct client_addr *addr)
{
	char who[SHARES_KEY_SIZE];

	if (!limits_anything(&limits->quotas[USAGE_OF_ADDRESS]) || client_addr_is_none(addr))
		return NULL;
	return usages_get(limits->usages[USAGE_OF_ADDRESS], shares_key_text(addr, who), NULL);
}

/* Who has shown nothing has no limits of a key. */
static struct usage *of_key(struct door_limits *limits, const struct principal *principal)
{
	if (!principal || !*principal->identity ||
		(!limits_anything(&limits->quotas[USAGE_OF_KEY]) &&
			!limits_anything(&principal->quota)))
		return NULL;
	return usages_get(limits->usages[USAGE_OF_KEY], principal->identity, &principal->quota);
}

void door_limits_know_address(
	struct door_limits *limits, struct caller *caller, const struct client_addr *addr)
{
	usage_unref(caller->usages[USAGE_OF_ADDRESS]);
	caller->usages[USAGE_OF_ADDRESS] = door_limits_of_address(limits, addr);
}

void door_limits_know_key(struct door_limits *limits, struct caller *caller)
{
	usage_unref(caller->usages[USAGE_OF_KEY]);
	caller->usages[USAGE_OF_KEY] = of_key(limits, caller->principal);
}

void door_limits_forget(struct caller *caller)
{
	for (int i = 0; i < USAGE_OFS; i++)
		usage_unref(TAKE(caller->usages[i]));
}

struct door_refusal door_limits_admit(const struct caller *caller, enum usage_of of)
{
	const char *limit;
	int64_t wait_ms = usage_admit(caller->usages[of], &limit);

	if (wait_ms == 0)
		return (struct door_refusal){ 0 };
	return (struct door_refusal){
		.status = 429, .limit = limit, .retry_s = (wait_ms + 999) / 1000
	};
}

struct door_refusal door_limits_check(
	const struct door_limits *limits, const struct caller *caller, enum usage_thing thing)
{
	if (thing == USAGE_STREAMS && limits->max_streams > 0 &&
		limits->n_streams >= limits->max_streams) {
		stats_limit_reached(STATS_LIMIT_STREAMS);
		return (struct door_refusal){
			.status = 503, .limit = stats_limit_name(STATS_LIMIT_STREAMS), .retry_s = 1
		};
	}
	for (int i = 0; i < USAGE_OFS; i++)
		if (usage_is_full(caller->usages[i], thing))
			return (struct door_refusal){ .status = 429,
				.limit = usage_limit_name(caller->usages[i], thing),
				.retry_s = 1 };
	return (struct door_refusal){ 0 };
}

void door_limits_begin_stream(struct door_limits *limits, const struct caller *caller)
{
	limits->n_streams++;
	for (int i = 0; i < USAGE_OFS; i++)
		usage_add(caller->usages[i], USAGE_STREAMS);
}

void door_limits_end_stream(struct door_limits *limits, const struct caller *caller)
{
	limits->n_streams--;
	for (int i = 0; i < USAGE_OFS; i++)
		usage_give(caller->usages[i], USAGE_STREAMS);
}

size_t door_limits_get_min_rate(const struct door_limits *limits)
{
	return limits->min_rate;
}

unsigned door_limits_get_unauthenticated(const struct door_limits *limits)
{
	return limits->unauthenticated;
}

void door_limits_set(struct door_limits *limits, const struct conf_limits *conf)
{
	limits->quotas[USAGE_OF_KEY] = conf->per_key;
	limits->quotas[USAGE_OF_ADDRESS] = conf->per_address;
	for (int i = 0; i < USAGE_OFS; i++)
		usages_set_quota(limits->usages[i], &limits->quotas[i]);
	limits->max_streams = conf->streams;
	limits->unauthenticated = conf->unauthenticated;
	limits->min_rate = conf->min_rate;
}

struct door_limits *door_limits_new(struct loop *loop)
{
	struct door_limits *limits = alloc_zero(sizeof(*limits));

	for (int i = 0; i < USAGE_OFS; i++)
		limits->usages[i] = usages_new(loop, (enum usage_of)i);
	return limits;
}

void door_limits_free(struct door_limits *limits)
{
	if (!limits)
		return;
	for (int i = 0; i < USAGE_OFS; i++)
		usages_free(limits->usages[i]);
	free(limits);
}
