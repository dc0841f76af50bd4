/* Reading what a worker offers: tools, resources, templates of resources and prompts, one list after the
 * other, each by its pages.
 *
 * All lists are read anew when one has changed: they are not kept, and what is told upwards is one
 * consistent whole. At most one reading is under way, and none begins sooner than a pause after the last
 * one, so a worker that tells of changes without end costs little. A reading is bounded by pages and bytes.
 *
 * Source: MCP, all revisions, server/{tools,resources,prompts}, server/utilities/pagination. */
#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/fleet/worker_private.h"

enum {
	MAX_PAGES = 1000, /* of one list */
	PAUSE_MS = 200,
};

static const struct {
	const char *id;
	const char *method;
	const char *member;
	const char *capability;
} lists[WORKER_LISTS] = {
	[WORKER_TOOLS] = { "tools", "tools/list", "tools", "tools" },
	[WORKER_RESOURCES] = { "resources", "resources/list", "resources", "resources" },
	[WORKER_TEMPLATES] = { "templates", "resources/templates/list", "resourceTemplates",
		"resources" },
	[WORKER_PROMPTS] = { "prompts", "prompts/list", "prompts", "prompts" },
};

static char **text_of(struct worker *w, enum worker_list list)
{
	switch (list) {
	case WORKER_TOOLS:
		return &w->offering.tools;
	case WORKER_RESOURCES:
		return &w->offering.resources;
	case WORKER_TEMPLATES:
		return &w->offering.templates;
	case WORKER_PROMPTS:
	case WORKER_LISTS:
		break;
	}
	return &w->offering.prompts;
}

static bool is_declared(const struct worker *w, enum worker_list list)
{
	return json_is_object(offering_get_capability(&w->offering, lists[list].capability));
}

/* A small server that declares nothing at all may have forgotten to: it is asked for tools. */
static bool is_to_be_read(const struct worker *w, enum worker_list list)
{
	if (is_declared(w, list))
		return true;
	return list == WORKER_TOOLS && !is_declared(w, WORKER_RESOURCES) &&
	       !is_declared(w, WORKER_PROMPTS);
}

enum worker_list worker_find_list(const char *id)
{
	enum worker_list list = WORKER_TOOLS;

	while (list < WORKER_LISTS && !streq(id, lists[list].id))
		list++;
	return list;
}

/* `cursor`: NULL for the first page. */
static void ask_page(struct worker *w, const struct strbuf *cursor)
{
	auto_strbuf params = { 0 };

	if (cursor) {
		strbuf_adds(&params, "\"cursor\":");
		strbuf_add_json(&params, strbuf_get(cursor), cursor->len);
	}
	worker_say_request(w, offering_is_modern_only(&w->offering), lists[w->list].id,
		lists[w->list].method, strbuf_get(&params));
}

/* From `list` on, the next one that it has. */
static void read_from(struct worker *w, enum worker_list list)
{
	while (list < WORKER_LISTS && !is_to_be_read(w, list))
		list++;
	w->list = list;
	w->n_pages = 0;
	w->list_bytes = 0;
	if (list == WORKER_LISTS) {
		worker_end_listing(w);
		return;
	}
	free(TAKE(*text_of(w, list)));
	offering_add_page(text_of(w, list), (struct jspan){ "[]", 2 });
	ask_page(w, NULL);
}

static void read_lists(struct worker *w)
{
	w->is_listing = true;
	w->list_again = false;
	read_from(w, WORKER_TOOLS);
}

void worker_start_listing(struct worker *w)
{
	worker_start_listen(w); /* first, so that no change falls between the two */
	read_lists(w);
}

void worker_end_listing(struct worker *w)
{
	if (!w->is_listing || w->list != WORKER_LISTS)
		return;
	if (w->state == WORKER_LISTING && timer_is_running(w->discover_timer))
		return;
	w->is_listing = false;
	timer_start(w->list_timer, PAUSE_MS);
	worker_event(w, WORKER_EV_LISTED);
	offering_drop_lists(&w->offering); /* large beside the rest: who needs them has them now */
}

/* What changed while the lists are read may be missing in them. */
void worker_on_list_changed(struct worker *w)
{
	if (w->is_listing || timer_is_running(w->list_timer))
		w->list_again = true;
	else if (w->state == WORKER_READY)
		read_lists(w);
}

void worker_on_list_timer(void *arg)
{
	struct worker *w = arg;

	if (w->list_again && !w->is_listing && w->state == WORKER_READY)
		read_lists(w);
}

/* What is told stays: a ready worker is not thrown away because a list fails once. */
static void give_up_reading(struct worker *w)
{
	w->is_listing = false;
	offering_drop_lists(&w->offering);
	timer_start(w->list_timer, PAUSE_MS);
}

static bool has_code(const struct rpc *rpc, const char *code)
{
	struct jspan span = jspan_member(rpc->error, "code", NULL);

	return span.len == strlen(code) && memcmp(span.at, code, span.len) == 0;
}

/* Version 1 of the Python SDK says of every unknown method that its params are wrong. */
static bool has_no_such_list(const struct worker *w, const struct rpc *rpc)
{
	return has_code(rpc, "-32601") || (w->n_pages == 0 && has_code(rpc, "-32602"));
}

/* Servers declare "resources" and have no templates, or the other way round: such a list is empty. */
static void leave_out(struct worker *w)
{
	if (!is_declared(w, w->list))
		free(TAKE(*text_of(w, w->list)));
	read_from(w, w->list + 1);
}

static void on_refused(struct worker *w, const struct rpc *rpc)
{
	auto_strbuf words = { 0 };
	bool is_vital = w->list == WORKER_TOOLS && is_declared(w, WORKER_TOOLS);

	worker_add_error_text(&words, rpc);
	if (is_vital && w->state == WORKER_LISTING) {
		worker_break(w, "it refused tools/list: %s", strbuf_get(&words));
		return;
	}
	if (has_no_such_list(w, rpc) && !is_vital) {
		leave_out(w);
		return;
	}
	if (log_limit_ok(&w->noise, WORKER_NOISE_BURST, w->name))
		log_warn_about(&w->about, "%s: it refused %s: %s", w->name, lists[w->list].method,
			strbuf_get(&words));
	if (w->state == WORKER_LISTING)
		leave_out(w);
	else
		give_up_reading(w);
}

/* Items go up as they are, as bytes: a number may be larger than we can count. */
static void on_page(struct worker *w, struct jspan result)
{
	struct jspan items = jspan_member(result, lists[w->list].member, NULL);
	auto_strbuf cursor = { 0 };
	bool has_more = jspan_get_str(jspan_member(result, "nextCursor", NULL), &cursor);

	if (jspan_type(items) != JSPAN_ARRAY) {
		worker_break(w, "it answered %s without a list of %s", lists[w->list].method,
			lists[w->list].member);
		return;
	}
	offering_add_page(text_of(w, w->list), items);
	if (!has_more)
		read_from(w, w->list + 1);
	else if (++w->n_pages < MAX_PAGES)
		ask_page(w, &cursor);
	else
		worker_break(w, "its list of %s does not end", lists[w->list].member);
}

void worker_on_list(struct worker *w, enum worker_list list, const struct rpc *rpc)
{
	if (!w->is_listing || list != w->list)
		return; /* not asked for */
	if (rpc->kind == RPC_ERROR) {
		on_refused(w, rpc);
		return;
	}
	w->list_bytes += rpc->result.len;
	if (w->list_bytes > LIMIT_LIST_BYTES) {
		worker_break(w, "its list of %s is over %d MiB", lists[list].member,
			(int)(LIMIT_LIST_BYTES / MIB));
		return;
	}
	on_page(w, rpc->result);
}
