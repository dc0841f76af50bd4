/* net_dns_lookup: records of a name. NXDOMAIN and the other codes of a server are answers. */
#include <arpa/inet.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/network/answer.h"
#include "workers/network/dns_message.h"
#include "workers/network/policy.h"
#include "workers/network/resolve.h"
#include "workers/network/reverse.h"
#include "workers/network/tools.h"

struct net_dns_lookup_args {
	const char *name;
	const char *type;
	double timeout_seconds;
};

static const struct param net_dns_lookup_params[] = {
	PARAM(net_dns_lookup_args, name, .required = true, RANGE(1, 255),
		.doc = "Host name, or an IP address for PTR."),
	PARAM(net_dns_lookup_args, type, .choices = dns_type_names, .def_str = "A",
		.doc = "Record type."),
	PARAM(net_dns_lookup_args, timeout_seconds, RANGE_NUM(0.1, 30), .def_num = 5,
		.doc = "Whole lookup."),
	{ 0 },
};

enum {
	CLASS_IN = 1,
	SERVER_SIZE = INET6_ADDRSTRLEN + sizeof("[]:65535"),
	NAME_SIZE = 256,
};

struct query {
	ares_channel channel;
	bool done;
	int status;   /* of c-ares */
	bool is_read; /* there is a message */
	bool is_malformed;
	struct dns_message message;
	char server[SERVER_SIZE]; /* the last that was asked */
};

static void query_done(struct query *query)
{
	/* First: it calls back what is still under way. */
	if (query->channel)
		ares_destroy(query->channel);
	dns_message_done(&query->message);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct query *query = arg;

	query->done = true;
	query->status = status;
	if (!bytes || len <= 0)
		return;
	query->is_read = true;
	query->is_malformed = dns_message_parse(bytes, (size_t)len, &query->message) < 0;
}

/* c-ares does not say which server has answered. It asks one after the other, and tells of each socket. */
static int on_socket(ares_socket_t fd, int type, void *arg)
{
	struct query *query = arg;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	const struct sockaddr *address = (const struct sockaddr *)&peer;
	char text[INET6_ADDRSTRLEN];
	in_port_t port;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return ARES_SUCCESS;
	memcpy(&port, (const char *)&peer + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	policy_address_text(address, text);
	(void)snprintf(query->server, sizeof(query->server),
		address->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, (unsigned)ntohs(port));
	return ARES_SUCCESS;
}

/* Whether a name may be asked for, which may stand for an address. Whoever keeps us from an address does
 * not want us to ask what it is called, either: so its neighbours would be found one after the other. */
static int check_name(const char *name, struct failure *fail)
{
	struct sockaddr_storage address;
	char text[INET6_ADDRSTRLEN];

	if (!reverse_parse(name, &address))
		return policy_check_name(name, 0, fail);

	policy_address_text((const struct sockaddr *)&address, text);
	return policy_check_address((const struct sockaddr *)&address, text, 0, fail);
}

/* An alias must lead nowhere that could not be asked for at once. */
static int check_answers(const struct dns_message *message, struct failure *fail)
{
	for (size_t i = 0; i < message->n_records; i++) {
		if (check_name(message->records[i].name, fail) < 0)
			return -EINVAL;
	}

	return 0;
}

/* The name that is asked for. */
static int find_name(const struct net_dns_lookup_args *a, char ret[NAME_SIZE], struct failure *fail)
{
	struct sockaddr_storage address;
	char quoted[QUOTE_SIZE];

	if (host_get_address(a->name, 0, &address)) {
		if (!streq(a->type, "PTR"))
			return failure_set(fail, "invalid_argument",
				"%s is an address, and has no %s records. Ask for type PTR.",
				quote(quoted, a->name), a->type);
		reverse_write(&address, ret);
		return check_name(ret, fail);
	}
	if (host_normalize(a->name, ret, fail) < 0) {
		if (streq(fail->code, "address_refused"))
			fail->code = "invalid_argument"; /* an odd number, not an address */
		return -EINVAL;
	}

	return check_name(ret, fail);
}

static int ask(struct call *call, const struct net_dns_lookup_args *a, const char *name,
	struct query *query, struct failure *fail)
{
	int64_t deadline_ms = clock_now_ms() + (int64_t)(a->timeout_seconds * 1000);
	/* SERVFAIL and its like are answers, too. */
	int r = resolve_channel(ARES_FLAG_NOCHECKRESP, &query->channel, fail);

	if (r < 0)
		return r;

	ares_set_socket_callback(query->channel, on_socket, query);
	ares_query(query->channel, name, CLASS_IN, dns_type_find(a->type), on_answer, query);
	r = resolve_wait(call, query->channel, &query->done, deadline_ms);
	if (r == -ECANCELED)
		return r;
	if (r < 0 || query->status == ARES_ETIMEOUT)
		return failure_set(fail, "timeout",
			"no name server has answered for %s. Try again, or with a longer "
			"timeout_seconds.",
			name);
	if (query->is_malformed)
		return failure_set(fail, "dns_failed",
			"%s: the answer of %s is malformed. Try another type, or later.", name,
			query->server);

	return check_answers(&query->message, fail);
}

/* What a server said, where c-ares keeps the message for itself. */
static const char *find_rcode(const struct query *query)
{
	static const struct {
		int status;
		const char *rcode;
	} known[] = {
		{ ARES_ENODATA, "NOERROR" },
		{ ARES_EFORMERR, "FORMERR" },
		{ ARES_ESERVFAIL, "SERVFAIL" },
		{ ARES_ENOTFOUND, "NXDOMAIN" },
		{ ARES_ENOTIMP, "NOTIMP" },
		{ ARES_EREFUSED, "REFUSED" },
	};

	if (query->is_read)
		return dns_rcode_name(query->message.rcode);
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (known[i].status == query->status)
			return known[i].rcode;

	return NULL;
}

/* A control character in data would forge a line; data with one, and all TXT, stands in quotes. */
static void add_line(struct strbuf *text, const struct dns_record *record)
{
	strbuf_addf(text, "%s %u %s ", record->name, record->ttl, record->type);
	if (streq(record->type, "TXT"))
		strbuf_add_json(text, record->data, strlen(record->data));
	else
		strbuf_adds(text, record->data);
	strbuf_addc(text, '\n');
}

static void write_text(struct strbuf *text, const char *rcode, const struct dns_message *message)
{
	for (size_t i = 0; i < message->n_records; i++)
		add_line(text, &message->records[i]);
	if (message->is_cut)
		strbuf_addf(
			text, "… cut after %d records: the answer has more.\n", DNS_MAX_RECORDS);
	else if (message->n_records == 0)
		strbuf_adds(text, streq(rcode, "NOERROR") ? "No records" : rcode);
}

static json_t *list_answers(const struct dns_message *message)
{
	json_t *answers = json_array();

	for (size_t i = 0; i < message->n_records; i++) {
		const struct dns_record *record = &message->records[i];

		json_array_append_new(
			answers, json_pack("{s:s, s:s, s:I, s:s}", "name", record->name, "type",
					 record->type, "ttl", (json_int_t)record->ttl, "data",
					 record->data));
	}

	return answers;
}

static int net_dns_lookup(struct call *call, const void *args)
{
	const struct net_dns_lookup_args *a = args;
	int64_t started_ms = clock_now_ms();
	auto_(query_done) struct query query = { 0 };
	struct failure fail = { 0 };
	auto_strbuf text = { 0 };
	char name[NAME_SIZE];
	const char *rcode;
	int r = find_name(a, name, &fail);

	if (r == 0)
		r = ask(call, a, name, &query, &fail);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "no name server has answered yet");
	if (r < 0)
		return answer_refusal(call, &fail);

	rcode = find_rcode(&query);
	if (!rcode)
		return call_fail(call, "dns_failed", "%s: %s. Try again later.", name,
			query.is_read ? "the name server has refused with an unknown code"
				      : ares_strerror(query.status));

	write_text(&text, rcode, &query.message);
	return call_result(call,
		json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:b}", "name", a->name, "type", a->type,
			"rcode", rcode, "answers", list_answers(&query.message), "server",
			query.server, "elapsed_ms", (json_int_t)(clock_now_ms() - started_ms),
			"truncated", query.message.is_cut),
		strbuf_get(&text), text.len);
}

const struct tool network_dns_lookup_tools[] = {
	TOOL(net_dns_lookup, "Look up DNS records",
		.doc = "Look up DNS records with the configured resolvers.",
		.out = "name string, type string, rcode string, "
		       "answers {name string, type string, ttl integer, data string}[], "
		       "server string, elapsed_ms integer, truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD, .timeout_s = 35),
	{ 0 },
};
