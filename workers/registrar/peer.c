/* One domain's entry at the gateway: what a step of the plan does; see registrar.h. */
#include <inttypes.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"
#include "workers/registrar/toolset.h"

/* Everybody works on these. */
struct job {
	struct registrar *registrar;
	struct domain *domain;
	const struct target_peer *peer;
	struct plan_step *step;
	struct answer *answer; /* the last one */
};

static const char remedy_tools[] =
	"the gateway leaves out tools whose names or schemas it does not like: its log names them";

/* --- failures ------------------------------------------------------------------------------------- */

static int64_t backoff_ms(struct job *job)
{
	return pace_backoff_ms(++job->domain->n_failures, job->registrar->settings.interval_ms,
		registrar_random());
}

static void fail(struct job *job, enum domain_state state, const char *error, const char *remedy,
	int64_t retry_ms)
{
	struct log_about about = { .domain = job->domain->name };

	if (!job->domain->error || !streq(job->domain->error, error))
		log_warn_about(&about, "%s: %s: %s%s%s", job->domain->name,
			domain_state_name(state), error, remedy ? ". Remedy: " : "",
			remedy ? remedy : "");
	domain_set(job->domain, state, error, remedy);
	domain_failed(job->domain, job->peer->mark, clock_now_ms() + retry_ms);
}

/* The same again would be refused again, as long as nobody changes a thing at the gateway that is not seen from
 * here: tried again within one interval, then more and more rarely. */
static int64_t slow_ms(struct job *job)
{
	int64_t wait_ms = job->registrar->settings.interval_ms;

	for (unsigned i = job->domain->n_failures++; i > 0 && wait_ms < SLOW_MS; i--)
		wait_ms *= 2;
	return wait_ms < SLOW_MS ? wait_ms : SLOW_MS;
}

/* It is shorter where the interval is: within one of them all has to be well again. */
static int64_t late_ms(const struct job *job)
{
	int64_t interval_ms = job->registrar->settings.interval_ms;

	return interval_ms < LATE_MS ? interval_ms : LATE_MS;
}

/* Of a request about this domain. True: it is not about this domain. */
static bool take_failure(struct job *job)
{
	const struct answer *answer = job->answer;
	bool is_first = job->domain->n_failures == 0;
	enum domain_state known = job->step->record ? DOMAIN_DEGRADED : DOMAIN_UNREGISTERED;

	if (answer_is_global(answer))
		return true;
	switch (answer->kind) {
	case ANSWER_REFUSED:
		fail(job, DOMAIN_REFUSED, answer->error, answer->remedy, slow_ms(job));
		break;
	case ANSWER_CONFLICT: /* the first time it may be ours: of a request whose answer was lost */
		fail(job, is_first ? known : DOMAIN_FOREIGN, answer->error, peer_remedy_foreign,
			backoff_ms(job));
		break;
	case ANSWER_PEER:
		if (strstr(answer->error, "validation"))
			fail(job, DOMAIN_REFUSED, answer->error, remedy_tools, slow_ms(job));
		else
			fail(job, DOMAIN_UNREACHABLE, answer->error, answer->remedy,
				backoff_ms(job));
		break;
	case ANSWER_LATE:
		fail(job, known, answer->error, answer->remedy, late_ms(job));
		break;
	default:
		fail(job, known, answer->error, answer->remedy, backoff_ms(job));
		break;
	}
	return false;
}

/* --- requests ------------------------------------------------------------------------------------- */

/* The key is sent once; later the mask that stands for it, because what a PUT carries is stored in clear. */
static void add_secrets(const struct job *job, json_t *body)
{
	const struct registrar *registrar = job->registrar;
	const struct record *record = job->step->record;
	const struct confirmed *confirmed = &job->domain->confirmed;
	bool is_known = record && record->has_token && streq(confirmed->id, record->id) &&
			record->version == confirmed->version &&
			streq(confirmed->key_mark, registrar->key_mark);

	if (registrar->peer_key) {
		(void)json_object_set_new(body, "auth_type", json_string("bearer"));
		(void)json_object_set_new(
			body, "auth_token", json_string(is_known ? "*****" : registrar->peer_key));
	} else if (record && *record->auth_type) {
		(void)json_object_set_new(body, "auth_type", json_string("none"));
	}
	if (registrar->peer_ca)
		(void)json_object_set_new(body, "ca_certificate", json_string(registrar->peer_ca));
	else if (record && record->has_ca)
		(void)json_object_set_new(body, "ca_certificate", json_string(""));
}

static json_t *make_body(const struct job *job)
{
	const struct target_peer *peer = job->peer;
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "name", peer->gateway_name,
		"url", peer->shown_url, "transport", peer->want.transport, "description",
		peer->want.description, "visibility", peer->want.visibility, "tags", peer->tags);

	add_secrets(job, body);
	return body;
}

/* --- comparing ------------------------------------------------------------------------------------ */

static void confirm(struct job *job, const struct record *record, int64_t n_tools)
{
	struct domain *domain = job->domain;
	struct confirmed *confirmed = &domain->confirmed;
	auto_free char *shown = plan_shown(record);

	(void)snprintf(confirmed->id, sizeof(confirmed->id), "%s", record->id);
	memcpy(confirmed->mark, job->peer->mark, sizeof(confirmed->mark));
	memcpy(confirmed->key_mark, job->registrar->key_mark, sizeof(confirmed->key_mark));
	secret_mark("", shown, confirmed->shown);
	confirmed->n_tools = n_tools;
	confirmed->version = record->version;
	domain->n_failures = 0;
	domain->retry_at_ms = 0;
	if (domain->state != DOMAIN_REGISTERED) {
		struct log_about about = { .domain = domain->name };

		log_info_about(&about, "%s: registered as %s, %" PRId64 " of %" PRId64 " tools",
			domain->name, job->peer->gateway_name, domain->n_found,
			job->peer->want.n_tools);
	}
	domain_set(domain, DOMAIN_REGISTERED, NULL, NULL);
}

/* The gateway's tools beside ours. False: they could not be had, or the answer is none. */
static bool compare(struct job *job, const char *id, struct toolset *ret)
{
	struct domain *domain = job->domain;

	answer_done(job->answer);
	gateway_tools(&job->registrar->gateway, id, job->answer);
	if (job->answer->kind != ANSWER_OK)
		return false;
	if (!toolset_compare(domain->tools, job->answer->json, ret)) {
		job->answer->kind = ANSWER_TROUBLE;
		job->answer->error = alloc_str("its list of tools is no list");
		return false;
	}
	domain->n_found = ret->n_found;
	json_decref(domain->tool_ids);
	domain->tool_ids = toolset_ids(job->answer->json);
	return true;
}

static bool is_complete(const struct job *job, const struct toolset *toolset)
{
	return toolset->n_found == job->peer->want.n_tools && toolset->n_extra == 0;
}

static void tell_incomplete(struct job *job, const struct toolset *toolset)
{
	auto_free char *error = NULL;

	if (*toolset->first_missing)
		error = alloc_printf("the gateway has %" PRId64 " of %" PRId64
				     " tools; %s is missing",
			toolset->n_found, job->peer->want.n_tools, toolset->first_missing);
	else
		error = alloc_printf(
			"the gateway has %" PRId64 " tools too many", toolset->n_extra);
	fail(job, DOMAIN_DEGRADED, error, remedy_tools, slow_ms(job));
}

/* After a POST or a PUT that was taken. */
static bool verify(struct job *job, const struct record *record)
{
	struct toolset toolset;

	domain_set_id(job->domain, record->id);
	if (record->skipped)
		log_warn("%s: the gateway skipped %zu tools", job->domain->name,
			json_array_size(record->skipped));
	if (!compare(job, record->id, &toolset))
		return take_failure(job);
	clock_wall_text(job->domain->last_sync);
	if (is_complete(job, &toolset))
		confirm(job, record, toolset.n_found);
	else
		tell_incomplete(job, &toolset);
	return false;
}

/* --- steps ---------------------------------------------------------------------------------------- */

/* It was taken, but is not done yet: what was sent is not sent again, but looked for. */
static void note_sent(struct job *job, const char *id)
{
	struct confirmed *confirmed = &job->domain->confirmed;

	*confirmed = (struct confirmed){ .n_tools = -1 };
	(void)snprintf(confirmed->id, sizeof(confirmed->id), "%s", id);
	memcpy(confirmed->mark, job->peer->mark, sizeof(confirmed->mark));
	memcpy(confirmed->key_mark, job->registrar->key_mark, sizeof(confirmed->key_mark));
}

/* The gateway says 200 to a PUT also when it could not reach the peer; then it was not seen. */
static bool was_reached(const struct job *job, const struct record *record)
{
	const struct record *before = job->step->record;

	return !before || !*record->last_seen || !streq(before->last_seen, record->last_seen);
}

static bool take_written(struct job *job)
{
	auto_(record_done) struct record record = { 0 };

	if (job->answer->kind != ANSWER_OK && job->answer->kind != ANSWER_PENDING)
		return take_failure(job);
	if (!record_read(job->answer->json, &record)) {
		fail(job, DOMAIN_DEGRADED, "the gateway's answer is no entry", NULL,
			backoff_ms(job));
		return false;
	}
	domain_set_id(job->domain, record.id);
	if (job->answer->kind == ANSWER_PENDING || streq(record.status, "pending")) {
		note_sent(job, record.id);
		peer_pend(job->registrar, job->domain, job->answer->retry_after_ms,
			record.last_error);
		return false;
	}
	if (!was_reached(job, &record)) {
		fail(job, DOMAIN_UNREACHABLE,
			"the gateway does not reach the fleet at this address",
			"check public_url as it is seen from the gateway's host, and its health checks",
			backoff_ms(job));
		return false;
	}
	return verify(job, &record);
}

/* It failed as it is wanted now, and it is not time yet. */
static bool must_wait(const struct job *job)
{
	const struct domain *domain = job->domain;

	return domain->retry_at_ms > clock_now_ms() && streq(domain->tried, job->peer->mark);
}

static bool create(struct job *job)
{
	json_auto_t *body = NULL;

	if (must_wait(job))
		return false;
	domain_forget(job->domain);
	domain_set(job->domain, DOMAIN_REGISTERING, NULL, NULL);
	report_publish(job->registrar, false);
	body = make_body(job);
	gateway_create(&job->registrar->gateway, body, job->answer);
	return take_written(job);
}

static bool update(struct job *job)
{
	const struct record *record = job->step->record;
	struct log_about about = { .domain = job->domain->name };
	json_auto_t *body = NULL;

	if (must_wait(job))
		return false;
	log_info_about(
		&about, "%s: updating the gateway's entry: %s", job->domain->name, job->step->why);
	if (!record->is_reachable)
		job->domain->revived_at_ms = clock_now_ms();
	body = make_body(job);
	answer_done(job->answer);
	gateway_update(&job->registrar->gateway, record->id, body, job->answer);
	return take_written(job);
}

static bool look(struct job *job, bool changes)
{
	const struct record *record = job->step->record;
	const struct plan_want *want = &job->peer->want;
	bool is_known = *want->confirmed_mark && streq(want->mark, want->confirmed_mark) &&
			streq(want->confirmed_id, record->id);
	struct toolset toolset;

	if (!compare(job, record->id, &toolset))
		return take_failure(job);
	if (is_complete(job, &toolset) && (is_known || toolset.is_same)) {
		confirm(job, record, record->n_tools);
		job->step->kind = PLAN_NOTHING;
		return false;
	}
	job->step->kind = PLAN_UPDATE;
	if (is_complete(job, &toolset))
		(void)snprintf(job->step->why, sizeof(job->step->why), "a tool of it has changed");
	return changes ? update(job) : false;
}

bool peer_run(struct registrar *registrar, struct domain *domain, const struct target_peer *peer,
	struct plan_step *step, bool changes, struct answer *ret)
{
	struct job job = { registrar, domain, peer, step, ret };

	switch (step->kind) {
	case PLAN_CREATE:
		return changes ? create(&job) : false;
	case PLAN_UPDATE:
		return changes ? update(&job) : false;
	case PLAN_LOOK:
		return look(&job, changes);
	case PLAN_NOTHING:
	case PLAN_PENDING:
	case PLAN_FOREIGN:
	case PLAN_DISABLED:
	case PLAN_ABSENT:
	case PLAN_DELETE:
		break;
	}
	return false;
}

bool peer_delete(struct registrar *registrar, const struct record *record, struct answer *ret)
{
	auto_free char *name = peer_clean(registrar, record->name);

	gateway_delete(&registrar->gateway, record->id, ret);
	if (ret->kind == ANSWER_OK || ret->kind == ANSWER_PENDING || ret->kind == ANSWER_MISSING) {
		log_info("the gateway's entry %s (%s) is deleted", record->id, name);
		return false;
	}
	if (answer_is_global(ret))
		return true;
	log_warn("the gateway's entry %s cannot be deleted: %s", record->id, ret->error);
	return false;
}
