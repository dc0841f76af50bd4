# mcp-fleet-registrar: the fleet at a ContextForge gateway. The modules are a library, so that unit tests can
# link them without the program.
noinst_LIBRARIES += workers/registrar/libregistrar.a
workers_registrar_libregistrar_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS)
workers_registrar_libregistrar_a_SOURCES = \
	workers/registrar/answer.c workers/registrar/answer.h \
	workers/registrar/domains.c workers/registrar/domains.h \
	workers/registrar/gateway.c workers/registrar/gateway.h \
	workers/registrar/http.c workers/registrar/http.h \
	workers/registrar/instance.c \
	workers/registrar/keep.c workers/registrar/keep.h \
	workers/registrar/orders.c \
	workers/registrar/pace.c workers/registrar/pace.h \
	workers/registrar/peer.c \
	workers/registrar/peer_settle.c \
	workers/registrar/plan.c workers/registrar/plan.h \
	workers/registrar/precheck.c workers/registrar/precheck.h \
	workers/registrar/reconcile.c \
	workers/registrar/record.c workers/registrar/record.h \
	workers/registrar/registrar.c workers/registrar/registrar.h \
	workers/registrar/report.c \
	workers/registrar/secret.c workers/registrar/secret.h \
	workers/registrar/server.c \
	workers/registrar/settings.c workers/registrar/settings.h \
	workers/registrar/slug.c workers/registrar/slug.h \
	workers/registrar/target.c \
	workers/registrar/token.c workers/registrar/token.h \
	workers/registrar/toolset.c workers/registrar/toolset.h

registrar_libs = workers/registrar/libregistrar.a workers/common/libhttp.a workers/common/libworker.a shared/libshared.a $(JANSSON_LIBS) \
	$(CURL_LIBS) $(CRYPTO_LIBS) -lm

pkglibexec_PROGRAMS += mcp-fleet-registrar
mcp_fleet_registrar_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
mcp_fleet_registrar_SOURCES = workers/registrar/main.c
mcp_fleet_registrar_LDADD = $(registrar_libs)
