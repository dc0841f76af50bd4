/* See mcp.h. */
#include "supervisor/mcp/mcp.h"

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "supervisor/mcp/method.h"
#include "supervisor/mcp/router.h"

/* A request that came before the lists of tools were complete. */
struct early {
	STAILQ_ENTRY(early) next;
	struct session *session;
	uint64_t via;
	size_t len;
	char text[];
};

struct mcp {
	struct loop *loop;
	const struct conf *conf;
	const struct mcp_hooks *hooks;
	void *arg;
	struct sessions *sessions;
	struct router *router;
	struct catalog *catalog;
	struct fleet *fleet;
	STAILQ_HEAD(, early) early;
	bool settled;
	bool refuses;
	bool telling; /* a deferred tell_fleet() is under way */
};

/* --- sessions ---------------------------------------------------------------------------------- */

static void forget_early(struct mcp *mcp, const struct session *session)
{
	struct early *early;
	struct early *after;

	for (early = STAILQ_FIRST(&mcp->early); early; early = after) {
		after = STAILQ_NEXT(early, next);
		if (early->session != session)
			continue;
		STAILQ_REMOVE(&mcp->early, early, early, next);
		free(early);
	}
}

static void forget_in(void *arg, struct domain *domain)
{
	const uint64_t *session = arg;

	domain_forget_session(domain, *session);
}

static void on_session_closed(void *arg, struct session *session)
{
	struct mcp *mcp = arg;
	uint64_t number = session_get_number(session);

	forget_early(mcp, session);
	router_forget_session(mcp->router, session);
	fleet_each(mcp->fleet, forget_in, &number);
	mcp->hooks->changed(mcp->arg);
}

static void on_router_idle(void *arg)
{
	struct mcp *mcp = arg;

	mcp->hooks->idle(mcp->arg);
}

/* --- news of the fleet -------------------------------------------------------------------------- */

static void tell_list_changed(void *arg, struct session *session)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
	const struct endpoint *endpoint = arg;

	if (session_get_info(session)->initialized && session_get_endpoint(session) == endpoint)
		session_tell(session, 0, text, sizeof(text) - 1);
}

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

static void run_early(struct mcp *mcp)
{
	struct early *early;
	auto_strbuf reply = { 0 };

	while ((early = STAILQ_FIRST(&mcp->early))) {
		STAILQ_REMOVE_HEAD(&mcp->early, next);
		const struct mcp_input input = {
			.text = early->text, .len = early->len, .via = early->via
		};
		if (mcp_receive(mcp, early->session, &input, &reply) != MCP_ACCEPTED)
			session_answer(
				early->session, early->via, reply.data, reply.len, RPC_UNAVAILABLE);
		strbuf_done(&reply);
		free(early);
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

struct version {
	struct endpoint *endpoint;
	uint64_t version;
};

static struct version version_of(struct endpoint *endpoint)
{
	return (struct version){ endpoint, endpoint ? endpoint_get_version(endpoint) : 0 };
}

static void tell_if_changed(struct mcp *mcp, const struct version *before)
{
	if (before->endpoint && endpoint_get_version(before->endpoint) != before->version)
		sessions_each(mcp->sessions, tell_list_changed, before->endpoint);
}

static void on_offering(void *arg, struct domain *domain, const struct offering *offering)
{
	struct mcp *mcp = arg;
	const char *name = domain_get_name(domain);
	const struct conf_domain *conf = conf_find_domain(mcp->conf, name);
	struct version whole = version_of(catalog_endpoint(mcp->catalog, NULL));
	struct version one = version_of(catalog_endpoint(mcp->catalog, name));

	if (conf)
		catalog_set_domain(mcp->catalog, conf, offering);
	else
		catalog_remove_domain(mcp->catalog, name);
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
	auto_strbuf answer = { 0 };

	rpc_add_error(&answer, rpc->id, RPC_METHOD_NOT_FOUND,
		"the client of this worker is mcp-fleet, which offers no such method");
	domain_reply(domain, who->worker, answer.data, answer.len);
}

static void on_told(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
}

static void on_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
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

static void keep_for_later(struct mcp *mcp, struct session *session, const struct mcp_input *input)
{
	struct early *early = alloc_zero(sizeof(*early) + input->len);

	early->session = session;
	early->via = input->via;
	early->len = input->len;
	memcpy(early->text, input->text, input->len);
	STAILQ_INSERT_TAIL(&mcp->early, early, next);
}

static unsigned count_early(const struct mcp *mcp, const struct session *session)
{
	const struct early *early;
	unsigned n = 0;

	STAILQ_FOREACH(early, &mcp->early, next)
		n += early->session == session;
	return n;
}

static enum mcp_verdict receive_one(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	struct session_info *info = session_get_info(session);
	const struct method_context context = {
		.router = mcp->router, .conf = mcp->conf, .session = session, .via = input->via
	};
	const char *why = NULL;
	struct rpc rpc;
	int r = rpc_parse(input->text, input->len, &rpc, &why);

	if (r == RPC_INVALID_PARAMS && rpc.id.at) {
		/* A request all the same: its answer goes where answers go. */
		auto_strbuf error = { 0 };

		rpc_add_error(&error, rpc.id, r, why);
		session_answer(session, input->via, error.data, error.len, r);
		return MCP_ACCEPTED;
	}
	if (r == RPC_INVALID_PARAMS && rpc.kind == RPC_NOTIFICATION)
		return MCP_ACCEPTED; /* never answered, not even with an error */
	if (r != 0)
		return refuse(info, &rpc, r, why, MCP_INVALID, reply);
	if (rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR)
		return MCP_ACCEPTED; /* we ask clients nothing */
	if (rpc.kind == RPC_REQUEST && mcp->refuses)
		return refuse(
			info, &rpc, RPC_UNAVAILABLE, "the fleet is stopping", MCP_BUSY, reply);
	if (rpc.kind == RPC_REQUEST && session_is_slow(session))
		return refuse(info, &rpc, RPC_OVERLOADED,
			"this session does not read its answers; read them, then ask again",
			MCP_BUSY, reply);
	if (rpc.kind == RPC_REQUEST && router_has(session, rpc.id))
		return refuse(info, &rpc, RPC_INVALID_REQUEST,
			"a request with this id is still in flight in this session", MCP_INVALID,
			reply);
	if (!mcp->settled && count_early(mcp, session) >= mcp->conf->limits.calls_per_session)
		return refuse(info, &rpc, RPC_OVERLOADED, "the fleet is starting; try again later",
			MCP_BUSY, reply);
	if (method_run(&context, &rpc, mcp->settled) == METHOD_WAITS)
		keep_for_later(mcp, session, input);
	return MCP_ACCEPTED;
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

static size_t count_items(struct jspan array)
{
	struct jspan item;
	size_t cursor = 0;
	size_t n = 0;

	while (jspan_next(array, &cursor, NULL, &item))
		n++;
	return n;
}

/* Each message of a batch as if it had come alone; the answers go one by one, in any order, as an
 * event stream would have them. Its refusals are answers too: the rest of the batch is accepted. */
static enum mcp_verdict receive_batch(struct mcp *mcp, struct session *session, struct jspan batch,
	uint64_t via, struct strbuf *reply)
{
	const struct session_info *info = session_get_info(session);
	const unsigned max = mcp->conf->limits.calls_per_session;
	const size_t n = count_items(batch);
	struct jspan item;
	size_t cursor = 0;

	if (n == 0 || n > max) {
		auto_free char *why = alloc_printf("a batch of %zu messages: 1 to %u are taken "
						   "(limits.calls_per_session)",
			n, max);
		const struct rpc none = { 0 };

		return refuse(info, &none, RPC_INVALID_REQUEST, why, MCP_INVALID, reply);
	}
	while (session_is_open(session) && jspan_next(batch, &cursor, NULL, &item)) {
		auto_strbuf text = { 0 };
		auto_strbuf error = { 0 };

		strbuf_add(&text, item.at, item.len);
		if (jspan_is(jspan_member(item, "method", NULL), "initialize"))
			rpc_add_error(&error, jspan_member(item, "id", NULL), RPC_INVALID_REQUEST,
				"initialize must not be part of a batch");
		else
			(void)receive_one(mcp, session,
				&(struct mcp_input){
					.text = text.data, .len = text.len, .via = via },
				&error);
		if (error.len > 0)
			session_answer(session, via, error.data, error.len, RPC_INVALID_REQUEST);
	}
	return MCP_ACCEPTED;
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	struct jspan batch = get_batch(session, input->text, input->len);

	session_touch(session);
	if (batch.at)
		return receive_batch(mcp, session, batch, input->via, reply);
	return receive_one(mcp, session, input, reply);
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
	mcp->router = router_new(loop, on_router_idle, mcp);
	router_set_max_result(mcp->router, conf->tools.max_result_bytes);
	mcp->sessions = sessions_new(loop, &conf->limits, on_session_closed, mcp);
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
	router_free(mcp->router);
	catalog_free(mcp->catalog);
	free(mcp);
}

void mcp_set_fleet(struct mcp *mcp, struct fleet *fleet)
{
	mcp->fleet = fleet;
	router_set_fleet(mcp->router, fleet);
}

void mcp_set_conf(struct mcp *mcp, const struct conf *conf)
{
	mcp->conf = conf;
	sessions_set_limits(mcp->sessions, &conf->limits);
	catalog_set_conf(mcp->catalog, &conf->tools);
	router_set_max_result(mcp->router, conf->tools.max_result_bytes);
	for (size_t i = 0; i < conf->n_domains; i++)
		if (!catalog_endpoint(mcp->catalog, conf->domains[i].name))
			catalog_set_domain(mcp->catalog, &conf->domains[i], NULL);
}

void mcp_refuse_new(struct mcp *mcp)
{
	mcp->refuses = true;
	run_early(mcp); /* what they wait for will not come: they are told so */
}

void mcp_fail_pending(struct mcp *mcp, const char *message)
{
	router_fail_all(mcp->router, RPC_UNAVAILABLE, message);
}

unsigned mcp_count_pending(const struct mcp *mcp)
{
	return router_count(mcp->router) + !STAILQ_EMPTY(&mcp->early);
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

struct session *mcp_open(
	struct mcp *mcp, const struct sink_ops *ops, void *sink, struct endpoint *endpoint)
{
	struct session *session;

	if (mcp->refuses)
		return NULL;
	session = session_open(mcp->sessions, ops, sink, endpoint);
	if (session)
		mcp->hooks->changed(mcp->arg);
	return session;
}
