/* mcp-fleetctl logs: what the daemon and its processes have said, and say. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/domains.h"
#include "ctl/member.h"
#include "ctl/number.h"
#include "ctl/output.h"
#include "ctl/signals.h"
#include "shared/clock.h"

enum { MAX_LINES = 1000000, FOLLOW_LINES = 10 };

const struct verb verb_logs;

/* --- a line ------------------------------------------------------------------------------------ */

/* RFC 3339 in UTC as the daemon writes it, as local time; what is not that is shown as it is. */
static void add_time(struct strbuf *out, const char *text)
{
	struct tm utc = { 0 };
	struct tm local;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	char shown[32];
	time_t when;

	if (!rest || strlen(rest) < 2 || rest[strlen(rest) - 1] != 'Z') {
		out_clean(out, text);
		return;
	}
	when = timegm(&utc);
	if (!localtime_r(&when, &local) || !strftime(shown, sizeof(shown), "%F %T", &local)) {
		out_clean(out, text);
		return;
	}
	strbuf_adds(out, shown);
	strbuf_add(out, rest, rest[0] == '.' && strspn(rest + 1, "0123456789") == 3 ? 4 : 0);
}

static enum color level_color(const char *level)
{
	if (streq(level, "error"))
		return COLOR_BAD;
	if (streq(level, "warning"))
		return COLOR_WARN;
	if (streq(level, "notice"))
		return COLOR_BOLD;
	return streq(level, "debug") ? COLOR_DIM : COLOR_NONE;
}

static void add_about(struct strbuf *out, const json_t *line, const char *name)
{
	if (!*member_text(line, name))
		return;
	strbuf_addf(out, " %s=", name);
	out_clean(out, member_text(line, name));
}

static void print_line(const struct ctl *ctl, const json_t *line)
{
	const char *level = member_text(line, "level");
	const char *speaker = *member_text(line, "worker") ? member_text(line, "worker")
							   : member_text(line, "domain");
	auto_strbuf head = { 0 };
	auto_strbuf text = { 0 };
	auto_strbuf about = { 0 };
	auto_strbuf whole = { 0 };

	add_time(&head, member_text(line, "time"));
	strbuf_addc(&head, ' ');
	out_add_colored(&whole, ctl, COLOR_DIM, strbuf_get(&head));
	out_clean(&text, level);
	strbuf_addf(&text, "%*s ", text.len < 7 ? (int)(7 - text.len) : 0, "");
	/* Many lines name their domain or process themselves. */
	if (*speaker && !strstr(member_text(line, "text"), speaker)) {
		out_clean(&text, speaker);
		strbuf_adds(&text, ": ");
	}
	out_clean(&text, member_text(line, "text"));
	out_add_colored(&whole, ctl, level_color(level), strbuf_get(&text));
	add_about(&about, line, "tool");
	add_about(&about, line, "session");
	out_add_colored(&whole, ctl, COLOR_DIM, strbuf_get(&about));
	(void)printf("%s\n", strbuf_get(&whole));
}

static void print_dropped(const struct ctl *ctl, int64_t n)
{
	out_line(ctl, COLOR_WARN,
		"-- %lld lines were lost: the daemon wrote faster than they were read",
		(long long)n);
}

static void tell(const struct ctl *ctl, json_t *line)
{
	if (ctl->is_json)
		out_json_line(line);
	else if (json_is_integer(json_object_get(line, "dropped")))
		print_dropped(ctl, member_int(line, "dropped"));
	else
		print_line(ctl, line);
}

/* --- following --------------------------------------------------------------------------------- */

/* All that is there; 0, or -ENOTCONN with words. */
static int take_lines(const struct ctl *ctl, struct client *client, struct fail *fail)
{
	const char *method;
	json_t *params;
	int r;

	while ((r = client_next(client, 0, &method, &params, fail)) == 0) {
		if (streq(method, "log"))
			tell(ctl, params);
		json_decref(params);
	}
	return r == -ETIMEDOUT ? 0 : r;
}

static int follow(const struct ctl *ctl, struct client *client, int signals)
{
	struct fail fail = { 0 };

	while (take_lines(ctl, client, &fail) == 0) {
		if (fflush(stdout) != 0)
			return CTL_FAILED;
		if (signals_next(signals))
			return CTL_DONE;
		if (client_check_alive(client, &fail) < 0)
			break;
		signals_wait(signals, client_get_fd(client), -1, CLOCK_SECOND_MS);
	}
	(void)fflush(stdout);
	return ctl_fail(ctl, &fail);
}

/* --- the verb ---------------------------------------------------------------------------------- */

/* What has said nothing may not even be there: CTL_DONE, or it has been told. */
static int check_domain(const struct ctl *ctl, struct client *client, const char *name)
{
	struct fail fail = { 0 };
	json_auto_t *status = client_call(client, "status", NULL, &fail);

	if (!status)
		return ctl_fail(ctl, &fail);
	if (streq(name, "registrar") ||
		member_find(json_object_get(status, "domains"), "name", name))
		return CTL_DONE;
	return domains_fail_unknown(ctl, status, name);
}

/* NULL: said what is wrong. */
static json_t *make_params(const struct ctl_args *args)
{
	bool is_following = args_has(args, "follow");
	const char *level = args_get(args, "level");
	const char *lines = args_get(args, "lines");
	json_t *params = json_pack("{s:b, s:s*, s:s*}", "follow", is_following, "level", level,
		"domain", args_at(args, 0));
	uint64_t n = FOLLOW_LINES;

	if (!params) {
		(void)ctl_usage(&verb_logs, "the domain's name is not UTF-8");
		return NULL;
	}
	if (lines && !number_read(lines, MAX_LINES, &n)) {
		(void)ctl_usage(
			&verb_logs, "--lines: '%s' is no number from 0 to %d", lines, MAX_LINES);
		json_decref(params);
		return NULL;
	}
	if (lines || is_following)
		(void)json_object_set_new(params, "lines", json_integer((json_int_t)n));
	return params;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(client_freep) struct client *client = NULL;
	auto_close int signals = -1;
	struct fail fail = { 0 };
	json_t *params = make_params(args);
	json_auto_t *result = NULL;
	size_t i;
	json_t *line;

	if (!params)
		return CTL_USAGE;
	/* Before the first line is asked for, or a Ctrl-C between it and the wait would be no clean end. */
	signals = args_has(args, "follow") ? signals_open(false) : -1;
	if (client_open(ctl, &client, &fail) == 0)
		result = client_call(client, "logs", params, &fail);
	else
		json_decref(params);
	if (!result)
		return ctl_fail(ctl, &fail);
	if (json_array_size(json_object_get(result, "lines")) == 0 && args_at(args, 0)) {
		int status = check_domain(ctl, client, args_at(args, 0));

		if (status != CTL_DONE)
			return status;
	}
	json_array_foreach(json_object_get(result, "lines"), i, line)
		tell(ctl, line);
	return args_has(args, "follow") ? follow(ctl, client, signals) : CTL_DONE;
}

static const struct ctl_option options[] = {
	{ "follow", 'f', NULL, CTL_WORD_NONE, NULL, false, "go on with what comes, until Ctrl-C" },
	{ "lines", 'n', "N", CTL_WORD_TEXT, NULL, false,
		"how many of the last lines (default: all that are kept; with --follow 10)" },
	{ "level", 0, "LEVEL", CTL_WORD_CHOICE, "error warning notice info debug", false,
		"only these and graver ones" },
	{ 0 },
};

const struct verb verb_logs = {
	.name = "logs",
	.args = "[DOMAIN]",
	.summary = "show what the daemon and its processes say",
	.help = "The daemon keeps its last lines; journalctl -u mcp-fleet has them all. With --json each line\n"
		"is an object. Exits 3 when the daemon goes away while it is followed.",
	.options = options,
	.word = CTL_WORD_DOMAIN,
	.max_args = 1,
	.run = run,
};
