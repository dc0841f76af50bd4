/* See batch.h. */
#include "supervisor/mcp/batch.h"

#include "supervisor/mcp/envelope.h"

size_t batch_count(struct jspan batch)
{
	struct jspan item;
	size_t cursor = 0;
	size_t n = 0;

	while (jspan_next(batch, &cursor, NULL, &item))
		n++;
	return n;
}

bool batch_has_modern(struct jspan batch)
{
	struct jspan item;
	size_t cursor = 0;

	while (jspan_next(batch, &cursor, NULL, &item)) {
		const struct rpc rpc = { .params = jspan_member(item, "params", NULL) };
		struct envelope envelope;

		envelope_read(&rpc, NULL, &envelope);
		if (envelope.is_modern)
			return true;
	}
	return false;
}

bool batch_is_initialize(struct jspan item)
{
	return jspan_is(jspan_member(item, "method", NULL), "initialize");
}

bool batch_answers_message(int r, const struct rpc *rpc)
{
	if (r == 0)
		return rpc->kind == RPC_REQUEST;
	return r != RPC_INVALID_PARAMS || rpc->id.at || rpc->kind != RPC_NOTIFICATION;
}

unsigned batch_count_answers(const char *text, size_t len)
{
	struct jspan batch = { 0 };
	struct jspan item;
	size_t cursor = 0;
	unsigned n = 0;

	if (jspan_check(text, len, &batch, NULL) < 0)
		return 0;
	while (jspan_next(batch, &cursor, NULL, &item)) {
		const char *why;
		struct rpc rpc;
		int r = rpc_parse(item.at, item.len, &rpc, &why);

		n += batch_is_initialize(item) || batch_answers_message(r, &rpc);
	}
	return n;
}
