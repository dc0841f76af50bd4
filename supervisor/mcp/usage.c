/* See usage.h. */
#include "supervisor/mcp/usage.h"

#include <sys/queue.h>

#include "shared/alloc.h"
#include "shared/keyed_hash.h"
#include "supervisor/stats.h"

enum {
	N_BUCKETS = 4096,
	MAX_IDLE = 16384, /* that nobody holds, and that are remembered for their rate */
};

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND (1000 * NS_PER_MS)
#define MAX_DEBT_NS (INT64_C(24) * 60 * 60 * NS_PER_SECOND) /* of bytes */

struct usage {
	LIST_ENTRY(usage) in_bucket;
	TAILQ_ENTRY(usage) in_idle; /* while nobody holds it */
	struct usages *owner;
	struct conf_quota own;
	unsigned n_refs;
	unsigned n[USAGE_THINGS];
	int64_t requests_full_ns; /* when the bucket of requests will be full, */
	int64_t bytes_full_ns;    /* and that of bytes; loop time */
	char who[];
};

LIST_HEAD(usage_bucket, usage);

struct usages {
	struct loop *loop;
	enum usage_of of;
	struct conf_quota quota;
	struct usage_bucket buckets[N_BUCKETS];
	TAILQ_HEAD(, usage) idle; /* the oldest first */
	unsigned n_idle;
};

static const enum stats_limit thing_limits[USAGE_OFS][USAGE_THINGS] = {
	[USAGE_OF_KEY] = {
		[USAGE_CONNECTIONS] = STATS_LIMIT_CONNECTIONS, /* keys have none */
		[USAGE_SESSIONS] = STATS_LIMIT_KEY_SESSIONS,
		[USAGE_STREAMS] = STATS_LIMIT_KEY_STREAMS,
		[USAGE_CALLS] = STATS_LIMIT_KEY_CALLS,
	},
	[USAGE_OF_ADDRESS] = {
		[USAGE_CONNECTIONS] = STATS_LIMIT_ADDRESS_CONNECTIONS,
		[USAGE_SESSIONS] = STATS_LIMIT_ADDRESS_SESSIONS,
		[USAGE_STREAMS] = STATS_LIMIT_ADDRESS_STREAMS,
		[USAGE_CALLS] = STATS_LIMIT_ADDRESS_CALLS,
	},
};

static const enum stats_limit rate_limits[USAGE_OFS] = { STATS_LIMIT_KEY_RATE,
	STATS_LIMIT_ADDRESS_RATE };
static const enum stats_limit bytes_limits[USAGE_OFS] = { STATS_LIMIT_KEY_BYTES,
	STATS_LIMIT_ADDRESS_BYTES };

static int64_t now_ns(const struct usages *usages)
{
	return loop_now_ms(usages->loop) * NS_PER_MS;
}

/* --- the table ----------------------------------------------------------------------------------- */

/* There are at most as many as connections and sessions hold, and MAX_IDLE: a few in each bucket. */
static struct usage_bucket *bucket_of(struct usages *usages, const char *who)
{
	return &usages->buckets[keyed_hash_text(0, who) % N_BUCKETS];
}

static void forget(struct usage *usage)
{
	LIST_REMOVE(usage, in_bucket);
	free(usage);
}

static void drop_oldest_idle(struct usages *usages)
{
	struct usage *oldest = TAILQ_FIRST(&usages->idle);

	TAILQ_REMOVE(&usages->idle, oldest, in_idle);
	usages->n_idle--;
	forget(oldest);
}

struct usage *usages_get(struct usages *usages, const char *who, const struct conf_quota *own)
{
	struct usage_bucket *bucket = bucket_of(usages, who);
	struct usage *usage;

	LIST_FOREACH(usage, bucket, in_bucket)
		if (streq(usage->who, who))
			break;
	if (!usage) {
		usage = alloc_zero(sizeof(*usage) + strlen(who) + 1);
		memcpy(usage->who, who, strlen(who) + 1);
		usage->owner = usages;
		LIST_INSERT_HEAD(bucket, usage, in_bucket);
	} else if (usage->n_refs == 0) {
		TAILQ_REMOVE(&usages->idle, usage, in_idle);
		usages->n_idle--;
	}
	usage->own = own ? *own : (struct conf_quota){ 0 };
	usage->n_refs++;
	return usage;
}

struct usage *usage_ref(struct usage *usage)
{
	if (usage)
		usage->n_refs++;
	return usage;
}

void usage_unref(struct usage *usage)
{
	struct usages *usages;

	if (!usage || --usage->n_refs > 0)
		return;
	usages = usage->owner;
	if (usage->requests_full_ns <= now_ns(usages) && usage->bytes_full_ns <= now_ns(usages)) {
		forget(usage);
		return;
	}
	TAILQ_INSERT_TAIL(&usages->idle, usage, in_idle);
	if (++usages->n_idle > MAX_IDLE)
		drop_oldest_idle(usages);
}

/* --- things -------------------------------------------------------------------------------------- */

static unsigned limit_of(const struct usage *usage, enum usage_thing thing)
{
	const struct conf_quota *own = &usage->own;
	const struct conf_quota *common = &usage->owner->quota;

	switch (thing) {
	case USAGE_CONNECTIONS:
		return own->connections ? own->connections : common->connections;
	case USAGE_SESSIONS:
		return own->sessions ? own->sessions : common->sessions;
	case USAGE_STREAMS:
		return own->streams ? own->streams : common->streams;
	case USAGE_CALLS:
		return own->calls ? own->calls : common->calls;
	case USAGE_THINGS:
		break;
	}
	return 0;
}

bool usage_is_full(struct usage *usage, enum usage_thing thing)
{
	unsigned limit = usage ? limit_of(usage, thing) : 0;

	if (limit == 0 || usage->n[thing] < limit)
		return false;
	stats_limit_reached(thing_limits[usage->owner->of][thing]);
	return true;
}

bool usage_take(struct usage *usage, enum usage_thing thing)
{
	if (usage_is_full(usage, thing))
		return false;
	usage_add(usage, thing);
	return true;
}

void usage_add(struct usage *usage, enum usage_thing thing)
{
	if (usage)
		usage->n[thing]++;
}

void usage_give(struct usage *usage, enum usage_thing thing)
{
	if (usage)
		usage->n[thing]--;
}

unsigned usage_count(const struct usage *usage, enum usage_thing thing)
{
	return usage ? usage->n[thing] : 0;
}

/* --- rates --------------------------------------------------------------------------------------- */

/* How long until a bucket that will be full at `full_ns` has lost no more than `room_ns` of itself. */
static int64_t wait_ms(int64_t full_ns, int64_t room_ns, int64_t now)
{
	int64_t over = full_ns - room_ns - now;

	return over > 0 ? (over + NS_PER_MS - 1) / NS_PER_MS : 0;
}

static int64_t refuse(enum stats_limit limit, int64_t wait, const char **ret_limit)
{
	stats_limit_reached(limit);
	*ret_limit = stats_limit_name(limit);
	return wait;
}

/* The requests that may come at once. The common number belongs to the common rate. */
static int64_t burst_of(const struct usage *usage, unsigned rate)
{
	unsigned burst = usage->own.burst;

	if (burst == 0 && usage->own.rate == 0)
		burst = usage->owner->quota.burst;
	return burst ? burst : 2 * (int64_t)rate;
}

int64_t usage_admit(struct usage *usage, const char **ret_limit)
{
	unsigned rate;
	int64_t now;
	int64_t each;
	int64_t wait;

	if (!usage)
		return 0;
	now = now_ns(usage->owner);
	wait = wait_ms(usage->bytes_full_ns, NS_PER_SECOND, now);
	if (wait > 0)
		return refuse(bytes_limits[usage->owner->of], wait, ret_limit);
	rate = usage->own.rate ? usage->own.rate : usage->owner->quota.rate;
	if (rate == 0)
		return 0;
	each = NS_PER_SECOND / rate;
	wait = wait_ms(usage->requests_full_ns, (burst_of(usage, rate) - 1) * each, now);
	if (wait > 0)
		return refuse(rate_limits[usage->owner->of], wait, ret_limit);
	usage->requests_full_ns =
		(usage->requests_full_ns > now ? usage->requests_full_ns : now) + each;
	return 0;
}

void usage_pay(struct usage *usage, size_t n_bytes)
{
	size_t rate = 0;
	double debt;
	int64_t now;

	if (usage)
		rate = usage->own.bytes_rate ? usage->own.bytes_rate
					     : usage->owner->quota.bytes_rate;
	if (rate == 0)
		return;
	now = now_ns(usage->owner);
	debt = usage->bytes_full_ns > now ? (double)(usage->bytes_full_ns - now) : 0;
	debt += (double)n_bytes / (double)rate * (double)NS_PER_SECOND;
	usage->bytes_full_ns = now + (debt < (double)MAX_DEBT_NS ? (int64_t)debt : MAX_DEBT_NS);
}

/* --- public -------------------------------------------------------------------------------------- */

const char *usage_limit_name(const struct usage *usage, enum usage_thing thing)
{
	return stats_limit_name(thing_limits[usage->owner->of][thing]);
}

const char *usage_get_who(const struct usage *usage)
{
	return usage->who;
}

struct usages *usages_new(struct loop *loop, enum usage_of of)
{
	struct usages *usages = alloc_zero(sizeof(*usages));

	usages->loop = loop;
	usages->of = of;
	TAILQ_INIT(&usages->idle);
	return usages;
}

void usages_free(struct usages *usages)
{
	if (!usages)
		return;
	while (!TAILQ_EMPTY(&usages->idle))
		drop_oldest_idle(usages);
	free(usages);
}

void usages_set_quota(struct usages *usages, const struct conf_quota *quota)
{
	usages->quota = *quota;
}
