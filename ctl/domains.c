/* See domains.h. */
#include "ctl/domains.h"

#include <errno.h>

#include "ctl/live.h"
#include "ctl/member.h"
#include "ctl/nearest.h"
#include "ctl/output.h"
#include "shared/utf8.h"

struct progress {
	const struct ctl *ctl;
	const struct domains_job *job;
	json_t *results; /* of --json */
	size_t n_done, n_failed;
	bool is_lost; /* the daemon is gone */
};

static void note_result(struct progress *p, const char *name, json_t *answer, const char *error)
{
	auto_strbuf shown = { 0 };
	json_t *result;

	utf8_repair(&shown, name, strlen(name));
	result = json_pack("{s:s, s:b}", "domain", strbuf_get(&shown), "ok", error == NULL);
	if (error)
		(void)json_object_set_new(result, "error", json_string(error));
	else
		(void)json_object_update_missing(result, answer);
	(void)json_array_append_new(p->results, result);
}

static void print_done(struct progress *p, const char *name, json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "text"));
	bool persists = json_is_true(json_object_get(answer, "persists"));
	auto_strbuf line = { 0 };

	out_clean(&line, name);
	strbuf_addf(&line, ": %s", p->job->done);
	if (p->job->tells_persists && persists)
		strbuf_adds(&line, "; it stays so when the daemon restarts");
	else if (p->job->tells_persists)
		strbuf_adds(&line, "; only until the daemon restarts");
	if (text && *text && !persists) {
		strbuf_adds(&line, " (");
		out_clean(&line, text);
		strbuf_addc(&line, ')');
	}
	out_line(p->ctl, COLOR_GOOD, "%s", strbuf_get(&line));
}

static void print_failed(struct progress *p, const char *name, const char *error)
{
	auto_strbuf line = { 0 };

	out_clean(&line, name);
	strbuf_addf(&line, ": not %s: ", p->job->done);
	out_clean(&line, error);
	out_note("%s", strbuf_get(&line));
}

static void do_one(struct progress *p, struct client *client, const char *name)
{
	struct live live = live_begin(p->ctl);
	struct fail fail = { 0 };
	auto_strbuf line = { 0 };
	json_auto_t *answer = NULL;

	strbuf_addf(&line, "%s ", p->job->doing);
	out_clean(&line, name);
	strbuf_adds(&line, " …\n");
	live_draw(&live, strbuf_get(&line));
	if (p->is_lost)
		(void)fail_set(&fail, -ENOTCONN, "the daemon is gone");
	else if (!utf8_valid(name, strlen(name)))
		(void)fail_set(&fail, -EINVAL, "no domain has such a name");
	else
		answer = client_call_long(client, p->job->method,
			json_pack("{s:s}", "domain", name), p->ctl->limit_ms, NULL, NULL, &fail);
	live_end(&live);
	p->n_done += answer != NULL;
	p->n_failed += answer == NULL;
	p->is_lost |= !answer && fail.code == -ENOTCONN;
	note_result(p, name, answer, answer ? NULL : fail.text);
	if (p->ctl->is_json)
		return;
	if (answer)
		print_done(p, name, answer);
	else
		print_failed(p, name, fail.text);
}

static bool was_before(char *const *names, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (streq(names[k], names[i]))
			return true;
	return false;
}

int domains_do(const struct ctl *ctl, struct client *client, const struct domains_job *job,
	char *const *names, size_t n)
{
	json_auto_t *results = json_array();
	struct progress p = { .ctl = ctl, .job = job, .results = results };

	for (size_t i = 0; i < n; i++)
		if (!was_before(names, i))
			do_one(&p, client, names[i]);
	if (ctl->is_json)
		out_json(json_pack("{s:O}", "domains", results));
	if (p.n_failed == 0)
		return CTL_DONE;
	if (p.n_done > 0)
		return CTL_PARTLY;
	return p.is_lost ? CTL_UNREACHABLE : CTL_FAILED;
}

int domains_run(const struct ctl *ctl, const struct ctl_args *args, const struct domains_job *job)
{
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	return domains_do(ctl, client, job, args_rest(args), args_count(args));
}

int domains_fail_unknown(const struct ctl *ctl, const json_t *status, const char *name)
{
	struct nearest nearest = nearest_begin(name, strlen(name));
	struct fail fail = { 0 };
	size_t i;
	json_t *domain;

	json_array_foreach(json_object_get(status, "domains"), i, domain)
		nearest_offer(&nearest, member_text(domain, "name"));
	(void)fail_set(&fail, -ENOENT, "there is no domain '%s'%s%s%s", name,
		nearest.best ? "; did you mean '" : ": 'mcp-fleetctl status' lists them",
		nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
	return ctl_fail(ctl, &fail);
}
