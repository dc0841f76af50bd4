/* mcp-fleet-courier: HTTP requests for mcp-fleetd; see courier.h.
 *
 * It is started by mcp-fleetd, in a sandbox that lets it connect, and read the few files that the settings name. */
#include "workers/common/aide_main.h"
#include "workers/courier/courier.h"

int main(int argc, char **argv)
{
	static const struct aide_program program = {
		.name = "mcp-fleet-courier",
		.help = "Makes HTTP requests for mcp-fleetd, which starts it. It speaks JSON-RPC on\n"
			"standard input and output: initialize, ping, courier/fetch, courier/post.\n",
		.environment = "Environment: http_proxy, https_proxy, no_proxy, SSL_CERT_FILE.\n",
		.run = courier_run,
	};

	return aide_main(argc, argv, &program);
}
