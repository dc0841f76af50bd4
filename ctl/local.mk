# The command is a library and a main, so that unit tests can link what it is made of. A verb is one file, named
# in verbs.c.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ctl_libctl_a_SOURCES = \
	ctl/args.c ctl/args.h \
	ctl/call.c \
	ctl/call_value.c ctl/call_value.h \
	ctl/client.c ctl/client.h \
	ctl/complete.c ctl/complete.h \
	ctl/complete_verb.c \
	ctl/completion.c \
	ctl/help.c \
	ctl/latency.c ctl/latency.h \
	ctl/load.c ctl/load.h \
	ctl/logs.c \
	ctl/mcp.c ctl/mcp.h \
	ctl/member.h \
	ctl/nearest.c ctl/nearest.h \
	ctl/number.c ctl/number.h \
	ctl/output.c ctl/output.h \
	ctl/screen.c ctl/screen.h \
	ctl/sessions.c \
	ctl/signals.c ctl/signals.h \
	ctl/status.c \
	ctl/table.c \
	ctl/tools.c \
	ctl/top.c \
	ctl/top_frame.c ctl/top_frame.h \
	ctl/usage.c ctl/usage.h \
	ctl/verb.h \
	ctl/verbs.c \
	ctl/version.c \
	ctl/wire.c ctl/wire.h

# What links libctl.a needs.
ctl_libs = ctl/libctl.a shared/libshared.a $(JANSSON_LIBS) $(UNISTRING_LIBS) -lm

bin_PROGRAMS += mcp-fleetctl
mcp_fleetctl_SOURCES = ctl/main.c
mcp_fleetctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
mcp_fleetctl_LDADD = $(ctl_libs)
