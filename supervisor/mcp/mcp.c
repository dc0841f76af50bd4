/* See mcp.h. */
#include "supervisor/mcp/mcp.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "supervisor/mcp/batch.h"
#include "supervisor/mcp/bridge.h"
#include "supervisor/mcp/client_roots.h"
#include "supervisor/mcp/headers.h"
#include "supervisor/mcp/method.h"
#include "supervisor/mcp/news.h"
#include "supervisor/mcp/router.h"
#include "supervisor/mcp/tasks.h"
#include "supervisor/stats.h"

/* A request that came before the lists of tools were complete. */
struct early {
	STAILQ_ENTRY(early) next;
	struct session *session;
	uint64_t via;
	int64_t since_us;
	size_t len;
	char text[];
};

/* Of early requests, all together. */
#define MAX_EARLY_BYTES (64 * MIB)

struct mcp {
	struct loop *loop;
	const struct conf *conf;
	const struct mcp_hooks *hooks;
	void *arg;
	struct sessions *sessions;
	struct router *router;
	struct catalog *catalog;
	struct news *news;
	struct fleet *fleet;
	STAILQ_HEAD(, early) early;
	size_t early_bytes;
	bool settled;
	bool refuses;
	bool telling; /* a deferred tell_fleet() is under way */
};

/* --- sessions ---------------------------------------------------------------------------------- */

/* It is out of the list. */
static void free_early(struct mcp *mcp, struct early *early)
{
	session_get_info(early->session)->n_early--;
	mcp->early_bytes -= early->len;
	free(early);
}

static void forget_early(struct mcp *mcp, struct session *session)
{
	struct early *early;
	struct early *after;

	if (session_get_info(session)->n_early == 0)
		return;
	for (early = STAILQ_FIRST(&mcp->early); early; early = after) {
		after = STAILQ_NEXT(early, next);
		if (early->session != session)
			continue;
		STAILQ_REMOVE(&mcp->early, early, early, next);
		free_early(mcp, early);
	}
}

static void on_session_closed(void *arg, struct session *session)
{
	struct mcp *mcp = arg;

	forget_early(mcp, session);
	router_forget_session(mcp->router, session);
	news_forget_session(mcp->news, session);
	mcp->hooks->changed(mcp->arg);
}

static void on_rights_changed(void *arg, struct session *session, const struct principal *old)
{
	struct mcp *mcp = arg;

	if (mcp->settled && !mcp->refuses && session_is_open(session))
		news_rights_changed(mcp->news, session, old);
}

static void on_router_idle(void *arg)
{
	struct mcp *mcp = arg;

	mcp->hooks->idle(mcp->arg);
}

static struct session *find_session(void *arg, uint64_t number)
{
	struct mcp *mcp = arg;

	return session_find_number(mcp->sessions, number);
}

static void forget_in_domain(void *arg, struct domain *domain)
{
	domain_forget_session(domain, *(const uint64_t *)arg);
}

/* What a parked call held of a session that has ended. */
static void on_released(void *arg, uint64_t session_no)
{
	struct mcp *mcp = arg;

	if (mcp->fleet && !find_session(mcp, session_no) && !bridge_holds(mcp->router, session_no))
		fleet_each(mcp->fleet, forget_in_domain, &session_no);
}

static const struct router_hooks router_hooks = {
	.idle = on_router_idle,
	.find_session = find_session,
	.released = on_released,
};

/* --- news of the fleet -------------------------------------------------------------------------- */

struct clusters {
	struct mcp *mcp;
	json_t *json;
};

static void add_cluster(void *arg, struct domain *domain)
{
	struct clusters *clusters = arg;
	const char *name = domain_get_name(domain);
	const struct endpoint *endpoint = catalog_endpoint(clusters->mcp->catalog, name);
	bool healthy = domain_state_is_up(domain_get_state(domain));
	size_t n_tools = endpoint ? endpoint_count_tools(endpoint) : 0;
	const char *told = catalog_get_summary(clusters->mcp->catalog, name);
	auto_free char *state =
		alloc_printf("%zu tools, %s", n_tools, domain_state_name(domain_get_state(domain)));

	(void)json_object_set_new(clusters->json, name,
		json_pack("{s:s, s:s, s:b, s:I, s:s}", "name", name, "summary",
			*told ? told : state, "healthy", healthy, "tools", (json_int_t)n_tools,
			"version", catalog_get_version(clusters->mcp->catalog, name)));
}

static void set_state_of(void *arg, struct domain *domain)
{
	domain_set_fleet_state(domain, arg);
}

/* Workers may answer questions about the fleet (gateway_get_capabilities): they are told its state.
 * Deferred, because several domains change in one turn. */
static void tell_fleet(void *arg)
{
	struct mcp *mcp = arg;
	struct clusters clusters = { .mcp = mcp, .json = json_object() };
	json_auto_t *params = json_pack("{s:o}", "clusters", clusters.json);
	auto_free char *text = NULL;

	mcp->telling = false;
	if (mcp->refuses)
		return;
	fleet_each(mcp->fleet, add_cluster, &clusters);
	text = json_dumps(params, JSON_COMPACT);
	if (text)
		fleet_each(mcp->fleet, set_state_of, text);
}

static void tell_fleet_later(struct mcp *mcp)
{
	if (mcp->telling)
		return;
	mcp->telling = true;
	loop_defer(mcp->loop, tell_fleet, mcp);
}

/* The error that a refusal is, for a transport that knows it only by its verdict until now. */
static int code_of(enum mcp_verdict verdict)
{
	switch (verdict) {
	case MCP_INVALID:
		return RPC_INVALID_REQUEST;
	case MCP_FORBIDDEN:
		return RPC_INVALID_PARAMS;
	case MCP_UNKNOWN:
		return RPC_METHOD_NOT_FOUND;
	case MCP_BUSY:
		return RPC_UNAVAILABLE;
	case MCP_ACCEPTED:
		break;
	}
	return 0;
}

static enum mcp_verdict receive_one(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, int64_t since_us, struct strbuf *reply);

static void run_early(struct mcp *mcp)
{
	struct early *early;

	while ((early = STAILQ_FIRST(&mcp->early))) {
		const struct mcp_input input = {
			.text = early->text, .len = early->len, .via = early->via
		};
		auto_strbuf reply = { 0 };
		enum mcp_verdict verdict;

		STAILQ_REMOVE_HEAD(&mcp->early, next);
		verdict = session_is_open(early->session) ? receive_one(mcp, early->session, &input,
								    early->since_us, &reply)
							  : MCP_ACCEPTED;
		if (verdict != MCP_ACCEPTED)
			session_answer(early->session, early->via, reply.data, reply.len,
				code_of(verdict));
		free_early(mcp, early);
	}
}

static void note_unsettled(void *arg, struct domain *domain)
{
	bool *settled = arg;

	if (domain_is_new(domain))
		*settled = false;
}

static void on_domain_changed(void *arg, struct domain *domain)
{
	struct mcp *mcp = arg;
	bool settled = true;

	if (!mcp->fleet)
		return;
	if (!mcp->settled) {
		fleet_each(mcp->fleet, note_unsettled, &settled);
		mcp->settled = settled;
		if (settled) {
			run_early(mcp);
			mcp->hooks->settled(mcp->arg);
		}
	}
	tell_fleet_later(mcp);
	mcp->hooks->changed(mcp->arg);
}

/* The versions of an endpoint's lists. */
struct versions {
	struct endpoint *endpoint;
	uint64_t of[CATALOG_LISTS];
};

static struct versions versions_of(struct endpoint *endpoint)
{
	struct versions versions = { .endpoint = endpoint };

	for (int i = 0; endpoint && i < CATALOG_LISTS; i++)
		versions.of[i] = endpoint_get_version(endpoint, (enum catalog_list)i);
	return versions;
}

/* Resources and their templates have one notification. */
static void tell_if_changed(struct mcp *mcp, const struct versions *before)
{
	const struct versions now = versions_of(before->endpoint);
	bool told_resources = false;

	for (int i = 0; before->endpoint && i < CATALOG_LISTS; i++) {
		bool is_resources = i == CATALOG_RESOURCES || i == CATALOG_TEMPLATES;

		if (now.of[i] == before->of[i] || (is_resources && told_resources))
			continue;
		told_resources |= is_resources;
		news_list_changed(mcp->news, before->endpoint, (enum catalog_list)i);
	}
}

static bool has_tool(void *arg, const char *tool)
{
	struct catalog_target target;

	return endpoint_find_tool(arg, NULL, tool, &target);
}

static void on_offering(void *arg, struct domain *domain, const struct offering *offering)
{
	struct mcp *mcp = arg;
	const char *name = domain_get_name(domain);
	const struct conf_domain *conf = conf_find_domain(mcp->conf, name);
	struct versions whole = versions_of(catalog_endpoint(mcp->catalog, NULL));
	struct versions one = versions_of(catalog_endpoint(mcp->catalog, name));

	if (conf) {
		catalog_set_domain(mcp->catalog, conf, offering);
	} else {
		catalog_remove_domain(mcp->catalog, name);
		stats_forget_domain(name);
	}
	/* What a domain that is down does not offer it had, and will have again. */
	if (conf && offering)
		stats_keep_tools(name, has_tool, catalog_endpoint(mcp->catalog, name));
	if (mcp->settled && !mcp->refuses) {
		tell_if_changed(mcp, &whole);
		tell_if_changed(mcp, &one);
	}
}

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct mcp *mcp = arg;

	router_answered(mcp->router, no, rpc);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct mcp *mcp = arg;

	router_progress(mcp->router, no, rpc);
}

static void on_lost(void *arg, uint64_t no, enum domain_loss loss, const char *cause)
{
	struct mcp *mcp = arg;

	router_lost(mcp->router, no, loss, cause);
}

static void on_asked(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
	struct mcp *mcp = arg;

	bridge_asked(mcp->router, domain, who, rpc);
}

static void on_told(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
	struct mcp *mcp = arg;

	news_told(mcp->news, domain, who, rpc);
}

static void on_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
	struct mcp *mcp = arg;

	bridge_worker_ended(mcp->router, domain, worker);
	tasks_worker_ended(mcp->router, domain, worker);
}

const struct domain_hooks mcp_domain_hooks = {
	.answered = on_answered,
	.progress = on_progress,
	.lost = on_lost,
	.changed = on_domain_changed,
	.asked = on_asked,
	.told = on_told,
	.worker_ended = on_worker_ended,
	.offering = on_offering,
};

/* --- messages ---------------------------------------------------------------------------------- */

static enum mcp_verdict refuse(const struct session_info *info, const struct rpc *rpc, int code,
	const char *why, enum mcp_verdict verdict, struct strbuf *reply)
{
	struct jspan id = rpc->id;

	if (!id.at && !revision_omits_null_id(info->revision))
		id = (struct jspan){ .at = "null", .len = 4 };
	rpc_add_error(reply, id, code, why);
	return verdict;
}

/* The code of an error that we wrote ourselves: a short number. */
static int code_in(const struct strbuf *reply)
{
	struct jspan error = { 0 };
	struct jspan code = { 0 };
	char digits[16] = "";

	if (jspan_check(strbuf_get(reply), reply->len, &error, NULL) == 0)
		code = jspan_member(jspan_member(error, "error", NULL), "code", NULL);
	if (code.len < sizeof(digits))
		memcpy(digits, code.len ? code.at : "", code.len);
	return (int)strtol(digits, NULL, 10);
}

static void keep_for_later(
	struct mcp *mcp, struct session *session, const struct mcp_input *input, int64_t since_us)
{
	struct early *early = alloc_zero(sizeof(*early) + input->len);

	early->session = session;
	early->via = input->via;
	early->since_us = since_us;
	early->len = input->len;
	memcpy(early->text, input->text, input->len);
	STAILQ_INSERT_TAIL(&mcp->early, early, next);
	session_get_info(session)->n_early++;
	mcp->early_bytes += early->len;
}

static bool has_id(const struct early *early, struct jspan id)
{
	const char *why;
	struct rpc rpc;

	return rpc_parse(early->text, early->len, &rpc, &why) == 0 && jspan_same(rpc.id, id);
}

/* The request that a cancellation is about may not have begun. */
static void cancel_early(struct mcp *mcp, struct session *session, const struct rpc *rpc)
{
	const struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	struct early *early;
	auto_strbuf error = { 0 };

	if (!id.at || !jspan_is(rpc->method, "notifications/cancelled"))
		return;
	STAILQ_FOREACH(early, &mcp->early, next)
		if (early->session == session && has_id(early, id))
			break;
	if (!early)
		return;
	STAILQ_REMOVE(&mcp->early, early, early, next);
	if (session_answers_each(session)) {
		rpc_add_error(&error, id, RPC_CANCELLED, "the client has cancelled the request");
		session_answer(session, early->via, error.data, error.len, RPC_CANCELLED);
	}
	free_early(mcp, early);
}

static enum mcp_verdict refuse_envelope(
	const struct rpc *rpc, struct envelope_fault *fault, struct strbuf *reply)
{
	envelope_fault_answer(fault, rpc->id, reply);
	envelope_fault_done(fault);
	return MCP_INVALID;
}

static enum mcp_verdict refuse_method(
	const struct origin *origin, const struct rpc *rpc, struct strbuf *reply)
{
	auto_strbuf name = { 0 };
	auto_strbuf why = { 0 };

	if (!origin->is_modern) { /* an answer like any other */
		answer_quoting(origin, RPC_METHOD_NOT_FOUND, "Method not found", rpc->method);
		return MCP_ACCEPTED;
	}
	(void)jspan_get_str(rpc->method, &name);
	strbuf_addf(&why, "Method not found: %.*s", LIMIT_QUOTED_CHARS, strbuf_get(&name));
	rpc_add_error(reply, rpc->id, RPC_METHOD_NOT_FOUND, strbuf_get(&why));
	return MCP_UNKNOWN;
}

/* The data says to a bridge that the request was not taken: it may be asked again of the next daemon. */
static enum mcp_verdict refuse_stopping(const struct rpc *rpc, struct strbuf *reply)
{
	rpc_add_error_data(
		reply, rpc->id, RPC_UNAVAILABLE, "the fleet is stopping", RPC_DATA_STOPPING);
	return MCP_BUSY;
}

/* Why a request cannot be taken now or at all; MCP_ACCEPTED: it can. */
static enum mcp_verdict check_request(struct mcp *mcp, struct session *session,
	const struct rpc *rpc, size_t len, struct strbuf *reply)
{
	const struct session_info *info = session_get_info(session);

	if (mcp->refuses)
		return refuse_stopping(rpc, reply);
	if (session_is_slow(session))
		return refuse(info, rpc, RPC_OVERLOADED,
			"this session does not read its answers; read them, then ask again",
			MCP_BUSY, reply);
	if (router_has(session, rpc->id) || news_has_listen(session, rpc->id))
		return refuse(info, rpc, RPC_INVALID_REQUEST,
			"a request with this id is still in flight in this session", MCP_INVALID,
			reply);
	if (!mcp->settled && info->n_early >= mcp->conf->limits.calls_per_session)
		stats_limit_reached(STATS_LIMIT_CALLS_PER_SESSION);
	if (!mcp->settled && (info->n_early >= mcp->conf->limits.calls_per_session ||
				     len > MAX_EARLY_BYTES - mcp->early_bytes))
		return refuse(info, rpc, RPC_OVERLOADED, "the fleet is starting; try again later",
			MCP_BUSY, reply);
	return MCP_ACCEPTED;
}

static bool has_foreign(const struct mcp *mcp, const struct session *session)
{
	const char *name = endpoint_get_domain(session_get_endpoint(session));

	for (size_t i = 0; i < mcp->conf->n_domains; i++)
		if (!mcp->conf->domains[i].native &&
			(!name || streq(mcp->conf->domains[i].name, name)))
			return true;
	return false;
}

static void fill_origin(struct session *session, const struct mcp_input *input,
	const struct rpc *rpc, const struct envelope *envelope, struct origin *ret)
{
	const struct session_info *info = session_get_info(session);
	bool may_be_modern = session_is_stdio(session) || session_is_once(session);

	*ret = (struct origin){
		.session = session,
		.via = input->via,
		.id = rpc->id,
		.is_modern = may_be_modern && envelope->is_modern,
		.level = info->level,
		.client = info->client,
		.token = envelope->token,
		.envelope = envelope,
		.headers = input->headers,
	};
	if (!ret->is_modern)
		return;
	ret->level = LEVEL_NONE;
	(void)level_read(envelope->log_level, &ret->level);
	ret->client = client_read_capabilities(envelope->capabilities);
}

/* A notification has no answer that could be timed. */
static void fill_timing(struct session *session, const struct rpc *rpc, unsigned method,
	int64_t since_us, struct stats_timing *ret)
{
	if (rpc->kind == RPC_REQUEST)
		*ret = (struct stats_timing){
			.series = stats_find_series(session_get_door(session), method, NULL),
			.since_us = since_us,
		};
}

static enum mcp_verdict run_message(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, const struct rpc *rpc, int64_t since_us,
	struct strbuf *reply)
{
	struct envelope envelope;
	struct envelope_fault fault;
	struct origin origin;
	const struct method_context context = { .router = mcp->router,
		.news = mcp->news,
		.conf = mcp->conf,
		.origin = &origin,
		.scopes = input->scopes,
		.reply = reply,
		.has_foreign = has_foreign(mcp, session) };

	envelope_read(rpc, input->headers, &envelope);
	fill_origin(session, input, rpc, &envelope, &origin);
	fill_timing(session, rpc, method_find_number(rpc->method), since_us, &origin.timing);
	if (origin.is_modern && rpc->kind == RPC_REQUEST &&
		envelope_check(rpc, &envelope, input->headers, &fault) != 0)
		return refuse_envelope(rpc, &fault, reply);
	switch (method_run(&context, rpc, mcp->settled)) {
	case METHOD_WAITS:
		keep_for_later(mcp, session, input, since_us);
		break;
	case METHOD_UNKNOWN:
		if (rpc->kind == RPC_REQUEST)
			return refuse_method(&origin, rpc, reply);
		break;
	case METHOD_FORBIDDEN:
		return MCP_FORBIDDEN;
	case METHOD_DONE:
		break;
	}
	return MCP_ACCEPTED;
}

static unsigned method_of(int parsed, const struct rpc *rpc)
{
	if (parsed != 0)
		return method_other_number();
	if (rpc->kind == RPC_RESULT || rpc->kind == RPC_ERROR)
		return method_response_number();
	return method_find_number(rpc->method);
}

static enum mcp_verdict take_message(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, int64_t since_us, struct strbuf *reply)
{
	enum mcp_verdict verdict = MCP_ACCEPTED;
	const char *why = NULL;
	struct rpc rpc;
	int r = rpc_parse(input->text, input->len, &rpc, &why);

	if (since_us == 0)
		stats_received(session_get_door(session), method_of(r, &rpc));
	if (r == RPC_INVALID_PARAMS && rpc.id.at) {
		/* A request all the same: its answer goes where answers go. */
		auto_strbuf error = { 0 };

		rpc_add_error(&error, rpc.id, r, why);
		stats_failed(session_get_door(session), stats_error_of(r));
		session_answer(session, input->via, error.data, error.len, r);
		return MCP_ACCEPTED;
	}
	if (r != 0 && !batch_answers_message(r, &rpc))
		return MCP_ACCEPTED;
	if (r != 0)
		return refuse(session_get_info(session), &rpc, r, why, MCP_INVALID, reply);
	if (rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR) {
		if (!client_roots_responded(mcp->router, session, &rpc))
			bridge_responded(mcp->router, session, &rpc);
		return MCP_ACCEPTED;
	}
	if (rpc.kind == RPC_NOTIFICATION && session_get_info(session)->n_early > 0)
		cancel_early(mcp, session, &rpc);
	if (rpc.kind == RPC_REQUEST)
		verdict = check_request(mcp, session, &rpc, input->len, reply);
	if (verdict != MCP_ACCEPTED)
		return verdict;
	return run_message(mcp, session, input, &rpc, since_us ? since_us : clock_now_us(), reply);
}

static void count_refusal(
	const struct session *session, enum mcp_verdict verdict, const struct strbuf *reply)
{
	if (verdict != MCP_ACCEPTED)
		stats_failed(session_get_door(session), stats_error_of(code_in(reply)));
}

/* `since_us`: when it came, if that was earlier and it was counted then; 0: it comes now. */
static enum mcp_verdict receive_one(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, int64_t since_us, struct strbuf *reply)
{
	enum mcp_verdict verdict = take_message(mcp, session, input, since_us, reply);

	count_refusal(session, verdict, reply);
	return verdict;
}

/* An array of messages, where this session's revision has them: absent otherwise. */
static struct jspan get_batch(struct session *session, const char *text, size_t len)
{
	const struct session_info *info = session_get_info(session);
	struct jspan value;
	size_t blanks = 0;

	while (blanks < len && strchr(" \t\r\n", text[blanks]) && text[blanks] != '\0')
		blanks++;
	if (blanks == len || text[blanks] != '[' || !info->initialized ||
		!revision_takes_batches(info->revision, session_is_stdio(session)) ||
		jspan_check(text, len, &value, NULL) < 0)
		return (struct jspan){ 0 };
	return value;
}

/* Each message of a batch as if it had come alone; the answers go one by one, in any order, as an
 * event stream would have them, and as many as batch_count_answers() says. Its refusals are answers too: the
 * rest of the batch is accepted. */
static enum mcp_verdict receive_batch(struct mcp *mcp, struct session *session, struct jspan batch,
	uint64_t via, struct strbuf *reply)
{
	const struct session_info *info = session_get_info(session);
	const unsigned max = mcp->conf->limits.calls_per_session;
	const size_t n = batch_count(batch);
	struct jspan item;
	size_t cursor = 0;

	if (n > max)
		stats_limit_reached(STATS_LIMIT_CALLS_PER_SESSION);
	if (n == 0 || n > max) {
		auto_free char *why = alloc_printf("a batch of %zu messages: 1 to %u are taken "
						   "(limits.calls_per_session)",
			n, max);
		const struct rpc none = { 0 };

		return refuse(info, &none, RPC_INVALID_REQUEST, why, MCP_INVALID, reply);
	}
	if (batch_has_modern(batch)) {
		const struct rpc none = { 0 };

		return refuse(info, &none, RPC_INVALID_REQUEST,
			"2026-07-28 has no batches: send each request alone", MCP_INVALID, reply);
	}
	while (session_is_open(session) && jspan_next(batch, &cursor, NULL, &item)) {
		auto_strbuf text = { 0 };
		auto_strbuf error = { 0 };

		strbuf_add(&text, item.at, item.len);
		if (batch_is_initialize(item)) {
			rpc_add_error(&error, jspan_member(item, "id", NULL), RPC_INVALID_REQUEST,
				"initialize must not be part of a batch");
			count_refusal(session, MCP_INVALID, &error);
		} else {
			(void)receive_one(mcp, session,
				&(struct mcp_input){
					.text = text.data, .len = text.len, .via = via },
				0, &error);
		}
		if (error.len > 0)
			session_answer(session, via, error.data, error.len, RPC_INVALID_REQUEST);
	}
	return MCP_ACCEPTED;
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	enum mcp_verdict verdict;
	struct jspan batch;

	if (!session_is_open(session))
		return MCP_ACCEPTED; /* it ends with this turn: nothing is begun for it */
	session_touch(session);
	batch = get_batch(session, input->text, input->len);
	if (!batch.at)
		return receive_one(mcp, session, input, 0, reply);
	verdict = receive_batch(mcp, session, batch, input->via, reply);
	count_refusal(session, verdict, reply);
	return verdict;
}

/* --- public ------------------------------------------------------------------------------------ */

struct mcp *mcp_new(
	struct loop *loop, const struct conf *conf, const struct mcp_hooks *hooks, void *arg)
{
	struct mcp *mcp = alloc_zero(sizeof(*mcp));

	mcp->loop = loop;
	mcp->conf = conf;
	mcp->hooks = hooks;
	mcp->arg = arg;
	STAILQ_INIT(&mcp->early);
	mcp->catalog = catalog_new(&conf->tools);
	mcp->router = router_new(loop, &router_hooks, mcp);
	router_set_conf(mcp->router, conf);
	mcp->sessions = sessions_new(loop, &conf->limits, on_session_closed, mcp);
	sessions_watch_rights(mcp->sessions, on_rights_changed);
	mcp->news = news_new(mcp->sessions, mcp->catalog, mcp->router);
	for (size_t i = 0; i < conf->n_domains; i++)
		catalog_set_domain(mcp->catalog, &conf->domains[i], NULL);
	return mcp;
}

void mcp_free(struct mcp *mcp)
{
	if (!mcp)
		return;
	mcp->refuses = true;
	sessions_free(mcp->sessions);
	news_free(mcp->news);
	router_free(mcp->router);
	catalog_free(mcp->catalog);
	free(mcp);
}

void mcp_set_fleet(struct mcp *mcp, struct fleet *fleet)
{
	mcp->fleet = fleet;
	router_set_fleet(mcp->router, fleet, mcp->catalog);
	news_set_fleet(mcp->news, fleet);
}

void mcp_set_conf(struct mcp *mcp, const struct conf *conf)
{
	mcp->conf = conf;
	sessions_set_limits(mcp->sessions, &conf->limits);
	catalog_set_conf(mcp->catalog, &conf->tools);
	router_set_conf(mcp->router, conf);
	for (size_t i = 0; i < conf->n_domains; i++)
		if (!catalog_endpoint(mcp->catalog, conf->domains[i].name))
			catalog_set_domain(mcp->catalog, &conf->domains[i], NULL);
}

void mcp_reopen_audit(struct mcp *mcp)
{
	router_reopen_audit(mcp->router);
}

void mcp_set_tracer(struct mcp *mcp, const struct tracer *tracer)
{
	router_set_tracer(mcp->router, tracer);
}

void mcp_refuse_new(struct mcp *mcp)
{
	mcp->refuses = true;
	run_early(mcp); /* what they wait for will not come: they are told so */
	router_drop_parked(
		mcp->router, "the fleet is stopping"); /* nobody can come back for them */
	news_end(mcp->news);
}

void mcp_fail_pending(struct mcp *mcp, const char *message)
{
	router_fail_all(mcp->router, RPC_UNAVAILABLE, message);
}

unsigned mcp_count_pending(const struct mcp *mcp)
{
	return router_count(mcp->router) + !STAILQ_EMPTY(&mcp->early);
}

unsigned mcp_count_pending_of(const struct mcp *mcp, const struct session *session)
{
	return session_count_calls(session) + session_count_early(session);
}

bool mcp_is_settled(const struct mcp *mcp)
{
	return mcp->settled;
}

struct sessions *mcp_get_sessions(const struct mcp *mcp)
{
	return mcp->sessions;
}

struct catalog *mcp_get_catalog(const struct mcp *mcp)
{
	return mcp->catalog;
}

struct fleet *mcp_get_fleet(const struct mcp *mcp)
{
	return mcp->fleet;
}

struct endpoint *mcp_find_endpoint(const struct mcp *mcp, const char *domain)
{
	if (domain && fleet_find(mcp->fleet, domain) == 0)
		return NULL;
	return catalog_endpoint(mcp->catalog, domain);
}

bool mcp_can_serve(const struct mcp *mcp, const struct endpoint *endpoint)
{
	const char *name = endpoint_get_domain(endpoint);
	const struct domain *domain =
		name ? fleet_get(mcp->fleet, fleet_find(mcp->fleet, name)) : NULL;

	if (!name)
		return true;
	/* One that has failed and was never ready has no tools: a gateway would register none. */
	return domain && (domain_is_new(domain) || domain_state_is_up(domain_get_state(domain)) ||
				 domain_get_state(domain) == DOMAIN_DOWN);
}

struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller)
{
	struct session *session;

	if (mcp->refuses)
		return NULL;
	session = session_open(mcp->sessions, ops, sink, endpoint);
	if (session && caller)
		session_set_caller(session, caller);
	if (session)
		mcp->hooks->changed(mcp->arg);
	return session;
}
