/* Where the programs lie that the others start: workers, and what stands beside them. */
#pragma once

/* MCP_FLEET_LIBEXEC, else beside the running program when it is in a build tree, else where they are
 * installed. Yours to free; never NULL. */
char *libexec_find(void);
