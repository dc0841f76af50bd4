# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/filesystem/libfilesystem_tools.a
workers_filesystem_libfilesystem_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
workers_filesystem_libfilesystem_tools_a_SOURCES = \
	workers/filesystem/aliases.c \
	workers/filesystem/settings.c workers/filesystem/settings.h \
	workers/filesystem/tools.h

# Paths and reading.
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/attributes.c workers/filesystem/attributes.h \
	workers/filesystem/blocks.c workers/filesystem/blocks.h \
	workers/filesystem/client_roots.c workers/filesystem/client_roots.h \
	workers/filesystem/get_info.c \
	workers/filesystem/kind.c workers/filesystem/kind.h \
	workers/filesystem/list_roots.c \
	workers/filesystem/part.c workers/filesystem/part.h \
	workers/filesystem/paths.c workers/filesystem/paths.h \
	workers/filesystem/read.c \
	workers/filesystem/read_many.c \
	workers/filesystem/read_media.c \
	workers/filesystem/text.c workers/filesystem/text.h

# Walking and searching.
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/choice.c workers/filesystem/choice.h \
	workers/filesystem/disk_usage.c \
	workers/filesystem/excerpt.c workers/filesystem/excerpt.h \
	workers/filesystem/find_file.c \
	workers/filesystem/glob.c workers/filesystem/glob.h \
	workers/filesystem/hits.c workers/filesystem/hits.h \
	workers/filesystem/ignore.c workers/filesystem/ignore.h \
	workers/filesystem/list_directory.c \
	workers/filesystem/list_files.c \
	workers/filesystem/needle.c workers/filesystem/needle.h \
	workers/filesystem/patterns.c workers/filesystem/patterns.h \
	workers/filesystem/room.c workers/filesystem/room.h \
	workers/filesystem/search.c \
	workers/filesystem/shortlist.c workers/filesystem/shortlist.h \
	workers/filesystem/start.c workers/filesystem/start.h \
	workers/filesystem/tree.c \
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
workers_filesystem_libfilesystem_tools_a_SOURCES += \
	workers/filesystem/code_check.c \
	workers/filesystem/code_format.c \
	workers/filesystem/code_lint.c \
	workers/filesystem/code_program.c workers/filesystem/code_program.h \
	workers/filesystem/code_source.c workers/filesystem/code_source.h \
	workers/filesystem/code_work.c workers/filesystem/code_work.h

pkglibexec_PROGRAMS += worker-filesystem
worker_filesystem_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
worker_filesystem_SOURCES = workers/filesystem/main.c
worker_filesystem_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	shared/libshared.a $(JANSSON_LIBS) $(CRYPTO_LIBS) $(PCRE2_LIBS)
