# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/git/libgit_tools.a
workers_git_libgit_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(GIT2_CFLAGS) $(PCRE2_CFLAGS)
workers_git_libgit_tools_a_SOURCES = \
	workers/git/add.c \
	workers/git/annotate.c workers/git/annotate.h \
	workers/git/blame.c \
	workers/git/branch.c \
	workers/git/branch_ref.c workers/git/branch_ref.h \
	workers/git/checkout.c workers/git/checkout.h \
	workers/git/clone.c \
	workers/git/commit.c \
	workers/git/confine.c workers/git/confine.h \
	workers/git/diff.c \
	workers/git/exchange.c workers/git/exchange.h \
	workers/git/feature.c \
	workers/git/fetch.c workers/git/fetch.h \
	workers/git/glob.c workers/git/glob.h \
	workers/git/grep.c \
	workers/git/guard.c workers/git/guard.h \
	workers/git/init.c \
	workers/git/layout.c workers/git/layout.h \
	workers/git/lists.c \
	workers/git/log.c \
	workers/git/match.c workers/git/match.h \
	workers/git/merge.c workers/git/merge.h \
	workers/git/names.c workers/git/names.h \
	workers/git/newdir.c workers/git/newdir.h \
	workers/git/oidset.c workers/git/oidset.h \
	workers/git/out.c workers/git/out.h \
	workers/git/patch.c workers/git/patch.h \
	workers/git/policy.c workers/git/policy.h \
	workers/git/pull.c \
	workers/git/push.c \
	workers/git/rebase.c \
	workers/git/record.c workers/git/record.h \
	workers/git/reflog.c \
	workers/git/refs.c \
	workers/git/refusal.c workers/git/refusal.h \
	workers/git/remotes.c workers/git/remotes.h \
	workers/git/repo.c workers/git/repo.h \
	workers/git/repos.c \
	workers/git/reset.c \
	workers/git/rev.c workers/git/rev.h \
	workers/git/secrets.c workers/git/secrets.h \
	workers/git/sequence.c \
	workers/git/settings.c workers/git/settings.h \
	workers/git/show.c \
	workers/git/similar.c workers/git/similar.h \
	workers/git/smart_commit.c \
	workers/git/special.c workers/git/special.h \
	workers/git/stage.c workers/git/stage.h \
	workers/git/stash.c \
	workers/git/stash_save.c workers/git/stash_save.h \
	workers/git/stat_table.c workers/git/stat_table.h \
	workers/git/status.c \
	workers/git/stop.c workers/git/stop.h \
	workers/git/stream.c workers/git/stream.h \
	workers/git/tag.c \
	workers/git/take.c workers/git/take.h \
	workers/git/tools.h \
	workers/git/transport.c workers/git/transport.h \
	workers/git/unshare.c workers/git/unshare.h \
	workers/git/upstream.c workers/git/upstream.h \
	workers/git/walk.c workers/git/walk.h \
	workers/git/when.c workers/git/when.h \
	workers/git/worktree.c \
	workers/git/write.c workers/git/write.h

pkglibexec_PROGRAMS += worker-git
worker_git_CPPFLAGS = $(workers_git_libgit_tools_a_CPPFLAGS)
worker_git_SOURCES = workers/git/main.c
worker_git_LDADD = workers/git/libgit_tools.a workers/common/libworker.a shared/libshared.a \
	$(JANSSON_LIBS) $(GIT2_LIBS) $(PCRE2_LIBS)
