/* Questions of the daemon's to the client (sampling, elicitation, roots, ping); see bridge_private.h.
 *
 * A daemon numbers its questions from 1, and so does the next one: an answer that the client gives late
 * must not become that to another question. */
#include <errno.h>

#include "ctl/bridge_private.h"
#include "shared/alloc.h"

static struct jspan shown_id(const struct question *question)
{
	return id_span(question->shown.text ? &question->shown : &question->id);
}

static void free_question(struct bridge *bridge, struct question *question)
{
	TAILQ_REMOVE(&bridge->questions, question, next);
	bridge->n_questions--;
	free(question->id.text);
	free(question->shown.text);
	free(question);
}

static struct question *find_shown(struct bridge *bridge, struct jspan id)
{
	struct question *question;

	TAILQ_FOREACH(question, &bridge->questions, next)
		if (id.at && jspan_same(shown_id(question), id))
			return question;
	return NULL;
}

static struct question *find_asked(struct bridge *bridge, struct jspan id)
{
	struct question *question;

	TAILQ_FOREACH(question, &bridge->questions, next)
		if (id.at && question->connection == bridge->connection && id_is(&question->id, id))
			return question;
	return NULL;
}

/* Those to which no answer is awaited any more make room. */
static bool make_room(struct bridge *bridge)
{
	struct question *question;

	if (bridge->n_questions < BRIDGE_MAX_QUESTIONS)
		return true;
	TAILQ_FOREACH(question, &bridge->questions, next)
		if (question->connection != bridge->connection) {
			free_question(bridge, question);
			return true;
		}
	return false;
}

static int refuse(struct bridge *bridge, struct jspan id)
{
	if (bridge->own.len > BRIDGE_MAX_QUEUE) {
		bridge_set_cause(bridge, "it asks too much, and does not read the answers");
		return -EPROTO;
	}
	rpc_add_error(
		&bridge->own, id, RPC_OVERLOADED, "the client has too many questions to answer");
	strbuf_addc(&bridge->own, '\n');
	return 0;
}

int ask_client(struct bridge *bridge, const char *line, size_t len, const struct rpc *rpc)
{
	struct question *question;
	auto_strbuf out = { 0 };

	if (!make_room(bridge))
		return refuse(bridge, rpc->id);
	question = alloc_zero(sizeof(*question));
	question->id = id_copy(rpc->id);
	question->connection = bridge->connection;
	if (find_shown(bridge, rpc->id)) {
		question->shown.text = again_make_id(bridge);
		question->shown.len = strlen(question->shown.text);
	}
	TAILQ_INSERT_TAIL(&bridge->questions, question, next);
	bridge->n_questions++;
	bridge_add_with_id(&out, line, len, rpc->id, shown_id(question));
	bridge_say(bridge, &out);
	return 0;
}

bool ask_answer(struct bridge *bridge, struct strbuf *out, const char *line, size_t len,
	const struct rpc *rpc)
{
	struct question *question = find_shown(bridge, rpc->id);
	bool is_awaited =
		question && question->connection == bridge->connection && bridge->link != LINK_DOWN;

	if (is_awaited)
		bridge_add_with_id(out, line, len, rpc->id, id_span(&question->id));
	if (question)
		free_question(bridge, question);
	return is_awaited;
}

void ask_cancel(struct bridge *bridge, struct strbuf *out, const char *line, size_t len,
	const struct rpc *rpc)
{
	struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	struct question *question = find_asked(bridge, id);

	if (question)
		bridge_add_with_id(out, line, len, id, shown_id(question));
	else
		strbuf_add(out, line, len);
	/* The client may answer all the same: until then its id stays taken. */
	if (question)
		question->connection = bridge->connection - 1;
}

void ask_settle_lost(struct bridge *bridge)
{
	struct question *question;

	TAILQ_FOREACH(question, &bridge->questions, next) {
		auto_strbuf line = { 0 };
		struct jspan id = shown_id(question);

		if (question->connection != bridge->connection)
			continue;
		strbuf_adds(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
				   "\"params\":{\"requestId\":");
		strbuf_add(&line, id.at, id.len);
		strbuf_adds(&line, ",\"reason\":\"the connection to mcp-fleetd was lost\"}}");
		bridge_say(bridge, &line);
	}
}

void ask_done(struct bridge *bridge)
{
	struct question *question;

	while ((question = TAILQ_FIRST(&bridge->questions)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses TAILQ_REMOVE */
		free_question(bridge, question);
}
