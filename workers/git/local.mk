# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/git/libgit_tools.a
workers_git_libgit_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(GIT2_CFLAGS) $(PCRE2_CFLAGS)
workers_git_libgit_tools_a_SOURCES = \
	workers/git/layout.c workers/git/layout.h \
	workers/git/out.c workers/git/out.h \
	workers/git/refusal.c workers/git/refusal.h \
	workers/git/repo.c workers/git/repo.h \
	workers/git/rev.c workers/git/rev.h \
	workers/git/settings.c workers/git/settings.h \
	workers/git/tools.h
