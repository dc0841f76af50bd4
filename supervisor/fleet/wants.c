/* See wants.h. */
#include "supervisor/fleet/wants.h"

#include <errno.h>
#include <sys/queue.h>

#include "shared/alloc.h"
#include "shared/cleanup.h"

enum {
	BUCKETS = 64,
	NO_LEVEL = -1,
};

/* The least important first: RFC 5424, as MCP names them. */
static const char *const levels[] = { "debug", "info", "notice", "warning", "error", "critical",
	"alert", "emergency" };

struct listener {
	LIST_ENTRY(listener) next;
	uint64_t session;
	int level;
	char **uris;
	size_t n_uris;
};

struct wants {
	LIST_HEAD(, listener) buckets[BUCKETS];
	size_t n_uris;
	size_t n_bytes;
	unsigned n_at[N_ELEMENTS(levels)]; /* listeners with this level */
};

struct wants *wants_new(void)
{
	return alloc_zero(sizeof(struct wants));
}

static struct listener *find(const struct wants *wants, uint64_t session)
{
	struct listener *listener;

	LIST_FOREACH(listener, &wants->buckets[session % BUCKETS], next)
		if (listener->session == session)
			return listener;
	return NULL;
}

static struct listener *need(struct wants *wants, uint64_t session)
{
	struct listener *listener = find(wants, session);

	if (listener)
		return listener;
	listener = alloc_zero(sizeof(*listener));
	listener->session = session;
	listener->level = NO_LEVEL;
	LIST_INSERT_HEAD(&wants->buckets[session % BUCKETS], listener, next);
	return listener;
}

static void set_level(struct wants *wants, struct listener *listener, int level)
{
	if (listener->level != NO_LEVEL)
		wants->n_at[listener->level]--;
	if (level != NO_LEVEL)
		wants->n_at[level]++;
	listener->level = level;
}

/* Where it is; n_uris: nowhere. */
static size_t index_of(const struct listener *listener, const char *uri)
{
	size_t i;

	for (i = 0; i < listener->n_uris; i++)
		if (streq(listener->uris[i], uri))
			break;
	return i;
}

static void remove_at(struct wants *wants, struct listener *listener, size_t i)
{
	wants->n_bytes -= strlen(listener->uris[i]) + 1;
	wants->n_uris--;
	free(listener->uris[i]);
	listener->uris[i] = listener->uris[--listener->n_uris];
}

static void drop(struct wants *wants, struct listener *listener)
{
	while (listener->n_uris > 0)
		remove_at(wants, listener, listener->n_uris - 1);
	set_level(wants, listener, NO_LEVEL);
	LIST_REMOVE(listener, next);
	free(listener->uris);
	free(listener);
}

static void drop_if_empty(struct wants *wants, struct listener *listener)
{
	if (listener->n_uris == 0 && listener->level == NO_LEVEL)
		drop(wants, listener);
}

void wants_free(struct wants *wants)
{
	if (!wants)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct listener *listener;

		while ((listener = LIST_FIRST(&wants->buckets[i])))
			/* The analyzer loses LIST_REMOVE. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
			drop(wants, listener);
	}
	free(wants);
}

int wants_add(struct wants *wants, uint64_t session, const char *uri)
{
	struct listener *listener = find(wants, session);
	size_t len = strlen(uri) + 1;

	if (listener && index_of(listener, uri) < listener->n_uris)
		return -EEXIST;
	if ((listener && listener->n_uris >= WANTS_MAX_URIS) ||
		len > WANTS_MAX_BYTES - wants->n_bytes)
		return -ENOBUFS;
	listener = need(wants, session);
	listener->uris = alloc_resize(listener->uris, listener->n_uris + 1, sizeof(char *));
	listener->uris[listener->n_uris++] = alloc_str(uri);
	wants->n_bytes += len;
	wants->n_uris++;
	return 0;
}

bool wants_remove(struct wants *wants, uint64_t session, const char *uri)
{
	struct listener *listener = find(wants, session);
	size_t i = listener ? index_of(listener, uri) : 0;

	if (!listener || i == listener->n_uris)
		return false;
	remove_at(wants, listener, i);
	drop_if_empty(wants, listener);
	return true;
}

bool wants_forget(struct wants *wants, uint64_t session)
{
	struct listener *listener = find(wants, session);

	if (!listener)
		return false;
	drop(wants, listener);
	return true;
}

bool wants_move(struct wants *wants, uint64_t from, uint64_t to)
{
	struct listener *listener = find(wants, from);
	struct listener *other;

	if (!listener || from == to)
		return false;
	other = need(wants, to);
	if (listener->level != NO_LEVEL)
		set_level(wants, other, listener->level);
	for (size_t i = 0; i < listener->n_uris; i++)
		(void)wants_add(wants, to, listener->uris[i]);
	drop(wants, listener);
	drop_if_empty(wants, other);
	return true;
}

bool wants_set_level(struct wants *wants, uint64_t session, const char *level)
{
	struct listener *listener;

	for (int i = 0; i < (int)N_ELEMENTS(levels); i++) {
		if (!streq(levels[i], level))
			continue;
		listener = need(wants, session);
		if (listener->level == i)
			return false;
		set_level(wants, listener, i);
		return true;
	}
	return false;
}

bool wants_has_uris(const struct wants *wants)
{
	return wants->n_uris > 0;
}

static int compare_texts(const void *a, const void *b)
{
	const char *const *one = a;
	const char *const *two = b;

	return strcmp(*one, *two);
}

static size_t copy_uris(const struct listener *listener, const char **ret)
{
	for (size_t i = 0; i < listener->n_uris; i++)
		ret[i] = listener->uris[i];
	return listener->n_uris;
}

static size_t copy_all(const struct wants *wants, const char **ret)
{
	const struct listener *listener;
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(listener, &wants->buckets[i], next)
			n += copy_uris(listener, ret + n);
	return n;
}

size_t wants_list(const struct wants *wants, const uint64_t *session, const char ***ret)
{
	const struct listener *one = session ? find(wants, *session) : NULL;
	size_t max = session ? (one ? one->n_uris : 0) : wants->n_uris;
	const char **uris;
	size_t n_unique = 0;
	size_t n;

	*ret = NULL;
	if (max == 0)
		return 0;
	uris = alloc_resize(NULL, max, sizeof(char *));
	n = one ? copy_uris(one, uris) : copy_all(wants, uris);
	qsort(uris, n, sizeof(char *), compare_texts);
	for (size_t i = 0; i < n; i++)
		if (n_unique == 0 || !streq(uris[n_unique - 1], uris[i]))
			uris[n_unique++] = uris[i];
	*ret = uris;
	return n_unique;
}

const char *wants_get_level(const struct wants *wants, const uint64_t *session)
{
	const struct listener *one = session ? find(wants, *session) : NULL;

	if (session)
		return one && one->level != NO_LEVEL ? levels[one->level] : NULL;
	for (size_t i = 0; i < N_ELEMENTS(levels); i++)
		if (wants->n_at[i] > 0)
			return levels[i];
	return NULL;
}
