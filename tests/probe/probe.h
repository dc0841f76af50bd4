/* A worker for tests: tools that echo, wait, fail and crash in every way a handler can. */
#pragma once

#include "workers/common/worker.h"

extern const struct worker_desc probe_worker;

struct probe_settings {
	const char *greeting;
	struct str_list names;
};
