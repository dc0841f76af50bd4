# mcp-fleet-exec: the last steps before a worker runs. The modules are a library, so that unit tests can
# link them without the program.
noinst_LIBRARIES += workers/exec/libexec.a
workers_exec_libexec_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
workers_exec_libexec_a_SOURCES = \
	workers/exec/files.c workers/exec/files.h \
	workers/exec/limits.c workers/exec/limits.h \
	workers/exec/plan.c workers/exec/plan.h \
	workers/exec/privileges.c workers/exec/privileges.h \
	workers/exec/profile.c workers/exec/profile.h \
	workers/exec/syscalls.c workers/exec/syscalls.h

pkglibexec_PROGRAMS += mcp-fleet-exec
mcp_fleet_exec_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
mcp_fleet_exec_SOURCES = workers/exec/main.c
mcp_fleet_exec_LDADD = workers/exec/libexec.a shared/libshared.a $(JANSSON_LIBS) $(SECCOMP_LIBS)
