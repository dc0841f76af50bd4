# The command is a library and a main, so that unit tests can link what it is made of. A verb is one file, named
# in verbs.c.
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) $(CURL_CFLAGS) $(SSL_CFLAGS)
ctl_libctl_a_SOURCES = \
	ctl/access.c ctl/access.h \
	ctl/add.c \
	ctl/args.c ctl/args.h \
	ctl/ask.c ctl/ask.h \
	ctl/bridge.c ctl/bridge.h ctl/bridge_private.h \
	ctl/bridge_again.c \
	ctl/bridge_ask.c \
	ctl/bridge_client.c \
	ctl/bridge_daemon.c \
	ctl/bridge_io.c ctl/bridge_io.h \
	ctl/bridge_item.c \
	ctl/bridge_socket.c ctl/bridge_socket.h \
	ctl/call.c \
	ctl/call_value.c ctl/call_value.h \
	ctl/check.c \
	ctl/client.c ctl/client.h \
	ctl/client_socket.c ctl/client_socket.h \
	ctl/clients.c ctl/clients.h \
	ctl/complete.c ctl/complete.h \
	ctl/complete_verb.c \
	ctl/completion.c \
	ctl/confd.c ctl/confd.h \
	ctl/confd_verb.c ctl/confd_verb.h \
	ctl/connect.c \
	ctl/connect_file.c ctl/connect_file.h \
	ctl/disable.c \
	ctl/doctor.c ctl/doctor.h \
	ctl/doctor_daemon.c \
	ctl/doctor_gateway.c \
	ctl/doctor_host.c \
	ctl/doctor_keys.c \
	ctl/doctor_ports.c \
	ctl/doctor_settings.c \
	ctl/doctor_tls.c \
	ctl/domains.c ctl/domains.h \
	ctl/drill.c \
	ctl/enable.c \
	ctl/finding.c ctl/finding.h \
	ctl/forms.c ctl/forms.h \
	ctl/healing.c ctl/healing.h \
	ctl/help.c \
	ctl/import.c \
	ctl/import_file.c ctl/import_file.h \
	ctl/jsonc.c ctl/jsonc.h \
	ctl/jsonc_edit.c ctl/jsonc_edit.h \
	ctl/key.c ctl/key_private.h \
	ctl/key_list.c \
	ctl/key_options.c \
	ctl/key_store.c ctl/key_store.h \
	ctl/latency.c ctl/latency.h \
	ctl/live.c ctl/live.h \
	ctl/load.c ctl/load.h \
	ctl/logs.c \
	ctl/mcp.c ctl/mcp.h \
	ctl/member.h \
	ctl/nearest.c ctl/nearest.h \
	ctl/notices.c ctl/notices.h \
	ctl/number.c ctl/number.h \
	ctl/output.c ctl/output.h \
	ctl/place.c ctl/place.h \
	ctl/ports.c ctl/ports.h \
	ctl/probe.c ctl/probe.h \
	ctl/program.c ctl/program.h \
	ctl/put.c ctl/put.h \
	ctl/register.c \
	ctl/reload.c \
	ctl/remove.c \
	ctl/report.c ctl/report.h \
	ctl/restart.c \
	ctl/screen.c ctl/screen.h \
	ctl/secrets.c ctl/secrets.h \
	ctl/server.c ctl/server.h \
	ctl/sessions.c \
	ctl/settings.c ctl/settings.h \
	ctl/settle.c ctl/settle.h \
	ctl/signals.c ctl/signals.h \
	ctl/status.c \
	ctl/status_door.c ctl/status_door.h \
	ctl/stdio.c \
	ctl/table.c \
	ctl/tls_probe.c ctl/tls_probe.h \
	ctl/token.c ctl/token.h \
	ctl/tools.c \
	ctl/top.c \
	ctl/top_frame.c ctl/top_frame.h \
	ctl/unregister.c \
	ctl/usage.c ctl/usage.h \
	ctl/verb.h \
	ctl/verbs.c \
	ctl/version.c \
	ctl/wire.c ctl/wire.h \
	ctl/yaml_out.c ctl/yaml_out.h

# What links libctl.a needs.
ctl_libs = ctl/libctl.a shared/libshared.a $(JANSSON_LIBS) $(UNISTRING_LIBS) $(YAML_LIBS) $(CURL_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) -lm

bin_PROGRAMS += mcp-fleetctl
mcp_fleetctl_SOURCES = ctl/main.c
mcp_fleetctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
mcp_fleetctl_LDADD = $(ctl_libs)

# What a shell completes; the program itself knows it.
if !CROSS_COMPILING
bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = ctl/completion/mcp-fleetctl
zshcompletiondir = $(zshcompletions)
nodist_zshcompletion_DATA = ctl/completion/_mcp-fleetctl
CLEANFILES += $(nodist_bashcompletion_DATA) $(nodist_zshcompletion_DATA)
endif

ctl/completion/mcp-fleetctl: mcp-fleetctl
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./mcp-fleetctl completion bash >$@.new && mv $@.new $@

ctl/completion/_mcp-fleetctl: mcp-fleetctl
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./mcp-fleetctl completion zsh >$@.new && mv $@.new $@
