# mcp-fleet-remote: the worker of a domain with a url. The modules are a library, so that unit tests can link
# them without the program.
noinst_LIBRARIES += workers/remote/libremote.a
workers_remote_libremote_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
workers_remote_libremote_a_SOURCES = \
	workers/remote/client.c \
	workers/remote/listen.c \
	workers/remote/mirrors.c workers/remote/mirrors.h \
	workers/remote/patience.c \
	workers/remote/post.c \
	workers/remote/remote.c workers/remote/remote.h \
	workers/remote/request.c \
	workers/remote/session.c \
	workers/remote/settings.c workers/remote/settings.h

pkglibexec_PROGRAMS += mcp-fleet-remote
mcp_fleet_remote_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
mcp_fleet_remote_SOURCES = workers/remote/main.c
mcp_fleet_remote_LDADD = workers/remote/libremote.a workers/common/libhttp.a shared/libshared.a $(JANSSON_LIBS) $(CURL_LIBS)
