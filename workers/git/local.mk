# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/git/libgit_tools.a
workers_git_libgit_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(GIT2_CFLAGS) $(PCRE2_CFLAGS)
workers_git_libgit_tools_a_SOURCES = \
	workers/git/add.c \
	workers/git/branch.c \
	workers/git/checkout.c workers/git/checkout.h \
	workers/git/commit.c \
	workers/git/feature.c \
	workers/git/guard.c workers/git/guard.h \
	workers/git/init.c \
	workers/git/layout.c workers/git/layout.h \
	workers/git/merge.c \
	workers/git/names.c workers/git/names.h \
	workers/git/newdir.c workers/git/newdir.h \
	workers/git/out.c workers/git/out.h \
	workers/git/policy.c workers/git/policy.h \
	workers/git/rebase.c \
	workers/git/record.c workers/git/record.h \
	workers/git/refusal.c workers/git/refusal.h \
	workers/git/repo.c workers/git/repo.h \
	workers/git/reset.c \
	workers/git/rev.c workers/git/rev.h \
	workers/git/secrets.c workers/git/secrets.h \
	workers/git/sequence.c \
	workers/git/settings.c workers/git/settings.h \
	workers/git/smart_commit.c \
	workers/git/stage.c workers/git/stage.h \
	workers/git/stash.c \
	workers/git/tag.c \
	workers/git/tools.h \
	workers/git/worktree.c \
	workers/git/write.c workers/git/write.h
