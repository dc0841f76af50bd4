# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/filesystem/libfilesystem_tools.a
workers_filesystem_libfilesystem_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
workers_filesystem_libfilesystem_tools_a_SOURCES = \
	workers/filesystem/aliases.c \
	workers/filesystem/settings.c workers/filesystem/settings.h \
	workers/filesystem/tools.h

# Paths and reading.
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/list_roots.c \
	workers/filesystem/paths.c workers/filesystem/paths.h \
	workers/filesystem/text.c workers/filesystem/text.h

# Walking and searching.
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/shortlist.c workers/filesystem/shortlist.h \
	workers/filesystem/walk.c workers/filesystem/walk.h

# Writing.
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/apply_patch.c \
	workers/filesystem/atomic.c workers/filesystem/atomic.h \
	workers/filesystem/content.c workers/filesystem/content.h \
	workers/filesystem/copy.c \
	workers/filesystem/create_directory.c \
	workers/filesystem/delete.c \
	workers/filesystem/edit.c \
	workers/filesystem/move.c \
	workers/filesystem/patch.c workers/filesystem/patch.h \
	workers/filesystem/patch_apply.c \
	workers/filesystem/protect.c workers/filesystem/protect.h \
	workers/filesystem/replace.c workers/filesystem/replace.h \
	workers/filesystem/survey.c workers/filesystem/survey.h \
	workers/filesystem/target.c workers/filesystem/target.h \
	workers/filesystem/write.c

# Linters and formatters.
workers_filesystem_libfilesystem_tools_a_SOURCES +=

pkglibexec_PROGRAMS += worker-filesystem
worker_filesystem_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
worker_filesystem_SOURCES = workers/filesystem/main.c
worker_filesystem_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	shared/libshared.a $(JANSSON_LIBS) $(CRYPTO_LIBS) $(PCRE2_LIBS)
