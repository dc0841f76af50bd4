/* See plan.h. */
#include "workers/registrar/plan.h"

#include <stdio.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "workers/registrar/slug.h"

/* How an entry is known for a domain's: by its name first, for all domains, so that an entry whose URL was changed
 * to that of another domain is still its own; by its id at last, when name and URL are to change. */
enum match_by { BY_SLUG, BY_URL, BY_ID, MATCHES };

struct work {
	const struct plan_want *wants;
	size_t n_wants;
	const struct records *records;
	const struct plan_tags *tags;
	bool *is_taken; /* by record */
	struct plan *plan;
};

static struct plan_step *add(struct work *work, enum plan_kind kind, int want,
	const struct record *record, const char *why)
{
	struct plan *plan = work->plan;
	struct plan_step *step;

	plan->steps = alloc_resize(plan->steps, plan->n + 1, sizeof(*plan->steps));
	step = &plan->steps[plan->n++];
	*step = (struct plan_step){ .kind = kind, .want = want, .record = record };
	(void)snprintf(step->why, sizeof(step->why), "%s", why);
	return step;
}

/* --- whose is it? --------------------------------------------------------------------------------- */

static bool is_same_url(const char *rewritten, const char *url)
{
	auto_free char *other = slug_url(url);

	return streq(rewritten, other);
}

static bool is_of_instance(const struct work *work, const struct record *record)
{
	return record_has_tag(record, work->tags->instance) ||
	       (*work->tags->former && record_has_tag(record, work->tags->former));
}

static bool is_instance_tag(const char *tag)
{
	static const char prefix[] = PLAN_TAG "-";
	const char *digits = tag + strlen(prefix);

	return strncmp(tag, prefix, strlen(prefix)) == 0 && strlen(digits) == PLAN_INSTANCE_CHARS &&
	       strspn(digits, "0123456789abcdef") == PLAN_INSTANCE_CHARS;
}

/* Whosever it is: another fleet may have the same address, where that is the one of its own machine. */
static bool has_instance_tag(const struct record *record)
{
	json_t *tag;
	size_t i;

	json_array_foreach(record->tags, i, tag)
		if (is_instance_tag(json_string_value(tag)))
			return true;
	return false;
}

static bool is_match(const struct plan_want *want, const struct record *record, enum match_by by)
{
	switch (by) {
	case BY_SLUG:
		return streq(want->slug, record->slug);
	case BY_URL:
		return is_same_url(want->url, record->url);
	case BY_ID:
		return streq(want->confirmed_id, record->id);
	case MATCHES:
		break;
	}
	return false;
}

/* So sure that it may be deleted. */
static bool is_surely_ours(
	const struct work *work, const struct plan_want *want, const struct record *record)
{
	return is_of_instance(work, record) || streq(want->confirmed_id, record->id);
}

static bool is_ours(
	const struct work *work, const struct plan_want *want, const struct record *record)
{
	return is_surely_ours(work, want, record) ||
	       (record_has_tag(record, PLAN_TAG) && !has_instance_tag(record) &&
		       is_same_url(want->url, record->url));
}

/* Is `a` the older one? Its id decides where the time does not. */
static bool is_older(const struct record *a, const struct record *b)
{
	int order = strcmp(a->created_at, b->created_at);

	return order < 0 || (order == 0 && strcmp(a->id, b->id) < 0);
}

/* --- what differs --------------------------------------------------------------------------------- */

static bool has_all_tags(const struct plan_want *want, const struct record *record)
{
	json_t *tag;
	size_t i;

	json_array_foreach(want->tags, i, tag)
		if (!record_has_tag(record, json_string_value(tag)))
			return false;
	return true;
}

static bool has_auth(const struct record *record)
{
	return *record->auth_type && !streq(record->auth_type, "none");
}

const char *plan_difference(const struct plan_want *want, const struct record *record)
{
	if (!streq(want->gateway_name, record->name))
		return "its name differs";
	if (!is_same_url(want->url, record->url))
		return "its URL differs";
	if (strcasecmp(want->transport, record->transport) != 0)
		return "its transport differs";
	if (!streq(want->visibility, record->visibility))
		return "its visibility differs";
	if (!streq(want->description, record->description))
		return "its description differs";
	if (!has_all_tags(want, record))
		return "a tag is missing";
	if (want->has_key && (!streq(record->auth_type, "bearer") || !record->has_token))
		return "the key that it has to send is missing";
	if (!want->has_key && has_auth(record))
		return "it has credentials that it should not have";
	if (want->has_ca && !record->has_ca)
		return "the CA for our certificate is missing";
	return NULL;
}

char *plan_shown(const struct record *record)
{
	auto_strbuf text = { 0 };
	json_t *tag;
	size_t i;

	strbuf_addf(&text, "%s\n%s\n%s\n%s\n%s\n%s %d %d\n", record->name, record->url,
		record->transport, record->visibility, record->description, record->auth_type,
		record->has_token, record->has_ca);
	json_array_foreach(record->tags, i, tag)
		strbuf_addf(&text, "%s\n", json_string_value(tag));
	return strbuf_take(&text);
}

static bool is_confirmed(const struct plan_want *want, const struct record *record)
{
	return *want->confirmed_mark && streq(want->mark, want->confirmed_mark) &&
	       streq(want->confirmed_id, record->id);
}

/* The gateway writes some things its own way: what it showed when all was right is right. */
static bool is_as_confirmed(const struct plan_want *want, const struct record *record)
{
	char mark[SECRET_MARK_SIZE];
	auto_free char *shown = plan_shown(record);

	secret_mark("", shown, mark);
	return is_confirmed(want, record) && streq(mark, want->confirmed_shown);
}

/* --- one domain ----------------------------------------------------------------------------------- */

/* Does the gateway work on it by itself? Not any more, where what was sent is not what is wanted now: from an
 * address that was wrong it would never come to an end. */
static bool is_under_way(
	const struct plan_want *want, const struct record *record, const char *difference)
{
	bool is_outdated = difference && *want->confirmed_mark &&
			   streq(want->confirmed_id, record->id) && !is_confirmed(want, record);

	return streq(record->status, "deleting") ||
	       (streq(record->status, "pending") && !is_outdated);
}

static bool was_written(const struct plan_want *want, const struct record *record)
{
	return want->confirmed_version > 0 && record->version != want->confirmed_version;
}

static void judge(struct work *work, int i, const struct record *record)
{
	const struct plan_want *want = &work->wants[i];
	const char *difference = plan_difference(want, record);
	bool is_known = is_confirmed(want, record);
	char why[160] = "";

	if (difference && is_as_confirmed(want, record))
		difference = NULL;
	if (is_under_way(want, record, difference)) {
		add(work, PLAN_PENDING, i, record, "");
	} else if (!record->is_enabled) {
		add(work, PLAN_DISABLED, i, record, "it was switched off at the gateway");
	} else if (difference) {
		add(work, PLAN_UPDATE, i, record, difference);
	} else if (*want->confirmed_mark && streq(want->confirmed_id, record->id) && !is_known) {
		add(work, PLAN_UPDATE, i, record, "the domain has changed");
	} else if (!is_known && (want->has_key || want->has_ca)) {
		add(work, PLAN_UPDATE, i, record,
			"it is not known whether its key and CA are ours");
	} else if (is_known && was_written(want, record) && (want->has_key || want->has_ca)) {
		add(work, PLAN_UPDATE, i, record,
			"somebody wrote it, and its key and CA are not shown");
	} else if (!record->is_reachable && want->may_revive) {
		add(work, PLAN_UPDATE, i, record, "the gateway has it as unreachable");
	} else if (!is_known || record->n_tools != want->confirmed_tools) {
		(void)snprintf(why, sizeof(why), "it has %lld tools, the domain has %lld",
			(long long)record->n_tools, (long long)want->n_tools);
		add(work, PLAN_LOOK, i, record, why);
	} else {
		add(work, PLAN_NOTHING, i, record, "");
	}
}

/* The oldest of ours; the others are duplicates. */
static const struct record *find_ours(struct work *work, int i, enum match_by by)
{
	const struct plan_want *want = &work->wants[i];
	const struct record *oldest = NULL;

	for (size_t k = 0; k < work->records->n; k++) {
		const struct record *record = &work->records->items[k];

		if (!work->is_taken[k] && is_match(want, record, by) &&
			is_ours(work, want, record) && (!oldest || is_older(record, oldest)))
			oldest = record;
	}
	return oldest;
}

static const struct record *find_foreign(struct work *work, int i)
{
	const struct plan_want *want = &work->wants[i];

	for (size_t k = 0; k < work->records->n; k++) {
		const struct record *record = &work->records->items[k];

		if (!work->is_taken[k] && !is_ours(work, want, record) &&
			(is_match(want, record, BY_SLUG) || is_match(want, record, BY_URL)))
			return record;
	}
	return NULL;
}

/* All of ours that could be meant are this domain's, and nobody else's afterwards. */
static void take_matches(struct work *work, int i, enum match_by by, const struct record *kept)
{
	const struct plan_want *want = &work->wants[i];

	for (size_t k = 0; k < work->records->n; k++) {
		const struct record *record = &work->records->items[k];

		if (work->is_taken[k] || !is_match(want, record, by) ||
			!is_ours(work, want, record))
			continue;
		work->is_taken[k] = true;
		if (want->wish == WISH_REMOVE && is_surely_ours(work, want, record))
			add(work, PLAN_DELETE, i, record, "the domain is not to be registered");
		else if (want->wish == WISH_HAVE && record != kept)
			add(work, PLAN_DELETE, i, record, "it is a duplicate");
	}
}

static void add_leftovers(struct work *work)
{
	for (size_t k = 0; k < work->records->n; k++) {
		const struct record *record = &work->records->items[k];

		if (!work->is_taken[k] && is_of_instance(work, record) &&
			!streq(record->status, "deleting"))
			add(work, PLAN_DELETE, PLAN_NO_WANT, record,
				"it is ours and not a domain of the fleet any more");
	}
}

static void finish(struct work *work, int i, const struct record *record)
{
	const struct plan_want *want = &work->wants[i];
	const struct record *foreign = record ? NULL : find_foreign(work, i);
	char why[160];

	if (foreign) {
		(void)snprintf(why, sizeof(why), "%s is taken by the entry %.32s",
			streq(want->slug, foreign->slug) ? "its name" : "its URL", foreign->id);
		add(work, want->wish == WISH_HAVE ? PLAN_FOREIGN : PLAN_ABSENT, i,
			want->wish == WISH_HAVE ? foreign : NULL, why);
	} else if (want->wish == WISH_HAVE && record) {
		judge(work, i, record);
	} else if (want->wish == WISH_HAVE) {
		add(work, PLAN_CREATE, i, NULL, "it is not registered");
	} else if (want->wish == WISH_KEEP && record) {
		add(work, record->is_enabled ? PLAN_NOTHING : PLAN_DISABLED, i, record, "");
	} else {
		add(work, PLAN_ABSENT, i, NULL, "");
	}
}

static void match(struct work *work, const struct record **kept)
{
	for (enum match_by by = BY_SLUG; by < MATCHES; by++)
		for (size_t i = 0; i < work->n_wants; i++) {
			if (!kept[i])
				kept[i] = find_ours(work, (int)i, by);
			take_matches(work, (int)i, by, kept[i]);
		}
}

void plan_make(const struct plan_want *wants, size_t n_wants, const struct records *records,
	const struct plan_tags *tags, struct plan *ret)
{
	struct work work = { wants, n_wants, records, tags, NULL, ret };
	auto_free bool *is_taken = alloc_zero(records->n + 1);
	auto_free const struct record **kept = alloc_zero((n_wants + 1) * sizeof(*kept));

	*ret = (struct plan){ 0 };
	work.is_taken = is_taken;
	match(&work, kept);
	add_leftovers(&work);
	for (size_t i = 0; i < n_wants; i++)
		finish(&work, (int)i, kept[i]);
}

void plan_done(struct plan *plan)
{
	free(plan->steps);
	*plan = (struct plan){ 0 };
}

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const names[] = {
		[PLAN_NOTHING] = "none",
		[PLAN_CREATE] = "create",
		[PLAN_UPDATE] = "update",
		[PLAN_LOOK] = "compare",
		[PLAN_PENDING] = "wait",
		[PLAN_FOREIGN] = "none",
		[PLAN_DISABLED] = "none",
		[PLAN_ABSENT] = "none",
		[PLAN_DELETE] = "delete",
	};

	return names[kind];
}
