sbin_PROGRAMS += mcp-fleetd
mcp_fleetd_SOURCES = supervisor/main.c
mcp_fleetd_LDADD = shared/libshared.a $(JANSSON_LIBS) $(SYSTEMD_LIBS)
