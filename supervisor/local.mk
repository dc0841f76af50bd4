noinst_LIBRARIES += supervisor/libsupervisor.a
supervisor_libsupervisor_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
supervisor_libsupervisor_a_SOURCES = \
	supervisor/front/http1.c supervisor/front/http1.h

sbin_PROGRAMS += mcp-fleetd
mcp_fleetd_SOURCES = supervisor/main.c
mcp_fleetd_LDADD = supervisor/libsupervisor.a shared/libshared.a $(JANSSON_LIBS) $(SYSTEMD_LIBS)
