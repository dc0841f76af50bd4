/* mcp-fleetctl stdio: what a desktop client starts as its MCP server. It joins the client to the daemon of
 * this machine (bridge_io.h), or becomes mcp-fleet-remote for a fleet elsewhere. The key for that one is
 * named, never read here: it stands in no argument and in no environment. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "ctl/bridge_io.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jspan.h"
#include "shared/jx.h"
#include "shared/libexec.h"
#include "shared/log.h"

#define SYSTEM_SOCKET "/run/mcp-fleet/mcp.sock"

enum { DEFAULT_WAIT_S = 30, MAX_WAIT_S = 86400 };

extern const struct verb verb_stdio;

static bool is_url(const char *place)
{
	return strncmp(place, "http://", 7) == 0 || strncmp(place, "https://", 8) == 0;
}

/* False: said. */
static bool read_wait(const struct ctl_args *args, int64_t *ret_ms)
{
	const char *text = args_get(args, "wait");
	uint64_t seconds = DEFAULT_WAIT_S;

	if (text && (!jspan_get_u64((struct jspan){ text, strlen(text) }, &seconds) ||
			    seconds == 0 || seconds > MAX_WAIT_S)) {
		(void)ctl_usage(&verb_stdio, "--wait: '%s' is no number of seconds from 1 to %d",
			text, MAX_WAIT_S);
		return false;
	}
	*ret_ms = (int64_t)seconds * CLOCK_SECOND_MS;
	return true;
}

/* --- a fleet elsewhere -------------------------------------------------------------------------- */

/* False: it is no UTF-8, so that JSON cannot hold it. */
static bool set_text(json_t *json, const char *key, const char *text)
{
	return !text || json_object_set_new(json, key, json_string(text)) == 0;
}

/* NULL: said. */
static char *remote_settings(const char *url, const struct ctl_args *args, int64_t wait_ms)
{
	json_auto_t *json = json_object();
	auto_strbuf text = { 0 };

	if (!set_text(json, "url", url) ||
		!set_text(json, "key_file", args_get(args, "key-file")) ||
		!set_text(json, "ca_file", args_get(args, "ca-file")) ||
		!set_text(json, "transport", args_get(args, "transport"))) {
		(void)ctl_usage(&verb_stdio, "URL and paths have to be UTF-8");
		return NULL;
	}
	(void)json_object_set_new(json, "wait_ms", json_integer(wait_ms));
	jx_dump(&text, json);
	return strbuf_take(&text);
}

/* Returns only when it cannot be run. */
static int become_remote(const char *url, const struct ctl_args *args, int64_t wait_ms)
{
	static char name[] = "mcp-fleet-remote";
	char *const argv[] = { name, NULL };
	auto_free char *settings = remote_settings(url, args, wait_ms);
	auto_free char *folder = libexec_find();
	auto_free char *program = alloc_printf("%s/mcp-fleet-remote", folder);

	if (!settings)
		return CTL_USAGE;
	if (setenv("MCP_FLEET_REMOTE", settings, 1) == 0)
		(void)execv(program, argv);
	out_note("cannot run '%s': %s", program, strerror(errno));
	return CTL_FAILED;
}

/* --- the daemon of this machine ----------------------------------------------------------------- */

/* Where it listens when nobody says where: the service, or a daemon that the user has started. */
static char *own_socket(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	return runtime && *runtime == '/' ? alloc_printf("%s/mcp-fleet/mcp.sock", runtime) : NULL;
}

static int join(const char *path, int64_t wait_ms)
{
	const char *from_env = getenv("MCP_FLEET_SOCKET");
	struct bridge_io_settings settings = { .wait_ms = wait_ms };
	auto_free char *own = own_socket();
	struct fail fail = { 0 };

	if (!path && from_env && *from_env)
		path = from_env;
	settings.paths[0] = path ? path : SYSTEM_SOCKET;
	settings.paths[1] = path ? NULL : own;
	log_init("mcp-fleetctl", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	if (bridge_io_run(&settings, &fail) == 0)
		return CTL_DONE;
	out_note("%s", fail.text);
	return CTL_FAILED;
}

static const char *find_remote_option(const struct ctl_args *args)
{
	static const char *const names[] = { "key-file", "ca-file", "transport" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (args_has(args, names[i]))
			return names[i];
	return NULL;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	const char *place = args_at(args, 0);
	const char *path = args_get(args, "mcp-socket");
	const char *option = find_remote_option(args);
	int64_t wait_ms;

	if (!read_wait(args, &wait_ms))
		return CTL_USAGE;
	if (place && path)
		return ctl_usage(
			&verb_stdio, "both '%s' and --mcp-socket say where the fleet is", place);
	if (place && is_url(place))
		return become_remote(place, args, wait_ms);
	if (option)
		return ctl_usage(&verb_stdio, "--%s is for a URL", option);
	if (place && !strchr(place, '/'))
		return ctl_usage(&verb_stdio,
			"'%s' is neither a path nor a URL. The local socket serves the whole "
			"fleet: leave the argument out, or give the path of a socket, or a URL as "
			"http://HOST:PORT/%s/mcp for one domain",
			place, place);
	return join(place ? place : path, wait_ms);
}

static const struct ctl_option options[] = {
	{ "mcp-socket", 0, "PATH", CTL_WORD_FILE, NULL, false,
		"the fleet's local socket (default: MCP_FLEET_SOCKET, else the usual places)" },
	{ "key-file", 0, "FILE", CTL_WORD_FILE, NULL, false,
		"with a URL: a file with the key that the fleet wants, readable by you alone" },
	{ "ca-file", 0, "FILE", CTL_WORD_FILE, NULL, false,
		"with a URL: certificates that are trusted instead of the system's" },
	{ "transport", 0, "NAME", CTL_WORD_CHOICE, "auto streamable sse", false,
		"with a URL: what is spoken there (default: auto)" },
	{ "wait", 0, "SECONDS", CTL_WORD_TEXT, NULL, false,
		"how long requests wait for a fleet that is not there (default: 30)" },
	{ 0 },
};

const struct verb verb_stdio = {
	.name = "stdio",
	.args = "[PATH|URL]",
	.summary = "be the MCP server that a desktop client starts: a bridge to the fleet",
	.help = "It speaks MCP on standard input and output, and reaches the daemon by its local "
		"socket: PATH, or MCP_FLEET_SOCKET, or " SYSTEM_SOCKET ", or "
		"$XDG_RUNTIME_DIR/mcp-fleet/mcp.sock. A fleet elsewhere is reached by its URL, as "
		"https://fleet.example.org/mcp for all of it, or https://fleet.example.org/git/mcp for "
		"one domain.\n\n"
		"A daemon that restarts is connected to and initialised again; log level and "
		"subscriptions are set again, and the client hears that the lists may have changed. "
		"What was asked and cannot be lost by asking twice is asked again; a call of a tool "
		"that was under way is answered with the error -31001, as it may have taken effect. "
		"Requests wait for a daemon that is not there, then they are answered with -31004.\n\n"
		"It connects only to a socket of root, of you, or of the owner of the folder in which "
		"the socket is. It ends with 0 when the client ends its input and has its answers, and "
		"with 1 when the daemon that came back does not speak the revision that was "
		"negotiated.",
	.options = options,
	.word = CTL_WORD_FILE,
	.max_args = 1,
	.run = run,
};
