# The command is a library and a main, so that unit tests can link what it is made of. A verb is one file, named
# in verbs.c.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS)
ctl_libctl_a_SOURCES = \
	ctl/add.c \
	ctl/args.c ctl/args.h \
	ctl/ask.c ctl/ask.h \
	ctl/call.c \
	ctl/call_value.c ctl/call_value.h \
	ctl/client.c ctl/client.h \
	ctl/clients.c ctl/clients.h \
	ctl/confd.c ctl/confd.h \
	ctl/confd_verb.c ctl/confd_verb.h \
	ctl/connect.c \
	ctl/connect_file.c ctl/connect_file.h \
	ctl/forms.c ctl/forms.h \
	ctl/help.c \
	ctl/import.c \
	ctl/import_file.c ctl/import_file.h \
	ctl/jsonc.c ctl/jsonc.h \
	ctl/jsonc_edit.c ctl/jsonc_edit.h \
	ctl/latency.c ctl/latency.h \
	ctl/load.c ctl/load.h \
	ctl/logs.c \
	ctl/mcp.c ctl/mcp.h \
	ctl/member.h \
	ctl/nearest.c ctl/nearest.h \
	ctl/number.c ctl/number.h \
	ctl/output.c ctl/output.h \
	ctl/put.c ctl/put.h \
	ctl/remove.c \
	ctl/run.c ctl/run.h \
	ctl/secrets.c ctl/secrets.h \
	ctl/server.c ctl/server.h \
	ctl/settings.c ctl/settings.h \
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
	ctl/wire.c ctl/wire.h \
	ctl/yaml_out.c ctl/yaml_out.h

# What links libctl.a needs.
ctl_libs = ctl/libctl.a shared/libshared.a $(JANSSON_LIBS) $(UNISTRING_LIBS) $(YAML_LIBS) -lm

bin_PROGRAMS += mcp-fleetctl
mcp_fleetctl_SOURCES = ctl/main.c
mcp_fleetctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
mcp_fleetctl_LDADD = $(ctl_libs)
