# The command is a library and a main, so that unit tests can link what it is made of. A verb is one file, named
# in verbs.c.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ctl_libctl_a_SOURCES = \
	ctl/args.c ctl/args.h \
	ctl/bridge.c ctl/bridge.h ctl/bridge_private.h \
	ctl/bridge_again.c \
	ctl/bridge_ask.c \
	ctl/bridge_client.c \
	ctl/bridge_daemon.c \
	ctl/bridge_io.c ctl/bridge_io.h \
	ctl/bridge_item.c \
	ctl/bridge_socket.c ctl/bridge_socket.h \
	ctl/client.c ctl/client.h \
	ctl/help.c \
	ctl/nearest.c ctl/nearest.h \
	ctl/output.c ctl/output.h \
	ctl/stdio.c \
	ctl/table.c \
	ctl/verb.h \
	ctl/verbs.c \
	ctl/version.c \
	ctl/wire.c ctl/wire.h

# What links libctl.a needs.
ctl_libs = ctl/libctl.a shared/libshared.a $(JANSSON_LIBS) $(UNISTRING_LIBS)

bin_PROGRAMS += mcp-fleetctl
mcp_fleetctl_SOURCES = ctl/main.c
mcp_fleetctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
mcp_fleetctl_LDADD = $(ctl_libs)
