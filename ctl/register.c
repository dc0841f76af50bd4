/* mcp-fleetctl register: the gateway gets every domain of the fleet as a peer; --check tells only what is not
 * as it should be. */
#include <errno.h>
#include <limits.h>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "ctl/token.h"
#include "shared/alloc.h"
#include "shared/utf8.h"

extern const struct verb verb_register;

static const struct ctl_option options[] = {
	{ "gateway", 'g', "URL", CTL_WORD_TEXT, NULL, false,
		"the gateway (default: MCP_GATEWAY_URL, else gateway.url of the settings)" },
	{ "token-file", 0, "FILE", CTL_WORD_FILE, NULL, false,
		"a file with its token that the daemon can read (default: MCPGATEWAY_BEARER_TOKEN)" },
	{ "domain", 'd', "DOMAIN", CTL_WORD_DOMAIN, NULL, true, "only this domain (default: all)" },
	{ "server", 's', "NAME", CTL_WORD_TEXT, NULL, false,
		"bundle them in a virtual server of this name" },
	{ "check", 0, NULL, CTL_WORD_NONE, NULL, false,
		"change nothing: tell what is not as it should be" },
	{ 0 },
};

static const char *get_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* What is no text would be left out of the message, and so mean something else. */
static bool is_text(const char *text)
{
	return !text || utf8_valid(text, strlen(text));
}

/* The token of our environment becomes a file in the daemon's state folder. */
static int hand_over_token(
	struct client *client, const char *token, json_t *params, struct fail *fail)
{
	json_auto_t *status = client_call(client, "status", NULL, fail);
	const char *folder = json_string_value(json_object_get(status, "state_dir"));
	auto_free char *path = NULL;

	if (!status)
		return fail->code;
	if (!folder)
		return fail_set(fail, -ENOENT,
			"the daemon has no state folder (state_dir) into which MCPGATEWAY_BEARER_TOKEN "
			"could be put; write the token to a file that the daemon can read, and give "
			"--token-file FILE");
	path = token_write(folder, client_get_uid(client), token, fail);
	if (!path)
		return fail->code;
	(void)json_object_set_new(params, "token_file", json_string(path));
	return 0;
}

/* A path that the daemon can open, whose working directory is another. */
static int set_token_file(json_t *params, const char *file, struct fail *fail)
{
	auto_free char *path = realpath(file, NULL);

	if (!path)
		return fail_set(fail, -errno, "--token-file: '%s': %m", file);
	if (!is_text(path))
		return fail_set(fail, -EINVAL, "--token-file: the path is not UTF-8");
	(void)json_object_set_new(params, "token_file", json_string(path));
	return 0;
}

/* False: what the variable holds is neither. */
static bool set_verify(json_t *params)
{
	const char *verify = get_env("GATEWAY_VERIFY_SSL");

	if (!verify)
		return true;
	if (!streq(verify, "true") && !streq(verify, "false"))
		return false;
	if (streq(verify, "false"))
		out_note("warning: GATEWAY_VERIFY_SSL=false: the gateway's certificate is not "
			 "checked, whoever answers at its address gets the token");
	(void)json_object_set_new(params, "verify", json_boolean(streq(verify, "true")));
	return true;
}

static int make_params(const struct ctl *ctl, const struct ctl_args *args, const char *const *names,
	json_t *params)
{
	const char *gateway = args_get(args, "gateway");
	const char *server = args_get(args, "server");

	if (!gateway)
		gateway = get_env("MCP_GATEWAY_URL");
	if (!is_text(gateway) || !is_text(server) || !report_add_names(params, names))
		return ctl_usage(&verb_register, "a name or URL is not UTF-8");
	if (gateway)
		(void)json_object_set_new(params, "gateway", json_string(gateway));
	if (server)
		(void)json_object_set_new(params, "server", json_string(server));
	if (args_get(args, "timeout"))
		(void)json_object_set_new(params, "timeout_ms", json_integer(ctl->timeout_ms));
	if (!set_verify(params))
		return ctl_usage(&verb_register,
			"GATEWAY_VERIFY_SSL is '%s': it must be true or false, exactly",
			getenv("GATEWAY_VERIFY_SSL"));
	return CTL_DONE;
}

static int set_token(
	struct client *client, const struct ctl_args *args, json_t *params, struct fail *fail)
{
	const char *file = args_get(args, "token-file");
	const char *token = get_env("MCPGATEWAY_BEARER_TOKEN");

	if (file)
		return set_token_file(params, file, fail);
	return token ? hand_over_token(client, token, params, fail) : 0;
}

/* An order is kept in the state folder; without one it ends with the daemon. */
static const char *how_long(const struct client *client, bool is_ordered)
{
	if (client_get_state_dir(client) || !is_ordered)
		return "from now on";
	return "until mcp-fleetd ends: it has no folder for state (state_dir), so set gateway.url too";
}

static int tell(const struct ctl *ctl, json_t *report, const char *const *names, const char *kept)
{
	struct report_count count = report_count(report, names, "registered");
	/* What is said of the domains is of the last time that the gateway was heard. */
	bool is_known = report_is_connected(report);
	enum ctl_exit status = is_known ? report_judge(&count) : CTL_FAILED;

	if (ctl->is_json) {
		out_json(json_incref(report));
		return (int)status;
	}
	report_print(ctl, report, names);
	if (!is_known && count.n_good > 0)
		out_line(ctl, COLOR_BAD,
			"%zu of %zu were registered when the gateway was last heard", count.n_good,
			count.n);
	else if (status == CTL_DONE)
		out_line(ctl, COLOR_GOOD, "all is registered, and kept so %s", kept);
	else
		out_line(ctl, COLOR_BAD, "%zu of %zu registered", count.n_good, count.n);
	return (int)status;
}

static int do_register(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_free const char **names = report_take_names(args);
	struct report_progress progress = { .names = names, .live = live_begin(ctl) };
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *params = json_object();
	json_auto_t *report = NULL;
	struct fail fail = { 0 };

	if (make_params(ctl, args, names, params) != CTL_DONE)
		return CTL_USAGE;
	if (client_open(ctl, &client, &fail) < 0 || set_token(client, args, params, &fail) < 0)
		return ctl_fail(ctl, &fail);
	live_draw(&progress.live, "asking the gateway …\n");
	/* The daemon itself ends it in time, and reports. */
	report = client_call_long(client, "gateway/register", json_incref(params), -1,
		report_on_notice, &progress, &fail);
	live_end(&progress.live);
	if (!report)
		return ctl_fail(ctl, &fail);
	return tell(
		ctl, report, names, how_long(client, json_object_get(params, "gateway") != NULL));
}

static int check_drift(const struct ctl *ctl)
{
	struct live live = live_begin(ctl);
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *report = NULL;
	struct fail fail = { 0 };
	bool has_drift;
	bool is_connected;

	if (client_open(ctl, &client, &fail) < 0)
		return ctl_fail(ctl, &fail);
	live_draw(&live, "asking the gateway …\n");
	report = client_call_long(client, "gateway/check", NULL, ctl->limit_ms, NULL, NULL, &fail);
	live_end(&live);
	if (!report)
		return ctl_fail(ctl, &fail);
	has_drift = json_array_size(json_object_get(report, "drift")) > 0;
	is_connected = report_is_connected(report);
	if (ctl->is_json) {
		out_json(TAKE(report));
	} else {
		report_print(ctl, report, NULL);
		report_print_drift(ctl, report);
	}
	if (!is_connected)
		return CTL_FAILED;
	return has_drift ? CTL_PARTLY : CTL_DONE;
}

static int run_register(const struct ctl *ctl, const struct ctl_args *args)
{
	static const char *const others[] = { "gateway", "token-file", "domain", "server" };

	if (!args_has(args, "check"))
		return do_register(ctl, args);
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		if (args_has(args, others[i]))
			return ctl_usage(&verb_register,
				"--check looks at what is registered now; --%s does not go with it",
				others[i]);
	return check_drift(ctl);
}

const struct verb verb_register = {
	.name = "register",
	.args = "",
	.summary = "register the domains with the ContextForge gateway",
	.help = "Waits until the gateway shows all tools of each domain, and has the daemon keep it so from\n"
		"then on. It can be run again at any time: what is right is not touched. --timeout is also how\n"
		"long all of it may take.\n"
		"\n"
		"The token is never in a message: the one of MCPGATEWAY_BEARER_TOKEN is written to the file\n"
		"gateway.token of the daemon's state folder, for the daemon's user alone. GATEWAY_VERIFY_SSL=false\n"
		"turns the check of the gateway's certificate off.\n"
		"\n"
		"Exit status: 0 all is there, 4 some of it, 1 none, or the gateway cannot be reached;\n"
		"with --check 0 no drift, 4 drift, 1 the gateway cannot be reached, or refuses us.",
	.options = options,
	.run = run_register,
};
