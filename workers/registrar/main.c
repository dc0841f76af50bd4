/* mcp-fleet-registrar: registers the domains of a fleet with a ContextForge gateway and keeps them so.
 *
 * It is started by mcp-fleetd, which tells it on standard input what the fleet is. It alone reads the
 * gateway's token. When it ends, everything at the gateway stays as it is. */
#include "workers/common/aide_main.h"
#include "workers/registrar/registrar.h"

int main(int argc, char **argv)
{
	static const struct aide_program program = {
		.name = "mcp-fleet-registrar",
		.help = "Registers the domains of a fleet with a ContextForge gateway. It is started by\n"
			"mcp-fleetd and speaks JSON-RPC on standard input and output: initialize, ping,\n"
			"registrar/settings, registrar/domain, registrar/register, registrar/unregister,\n"
			"registrar/check, registrar/reconcile, registrar/state.\n",
		.environment =
			"Environment: MCPGATEWAY_BEARER_TOKEN, CREDENTIALS_DIRECTORY (the file\n"
			"gateway.token in it), http_proxy, https_proxy, no_proxy, SSL_CERT_FILE.\n",
		.run = registrar_run,
	};

	return aide_main(argc, argv, &program);
}
