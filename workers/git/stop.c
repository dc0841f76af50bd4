#include "workers/git/stop.h"

#include <git2/sys/odb_backend.h>

#include "shared/alloc.h"
#include "workers/common/call.h"

enum { BEFORE_ALL_OTHERS = 1000 };

struct stopper {
	git_odb_backend backend; /* first: libgit2 knows this part */
	struct call *call;
};

static int on_read(
	void **bytes, size_t *len, git_object_t *type, git_odb_backend *backend, const git_oid *id)
{
	struct stopper *stopper = (struct stopper *)backend;

	return call_stopped(stopper->call) ? GIT_EUSER : GIT_ENOTFOUND;
}

static int on_foreach(git_odb_backend *backend, git_odb_foreach_cb each, void *arg)
{
	return 0;
}

static void on_free(git_odb_backend *backend)
{
	free(backend);
}

/* Not having it is no failure. */
static void add_stopper(const struct repo *repo, struct call *call)
{
	auto_git(git_odb) odb = NULL;
	struct stopper *stopper = alloc_zero(sizeof(*stopper));

	stopper->call = call;
	if (git_odb_init_backend(&stopper->backend, GIT_ODB_BACKEND_VERSION) == 0 &&
		git_repository_odb(&odb, repo->git) == 0) {
		stopper->backend.read = on_read;
		stopper->backend.foreach = on_foreach;
		stopper->backend.free = on_free;
		if (git_odb_add_backend(odb, &stopper->backend, BEFORE_ALL_OTHERS) == 0)
			return; /* it is the database's now */
	}
	git_error_clear();
	free(stopper);
}

int repo_open_to_read(struct call *call, const char *path, struct repo *ret, struct refusal *why)
{
	int r = repo_open(call_settings(call), path, ret, why);

	if (r == 0)
		add_stopper(ret, call);

	return r;
}
