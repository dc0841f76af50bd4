/* See log_ring.h. A line of number n lies at n modulo LOG_RING_LINES. */
#include "supervisor/ops/log_ring.h"

#include "shared/alloc.h"
#include "shared/utf8.h"

enum { HOOK_AFTER_MS = 50 }; /* for all lines that come until then */

/* The fields of struct log_about that are texts. */
enum { DOMAIN, WORKER, SESSION, TOOL, CLIENT, KEY, TRACE, TEXTS };

struct entry {
	struct log_line line;
	size_t size;
	char texts[]; /* what the line points to */
};

struct log_ring {
	struct entry *entries[LOG_RING_LINES];
	uint64_t first; /* first == end: none */
	uint64_t end;
	size_t bytes;
	struct timer *timer;
	void (*hook)(void *arg);
	void *hook_arg;
};

static struct entry **place_of(struct log_ring *ring, uint64_t no)
{
	return &ring->entries[no % LOG_RING_LINES];
}

static const struct entry *get(const struct log_ring *ring, uint64_t no)
{
	return ring->entries[no % LOG_RING_LINES];
}

static void drop_first(struct log_ring *ring)
{
	struct entry **place = place_of(ring, ring->first++);

	ring->bytes -= (*place)->size;
	free(TAKE(*place));
}

/* Behind the texts that are there already, with its NUL; where it begins. */
static size_t add_text(struct strbuf *texts, const char *text, size_t max)
{
	auto_strbuf clean = { 0 };
	size_t at = texts->len;
	size_t len = 0;
	size_t step;

	log_add_clean(&clean, text);
	while (len < clean.len && (step = utf8_next(clean.data + len, clean.len - len)) > 0 &&
		len + step <= max)
		len += step;
	strbuf_add(texts, strbuf_get(&clean), len);
	strbuf_addc(texts, '\0');
	return at;
}

static struct entry *make_entry(
	const struct log_about *about, const char *text, size_t max_field, size_t max_text)
{
	static const struct log_about nothing = { 0 };
	const struct log_about *from = about ? about : &nothing;
	const char *const given[TEXTS] = { [DOMAIN] = from->domain,
		[WORKER] = from->worker,
		[SESSION] = from->session,
		[TOOL] = from->tool,
		[CLIENT] = from->client,
		[KEY] = from->key,
		[TRACE] = from->trace };
	const char *kept[TEXTS] = { 0 };
	size_t at[TEXTS] = { 0 };
	auto_strbuf texts = { 0 };
	struct entry *entry;

	(void)add_text(&texts, text, max_text);
	for (size_t i = 0; i < TEXTS; i++)
		if (given[i])
			at[i] = add_text(&texts, given[i], max_field);
	entry = alloc_zero(sizeof(*entry) + texts.len);
	entry->size = sizeof(*entry) + texts.len;
	memcpy(entry->texts, texts.data, texts.len);
	for (size_t i = 0; i < TEXTS; i++)
		kept[i] = given[i] ? entry->texts + at[i] : NULL;
	entry->line.text = entry->texts;
	entry->line.about = (struct log_about){ .domain = kept[DOMAIN],
		.worker = kept[WORKER],
		.session = kept[SESSION],
		.tool = kept[TOOL],
		.client = kept[CLIENT],
		.key = kept[KEY],
		.trace = kept[TRACE],
		.call = from->call,
		.pid = from->pid,
		.duration_us = from->duration_us };
	return entry;
}

static void on_line(void *arg, enum log_level level, const struct log_about *about,
	const char *text, int64_t wall_ms)
{
	enum { FIELD_BYTES = 256 };
	struct log_ring *ring = arg;
	struct entry *entry = make_entry(about, text, FIELD_BYTES, LOG_RING_LINE_BYTES);

	entry->line.no = ring->end;
	entry->line.wall_ms = wall_ms;
	entry->line.level = level;
	while (ring->first < ring->end && (ring->end - ring->first >= LOG_RING_LINES ||
						  entry->size > LOG_RING_BYTES - ring->bytes))
		drop_first(ring);
	*place_of(ring, ring->end++) = entry;
	ring->bytes += entry->size;
	if (ring->hook && !timer_is_running(ring->timer))
		timer_start(ring->timer, HOOK_AFTER_MS);
}

static void on_timer(void *arg)
{
	struct log_ring *ring = arg;

	if (ring->hook)
		ring->hook(ring->hook_arg);
}

struct log_ring *log_ring_new(struct loop *loop)
{
	struct log_ring *ring = alloc_zero(sizeof(*ring));

	ring->first = ring->end = 1;
	ring->timer = timer_new(loop, on_timer, ring);
	log_set_tap(on_line, ring);
	return ring;
}

void log_ring_free(struct log_ring *ring)
{
	if (!ring)
		return;
	log_set_tap(NULL, NULL);
	timer_free(ring->timer);
	while (ring->first < ring->end)
		drop_first(ring);
	free(ring);
}

void log_ring_set_hook(struct log_ring *ring, void (*fn)(void *arg), void *arg)
{
	ring->hook = fn;
	ring->hook_arg = arg;
}

uint64_t log_ring_first(const struct log_ring *ring)
{
	return ring->first;
}

uint64_t log_ring_end(const struct log_ring *ring)
{
	return ring->end;
}

static bool fits(const struct log_line *line, const struct log_filter *filter)
{
	if (line->level > filter->max_level)
		return false;
	return !filter->domain || (line->about.domain && streq(line->about.domain, filter->domain));
}

bool log_ring_next(const struct log_ring *ring, const struct log_filter *filter, uint64_t *cursor,
	struct log_line *ret)
{
	uint64_t no = *cursor < ring->first ? ring->first : *cursor;

	for (; no < ring->end; no++) {
		const struct log_line *line = &get(ring, no)->line;

		if (!fits(line, filter))
			continue;
		*ret = *line;
		*cursor = no + 1;
		return true;
	}
	*cursor = ring->end;
	return false;
}

uint64_t log_ring_find_last(
	const struct log_ring *ring, const struct log_filter *filter, unsigned n)
{
	uint64_t no = ring->end;

	while (n > 0 && no > ring->first) {
		no--;
		n -= fits(&get(ring, no)->line, filter);
	}
	return no;
}
