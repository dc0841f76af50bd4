noinst_LIBRARIES += supervisor/libsupervisor.a
supervisor_libsupervisor_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) \
	$(SYSTEMD_CFLAGS)
supervisor_libsupervisor_a_SOURCES = \
	supervisor/conf.c supervisor/conf.h \
	supervisor/conf_decode.c supervisor/conf_decode.h \
	supervisor/conf_diff.c \
	supervisor/conf_domain.c supervisor/conf_domain.h \
	supervisor/conf_files.c supervisor/conf_files.h \
	supervisor/conf_table.c \
	supervisor/conf_type.c supervisor/conf_type.h \
	supervisor/conf_value.c supervisor/conf_value.h \
	supervisor/conf_yaml.c supervisor/conf_yaml.h \
	supervisor/front/http1.c supervisor/front/http1.h \
	supervisor/ops/notify.c supervisor/ops/notify.h

sbin_PROGRAMS += mcp-fleetd
mcp_fleetd_SOURCES = supervisor/main.c
mcp_fleetd_LDADD = supervisor/libsupervisor.a shared/libshared.a $(EVENT_LIBS) $(JANSSON_LIBS) \
	$(YAML_LIBS) $(SYSTEMD_LIBS)
