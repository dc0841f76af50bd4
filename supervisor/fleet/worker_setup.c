/* What workers are started with, and the start of one's process. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "supervisor/fleet/fairq.h"
#include "supervisor/fleet/worker_private.h"

void request_free(struct request *request)
{
	if (!request)
		return;
	fairq_forget(request);
	free(request->line);
	free(request->envelope);
	free(request);
}

struct worker_setup *worker_setup_ref(struct worker_setup *setup)
{
	setup->n_refs++;
	return setup;
}

static void free_strings(char **strings)
{
	for (char **at = strings; at && *at; at++)
		free(*at);
	free(strings);
}

void worker_setup_unref(struct worker_setup *setup)
{
	if (!setup || --setup->n_refs > 0)
		return;
	free(setup->domain);
	free_strings(setup->argv);
	free_strings(setup->env);
	free(setup->wrapper);
	free(setup->plan);
	free(setup);
}

/* A command without a slash is looked up in PATH, as a shell would. NULL: not found. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	auto_free char *copy = alloc_str(path ? path : "/usr/local/bin:/usr/bin:/bin");
	char *save = NULL;

	if (strchr(name, '/'))
		return alloc_str(name);
	for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		auto_free char *full = alloc_printf("%s/%s", dir, name);

		if (access(full, X_OK) == 0)
			return TAKE(full);
	}
	return NULL;
}

int worker_start_process(struct worker *w, process_ended_fn *fn, int *ret_fd, int *ret_err_fd)
{
	auto_free char *program = find_program(w->setup->argv[0]);
	auto_free const char **argv = NULL;
	size_t n = 0;

	if (!program)
		return -ENOENT;
	while (w->setup->argv[n])
		n++;
	argv = alloc_zero((n + 1) * sizeof(*argv));
	for (size_t i = 0; i < n; i++)
		argv[i] = i == 0 ? program : w->setup->argv[i];
	const struct process_spec spec = {
		.argv = argv,
		.env = (const char *const *)w->setup->env,
		.wrapper = w->setup->wrapper,
		.plan = w->setup->plan,
		.name = w->setup->domain,
		.limits = w->setup->limits,
	};

	return process_start(w->launcher, &spec, fn, w, &w->process, ret_fd, ret_err_fd);
}
