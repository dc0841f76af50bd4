/* What mcp-fleet-exec writes to the supervisor when it cannot become the worker: this struct, once, as it
 * lies in memory; both are of one build. */
#pragma once

enum { EXEC_REPORT_TEXT = 500 };

struct exec_report {
	int err; /* an errno value */
	char text[EXEC_REPORT_TEXT];
};
