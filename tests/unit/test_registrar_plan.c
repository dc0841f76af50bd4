/* The registrar's plan: from what the gateway has to what is done, for every case that is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/alloc.h"
#include "workers/registrar/plan.h"

#define INSTANCE "mcp-fleet-0123456789ab"
#define FORMER "mcp-fleet-ba9876543210"
#define OTHER "mcp-fleet-999999999999"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccc"

struct world {
	struct plan_want wants[3];
	size_t n_wants;
	struct records records;
	struct plan plan;
	json_t *tags;
};

static struct plan_want want(const struct world *world, const char *name)
{
	static char texts[8][64];
	static unsigned next;
	char *gateway_name = texts[next++ % 8];
	char *url = texts[next++ % 8];

	(void)snprintf(gateway_name, 64, "fleet-%s", name);
	(void)snprintf(url, 64, "http://localhost:1/%s/sse", name);
	return (struct plan_want){ .wish = WISH_HAVE,
		.name = name,
		.gateway_name = gateway_name,
		.slug = gateway_name,
		.url = url,
		.transport = "SSE",
		.visibility = "public",
		.description = "d",
		.tags = world->tags,
		.n_tools = 2,
		.mark = "m",
		.confirmed_mark = "",
		.confirmed_id = "",
		.confirmed_shown = "",
		.confirmed_tools = -1,
		.may_revive = true };
}

static void begin(struct world *world)
{
	*world = (struct world){ .tags = json_pack("[s, s]", PLAN_TAG, INSTANCE) };
	world->wants[0] = want(world, "a");
	world->wants[1] = want(world, "b");
	world->n_wants = 1;
}

/* Entries as the gateway would list them: `over` is JSON that replaces members of a right one. */
static void add(struct world *world, const char *name, const char *id, const char *over)
{
	json_auto_t *json = json_pack(
		"{s:s, s:s+, s:s+, s:s++, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s}, {s:s}], s:i}",
		"id", id, "name", "fleet-", name, "slug", "fleet-", name, "url",
		"http://localhost:1/", name, "/sse", "transport", "SSE", "visibility", "public",
		"description", "d", "status", "active", "createdAt", "2026-01-02", "lastSeen",
		"2026-01-03", "tags", "id", PLAN_TAG, "id", INSTANCE, "toolCount", 2);
	json_t *changes = json_loads(over, 0, NULL);
	struct records *records = &world->records;

	assert_non_null(json);
	assert_non_null(changes);
	(void)json_object_update_new(json, changes);
	records->items = alloc_resize(records->items, records->n + 1, sizeof(*records->items));
	assert_true(record_read(json, &records->items[records->n++]));
}

/* Says that the first want was found right in this entry. */
static void confirm(struct world *world, const char *id, int64_t n_tools)
{
	world->wants[0].confirmed_mark = world->wants[0].mark;
	world->wants[0].confirmed_id = id;
	world->wants[0].confirmed_tools = n_tools;
}

/* One line a step: "update a: its URL differs". */
static void expect(struct world *world, const char *expected)
{
	const struct plan_tags tags = { INSTANCE, FORMER };
	auto_strbuf text = { 0 };
	static const char *const kinds[] = { [PLAN_NOTHING] = "nothing",
		[PLAN_CREATE] = "create",
		[PLAN_UPDATE] = "update",
		[PLAN_LOOK] = "look",
		[PLAN_PENDING] = "pending",
		[PLAN_FOREIGN] = "foreign",
		[PLAN_DISABLED] = "disabled",
		[PLAN_ABSENT] = "absent",
		[PLAN_DELETE] = "delete" };

	plan_make(world->wants, world->n_wants, &world->records, &tags, &world->plan);
	for (size_t i = 0; i < world->plan.n; i++) {
		const struct plan_step *step = &world->plan.steps[i];

		strbuf_addf(&text, "%s%s %s %c", i ? "\n" : "", kinds[step->kind],
			step->want == PLAN_NO_WANT ? "-" : world->wants[step->want].name,
			step->record ? step->record->id[0] : '-');
	}
	assert_string_equal(strbuf_get(&text), expected);
	for (size_t i = 0; i < world->plan.n; i++)
		if (world->plan.steps[i].kind == PLAN_DELETE ||
			world->plan.steps[i].kind == PLAN_UPDATE)
			assert_true(*world->plan.steps[i].why);
	plan_done(&world->plan);
}

static void end(struct world *world)
{
	records_done(&world->records);
	json_decref(world->tags);
}

/* One want, one entry. */
static const struct {
	const char *over;     /* of the entry */
	bool is_confirmed;    /* in this entry, with two tools */
	const char *expected; /* the step */
} cases[] = {
	{ "{}", true, "nothing a a" },
	{ "{}", false, "look a a" },
	{ "{\"toolCount\":1}", true, "look a a" },
	{ "{\"name\":\"Other\"}", true, "update a a" },
	{ "{\"slug\":\"other\"}", true, "nothing a a" }, /* found by its URL */
	{ "{\"url\":\"http://localhost:1/x/sse\"}", true, "update a a" },
	{ "{\"url\":\"http://127.0.0.1:1/a/sse\"}", true, "nothing a a" },
	{ "{\"transport\":\"sse\"}", true, "nothing a a" },
	{ "{\"transport\":\"STREAMABLEHTTP\"}", true, "update a a" },
	{ "{\"visibility\":\"team\"}", true, "update a a" },
	{ "{\"description\":null}", true, "update a a" },
	{ "{\"authType\":\"bearer\",\"authToken\":\"*****\"}", true, "update a a" },
	{ "{\"authType\":\"none\"}", true, "nothing a a" },
	{ "{\"reachable\":false}", true, "update a a" },
	{ "{\"enabled\":false}", true, "disabled a a" },
	{ "{\"enabled\":false,\"name\":\"Other\"}", true, "disabled a a" },
	{ "{\"status\":\"pending\",\"name\":\"Other\"}", true, "pending a a" },
	{ "{\"status\":\"deleting\"}", true, "pending a a" },
	{ "{\"tags\":[\"mcp-fleet\",\"" INSTANCE "\",\"more\"]}", true, "nothing a a" },
	/* Written by somebody: seen where there is something that is not shown, else harmless. */
	{ "{\"version\":7}", true, "nothing a a" },
	/* Our address, and the common tag: that was us, before the state was lost. */
	{ "{\"tags\":[\"mcp-fleet\"]}", true, "update a a" },
	{ "{\"tags\":[\"mcp-fleet\"]}", false, "update a a" },
	{ "{\"tags\":[\"mcp-fleet\",\"mcp-fleet-prod\"]}", false, "update a a" },
	/* The very one that we made, whatever became of its tags. */
	{ "{\"tags\":[]}", true, "update a a" },
	{ "{\"tags\":[\"else\"],\"name\":\"x\",\"slug\":\"x\",\"url\":\"http://x/\"}", true,
		"update a a" },
	{ "{\"tags\":[\"mcp-fleet\",\"" OTHER "\"]}", true, "update a a" },
	/* Before our address changed. */
	{ "{\"tags\":[\"mcp-fleet\",\"" FORMER "\"],\"url\":\"http://localhost:2/a/sse\"}", false,
		"update a a" },
	{ "{\"tags\":[\"" INSTANCE "\"]}", false, "update a a" },
	/* Others': by the tag of another fleet, even at our address; by address, without any tag. */
	{ "{\"tags\":[\"mcp-fleet\",\"" OTHER "\"]}", false, "foreign a a" },
	{ "{\"tags\":[\"mcp-fleet\"],\"url\":\"http://localhost:2/a/sse\"}", false, "foreign a a" },
	{ "{\"tags\":[]}", false, "foreign a a" },
	{ "{\"tags\":[],\"slug\":\"other\",\"name\":\"other\"}", false,
		"foreign a a" }, /* by URL */
	{ "{\"tags\":[],\"slug\":\"other\",\"url\":\"http://localhost:2/\"}", false, "create a -" },
};

static void test_one_entry(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world world;

		begin(&world);
		add(&world, "a", ID_A, cases[i].over);
		if (cases[i].is_confirmed)
			confirm(&world, ID_A, 2);
		print_message("# %s\n", cases[i].over);
		expect(&world, cases[i].expected);
		end(&world);
	}
}

/* Where a key or a CA is sent, of which the gateway shows no more than that there is one. */
static void test_written_by_somebody(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"version\":7,\"authType\":\"bearer\",\"authToken\":\"*****\"}");
	confirm(&world, ID_A, 2);
	world.wants[0].has_key = true;
	world.wants[0].confirmed_version = 7;
	expect(&world, "nothing a a");
	world.wants[0].confirmed_version = 6;
	expect(&world, "update a a");
	world.wants[0].confirmed_version =
		0; /* not known: an older state file, or an older gateway */
	expect(&world, "nothing a a");
	end(&world);
}

/* What the gateway works on is left alone, unless it is another thing than what is wanted now. */
static void test_pending_with_what_is_not_wanted_any_more(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"status\":\"pending\",\"url\":\"http://localhost:9/a/sse\"}");
	confirm(&world, ID_A, -1);
	expect(&world, "pending a a"); /* as it was sent, only shown in another way */
	world.wants[0].confirmed_mark = "what was wanted then";
	expect(&world, "update a a");
	end(&world);

	begin(&world);
	add(&world, "a", ID_A, "{\"status\":\"deleting\",\"url\":\"http://localhost:9/a/sse\"}");
	confirm(&world, ID_A, -1);
	world.wants[0].confirmed_mark = "what was wanted then";
	expect(&world, "pending a a");
	end(&world);
}

static void test_nothing_there(void **unused)
{
	struct world world;

	begin(&world);
	world.n_wants = 2;
	expect(&world, "create a -\ncreate b -");
	world.wants[0].wish = WISH_KEEP;
	world.wants[1].wish = WISH_REMOVE;
	expect(&world, "absent a -\nabsent b -");
	end(&world);
}

static void test_wishes(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"name\":\"edited\"}");
	world.wants[0].wish = WISH_KEEP;
	expect(&world, "nothing a a");
	world.wants[0].wish = WISH_REMOVE;
	expect(&world, "delete a a\nabsent a -");
	end(&world);
}

/* What is not ours for sure is not deleted, although it would be taken over. */
static void test_only_ours_is_deleted(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"tags\":[\"mcp-fleet\"]}");
	add(&world, "z", ID_B, "{\"tags\":[\"mcp-fleet\",\"" OTHER "\"]}");
	add(&world, "y", ID_C, "{\"tags\":[]}");
	world.wants[0].wish = WISH_REMOVE;
	expect(&world, "absent a -");
	confirm(&world, ID_A, 2); /* we made it */
	expect(&world, "delete a a\nabsent a -");
	end(&world);
}

static void test_duplicates(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"createdAt\":\"2026-01-03\"}");
	add(&world, "a", ID_B, "{\"createdAt\":\"2026-01-01\"}");
	add(&world, "a", ID_C,
		"{\"slug\":\"copy\",\"name\":\"copy\",\"createdAt\":\"2025-01-01\"}");
	expect(&world, "delete a a\ndelete a c\nlook a b");
	world.wants[0].wish = WISH_KEEP; /* not known: nothing is deleted */
	expect(&world, "nothing a b");
	end(&world);
}

static void test_same_age(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_B, "{}");
	add(&world, "a", ID_A, "{}");
	expect(&world, "delete a b\nlook a a");
	end(&world);
}

static void test_ours_beside_a_foreign_one(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"tags\":[]}");
	add(&world, "a", ID_B, "{\"slug\":\"renamed\"}");
	expect(&world, "look a b");
	end(&world);
}

/* An entry whose URL was edited to that of another domain stays its own. */
static void test_crossed_urls(void **unused)
{
	struct world world;

	begin(&world);
	world.n_wants = 2;
	add(&world, "a", ID_A,
		"{\"url\":\"http://localhost:1/b/sse\",\"createdAt\":\"2020-01-01\"}");
	add(&world, "b", ID_B, "{}");
	expect(&world, "update a a\nlook b b");
	end(&world);
}

static void test_left_over(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "gone", ID_B, "{}");
	add(&world, "going", ID_C, "{\"status\":\"deleting\"}");
	expect(&world, "delete - b\ncreate a -");
	end(&world);
}

static void test_what_changed_on_our_side(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{}");
	confirm(&world, ID_A, 2);
	world.wants[0].confirmed_mark = "older";
	expect(&world, "update a a");
	world.wants[0].confirmed_id =
		ID_B; /* of an entry that is gone: says nothing about this one */
	expect(&world, "look a a");
	end(&world);
}

/* Name and URL are to change together: the entry and the ids of its tools stay. */
static void test_new_name_and_url(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "old", ID_A, "{}");
	confirm(&world, ID_A, 2);
	expect(&world, "update a a");
	world.wants[0].wish = WISH_REMOVE;
	expect(&world, "delete a a\nabsent a -");
	end(&world);
}

static void test_secrets(void **unused)
{
	struct world world;

	begin(&world);
	world.wants[0].has_key = true;
	add(&world, "a", ID_A, "{\"authType\":\"bearer\",\"authToken\":\"*****\"}");
	expect(&world, "update a a"); /* whose key is it? */
	confirm(&world, ID_A, 2);
	expect(&world, "nothing a a");
	world.wants[0].has_ca = true;
	expect(&world, "update a a");
	end(&world);
}

static void test_wiped_key(void **unused)
{
	struct world world;

	begin(&world);
	world.wants[0].has_key = true;
	add(&world, "a", ID_A, "{\"authType\":\"bearer\",\"authToken\":null}");
	confirm(&world, ID_A, 2);
	expect(&world, "update a a");
	end(&world);
}

static void test_unreachable_is_not_written_each_time(void **unused)
{
	struct world world;

	begin(&world);
	add(&world, "a", ID_A, "{\"reachable\":false}");
	confirm(&world, ID_A, 2);
	world.wants[0].may_revive = false;
	expect(&world, "nothing a a");
	end(&world);
}

/* The gateway may write something its own way: that is right as long as it stays so. */
static void test_what_was_shown(void **unused)
{
	struct world world;
	char mark[SECRET_MARK_SIZE];

	begin(&world);
	add(&world, "a", ID_A, "{\"description\":\"d, but cut\"}");
	confirm(&world, ID_A, 2);
	expect(&world, "update a a");
	auto_free char *shown = plan_shown(&world.records.items[0]);

	secret_mark("", shown, mark);
	world.wants[0].confirmed_shown = mark;
	expect(&world, "nothing a a");
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_entry),
		cmocka_unit_test(test_written_by_somebody),
		cmocka_unit_test(test_pending_with_what_is_not_wanted_any_more),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_only_ours_is_deleted),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_same_age),
		cmocka_unit_test(test_ours_beside_a_foreign_one),
		cmocka_unit_test(test_crossed_urls),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_what_changed_on_our_side),
		cmocka_unit_test(test_new_name_and_url),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_wiped_key),
		cmocka_unit_test(test_unreachable_is_not_written_each_time),
		cmocka_unit_test(test_what_was_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
