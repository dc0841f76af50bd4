/* Answers of a gateway: whatever comes, there is a meaning, words without our secrets, and a plan that touches
 * nothing that is not ours. The first byte chooses the status. */
#include "tests/fuzz/fuzz.h"
#include "workers/registrar/answer.h"
#include "workers/registrar/plan.h"
#include "workers/registrar/toolset.h"

#define SECRET "hush-hush"
#define INSTANCE "mcp-fleet-0123"
#define FORMER "mcp-fleet-0123456789ab"

enum { MAX_ERROR_BYTES = 4 * 400 + 8 };

static const int statuses[] = { 200, 202, 204, 302, 400, 401, 404, 409, 422, 429, 500, 502 };

static void check_answer(const struct answer *answer)
{
	bool is_good = answer->kind == ANSWER_OK || answer->kind == ANSWER_PENDING;

	CHECK(is_good == !answer->error);
	if (!answer->error)
		return;
	CHECK(strlen(answer->error) <= MAX_ERROR_BYTES && !strstr(answer->error, SECRET));
	for (const char *c = answer->error; *c; c++)
		CHECK((unsigned char)*c >= 0x20);
}

static bool is_marked(const struct record *record)
{
	return record_has_tag(record, INSTANCE) || record_has_tag(record, FORMER);
}

static void check_plan(json_t *json, json_t *tags)
{
	struct plan_want wants[2] = {
		{ .wish = WISH_HAVE,
			.name = "a",
			.gateway_name = "fleet-a",
			.slug = "fleet-a",
			.url = "http://localhost:1/a/sse" },
		{ .wish = WISH_REMOVE,
			.name = "b",
			.gateway_name = "fleet-b",
			.slug = "fleet-b",
			.url = "http://localhost:1/b/sse" },
	};
	static const struct plan_tags known = { INSTANCE, FORMER };
	struct records records;
	struct plan plan;
	size_t n_steps = 0;

	for (size_t i = 0; i < N_ELEMENTS(wants); i++) {
		wants[i].transport = "SSE";
		wants[i].visibility = "public";
		wants[i].description = "";
		wants[i].tags = tags;
		wants[i].mark = "m";
		wants[i].confirmed_mark = wants[i].confirmed_id = wants[i].confirmed_shown = "";
	}
	if (!records_read(json, &records))
		return;
	plan_make(wants, N_ELEMENTS(wants), &records, &known, &plan);
	for (size_t i = 0; i < plan.n; i++) {
		const struct plan_step *step = &plan.steps[i];

		n_steps += step->kind != PLAN_DELETE;
		if (step->kind == PLAN_UPDATE || step->kind == PLAN_DELETE)
			CHECK(record_has_tag(step->record, PLAN_TAG) || is_marked(step->record));
		if (step->kind == PLAN_DELETE && step->want != 0)
			CHECK(is_marked(step->record));
	}
	CHECK(n_steps == N_ELEMENTS(wants));
	plan_done(&plan);
	records_done(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const secrets[] = { SECRET, NULL };
	struct http_answer from = { .end = HTTP_ANSWERED };
	json_auto_t *tags = json_pack("[s, s]", PLAN_TAG, INSTANCE);
	json_auto_t *ours = json_pack("[{s:s, s:{}}]", "name", "t", "inputSchema");
	struct answer answer;
	struct toolset toolset;

	if (size == 0)
		return 0;
	from.status = statuses[data[0] % N_ELEMENTS(statuses)];
	strbuf_add(&from.body, data + 1, size - 1);
	answer_read(&from, secrets, N_ELEMENTS(secrets), &answer);
	http_answer_done(&from);
	check_answer(&answer);
	check_plan(answer.json, tags);
	if (toolset_compare(ours, answer.json, &toolset)) {
		json_decref(toolset_ids(answer.json));
		CHECK(toolset.n_found >= 0 && toolset.n_found <= 1);
	}
	answer_done(&answer);
	return 0;
}
