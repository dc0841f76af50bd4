/* mcp-fleetctl version: which release this is, and which one the daemon is. */
#include "config.h"

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"

static json_t *describe(const struct client *client)
{
	if (!client)
		return json_null();
	return json_pack("{s:s, s:i, s:s, s:b}", "version", client_get_version(client), "pid",
		(int)client_get_daemon(client), "socket", client_get_path(client), "may_change",
		client_may_change(client));
}

static void print(const struct ctl *ctl, const struct client *client)
{
	auto_strbuf version = { 0 };
	auto_strbuf path = { 0 };

	out_line(ctl, COLOR_NONE, "mcp-fleetctl %s", PACKAGE_VERSION);
	if (!client)
		return;
	out_clean(&version, client_get_version(client));
	out_clean(&path, client_get_path(client));
	out_line(ctl, COLOR_NONE, "mcp-fleetd %s, process %d at %s", strbuf_get(&version),
		(int)client_get_daemon(client), strbuf_get(&path));
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };
	int r = client_open(ctl, &client, &fail);

	if (ctl->is_json)
		out_json(json_pack("{s:s, s:i, s:o}", "version", PACKAGE_VERSION, "protocol",
			CLIENT_PROTOCOL, "daemon", describe(client)));
	else
		print(ctl, client);
	if (r == 0)
		return CTL_DONE;
	out_note("%s", fail.text);
	return CTL_UNREACHABLE;
}

const struct verb verb_version = {
	.name = "version",
	.args = "",
	.summary = "print the versions of mcp-fleetctl and of the daemon",
	.help = "Without a daemon it prints its own and exits 3; --version prints its own and asks nobody.",
	.run = run,
};
