# The command is a library and a main, so that unit tests can link what it is made of. A verb is one file, named
# in verbs.c.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ctl_libctl_a_SOURCES = \
	ctl/args.c ctl/args.h \
	ctl/client.c ctl/client.h \
	ctl/help.c \
	ctl/nearest.c ctl/nearest.h \
	ctl/output.c ctl/output.h \
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
