noinst_LIBRARIES += supervisor/libsupervisor.a
supervisor_libsupervisor_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) \
	$(CRYPTO_CFLAGS) $(SYSTEMD_CFLAGS)
supervisor_libsupervisor_a_SOURCES = \
	supervisor/client_addr.c supervisor/client_addr.h \
	supervisor/conf.c supervisor/conf.h \
	supervisor/conf_auth.c \
	supervisor/conf_decode.c supervisor/conf_decode.h \
	supervisor/conf_diff.c \
	supervisor/conf_domain.c supervisor/conf_domain.h \
	supervisor/conf_dump.c supervisor/conf_dump.h \
	supervisor/conf_env.c supervisor/conf_env.h \
	supervisor/conf_files.c supervisor/conf_files.h \
	supervisor/conf_grants.c supervisor/conf_grants.h \
	supervisor/conf_listen.c supervisor/conf_loader.h \
	supervisor/conf_override.c supervisor/conf_override.h \
	supervisor/conf_table.c \
	supervisor/conf_type.c supervisor/conf_type.h \
	supervisor/conf_value.c supervisor/conf_value.h \
	supervisor/conf_yaml.c supervisor/conf_yaml.h \
	supervisor/expiry.c supervisor/expiry.h \
	supervisor/fleet/backoff.c supervisor/fleet/backoff.h \
	supervisor/fleet/cgroup.c supervisor/fleet/cgroup.h \
	supervisor/fleet/confine.c supervisor/fleet/confine.h \
	supervisor/fleet/domain.c supervisor/fleet/domain.h supervisor/fleet/domain_private.h \
	supervisor/fleet/domain_drill.c \
	supervisor/fleet/domain_news.c \
	supervisor/fleet/domain_pool.c \
	supervisor/fleet/domain_restart.c \
	supervisor/fleet/domain_session.c \
	supervisor/fleet/domain_setup.c \
	supervisor/fleet/domain_sleep.c \
	supervisor/fleet/domain_stats.c \
	supervisor/fleet/domain_wants.c \
	supervisor/fleet/errlog.c supervisor/fleet/errlog.h \
	supervisor/fleet/fairq.c supervisor/fleet/fairq.h \
	supervisor/fleet/fleet.c supervisor/fleet/fleet.h \
	supervisor/fleet/launch.c supervisor/fleet/launch.h \
	supervisor/fleet/link.c supervisor/fleet/link.h \
	supervisor/fleet/offering.c supervisor/fleet/offering.h \
	supervisor/fleet/store.c supervisor/fleet/store.h \
	supervisor/fleet/wants.c supervisor/fleet/wants.h \
	supervisor/fleet/worker.c supervisor/fleet/worker.h \
	supervisor/fleet/worker_asks.c \
	supervisor/fleet/worker_end.c \
	supervisor/fleet/worker_handshake.c \
	supervisor/fleet/worker_lists.c \
	supervisor/fleet/worker_private.h \
	supervisor/fleet/worker_rpc.c \
	supervisor/fleet/worker_setup.c \
	supervisor/fleet/worker_strays.c \
	supervisor/fleet/worker_wants.c \
	supervisor/front/cors.c supervisor/front/cors.h \
	supervisor/front/credential.c supervisor/front/credential.h \
	supervisor/front/door_limits.c supervisor/front/door_limits.h \
	supervisor/front/event_store.c supervisor/front/event_store.h \
	supervisor/front/forwarded.c supervisor/front/forwarded.h \
	supervisor/front/guard.c supervisor/front/guard.h \
	supervisor/front/heartbeat.c supervisor/front/heartbeat.h \
	supervisor/front/hosts.c supervisor/front/hosts.h \
	supervisor/front/http1.c supervisor/front/http1.h \
	supervisor/front/http1_body.c \
	supervisor/front/http_accept.c supervisor/front/http_accept.h \
	supervisor/front/http_conn.c supervisor/front/http_conn.h \
	supervisor/front/http_conn_judge.c \
	supervisor/front/http_conn_private.h \
	supervisor/front/http_conn_read.c \
	supervisor/front/http_conn_write.c \
	supervisor/front/http_io.c supervisor/front/http_io.h \
	supervisor/front/http_kept.c supervisor/front/http_kept.h \
	supervisor/front/http_reply.c supervisor/front/http_reply.h \
	supervisor/front/httpd.c supervisor/front/httpd.h \
	supervisor/front/jose.c supervisor/front/jose.h \
	supervisor/front/jwks.c supervisor/front/jwks.h \
	supervisor/front/key_set.c supervisor/front/key_set.h \
	supervisor/front/keys.c supervisor/front/keys.h \
	supervisor/front/key_source.c supervisor/front/key_source.h \
	supervisor/front/local.c supervisor/front/local.h \
	supervisor/front/local_socket.c supervisor/front/local_socket.h \
	supervisor/front/owner.c supervisor/front/owner.h \
	supervisor/front/peer.c supervisor/front/peer.h \
	supervisor/front/peer_private.h \
	supervisor/front/peer_send.c \
	supervisor/front/peer_stream.c \
	supervisor/front/resource_meta.c supervisor/front/resource_meta.h \
	supervisor/front/shares.c supervisor/front/shares.h \
	supervisor/front/sse.c supervisor/front/sse.h \
	supervisor/front/stream.c supervisor/front/stream.h \
	supervisor/front/streamable.c supervisor/front/streamable.h \
	supervisor/front/tls.c supervisor/front/tls.h supervisor/front/tls_private.h \
	supervisor/front/tls_conn.c \
	supervisor/front/tls_crl.c \
	supervisor/front/tls_names.c \
	supervisor/front/token.c supervisor/front/token.h \
	supervisor/front/token_cache.c supervisor/front/token_cache.h \
	supervisor/front/token_door.c supervisor/front/token_door.h \
	supervisor/loop.c supervisor/loop.h \
	supervisor/mcp/audit.c supervisor/mcp/audit.h \
	supervisor/mcp/audit_flood.c supervisor/mcp/audit_flood.h \
	supervisor/mcp/batch.c supervisor/mcp/batch.h \
	supervisor/mcp/bridge.c supervisor/mcp/bridge.h \
	supervisor/mcp/bridge_ask.c \
	supervisor/mcp/bridge_input.c \
	supervisor/mcp/bridge_park.c \
	supervisor/mcp/bridge_private.h \
	supervisor/mcp/call_end.c supervisor/mcp/call_end.h \
	supervisor/mcp/catalog.c supervisor/mcp/catalog.h supervisor/mcp/catalog_private.h \
	supervisor/mcp/catalog_find.c \
	supervisor/mcp/catalog_index.c supervisor/mcp/catalog_index.h \
	supervisor/mcp/catalog_item.c supervisor/mcp/catalog_item.h \
	supervisor/mcp/catalog_naming.c supervisor/mcp/catalog_naming.h \
	supervisor/mcp/catalog_offer.c supervisor/mcp/catalog_offer.h \
	supervisor/mcp/client_roots.c supervisor/mcp/client_roots.h \
	supervisor/mcp/catalog_template.c supervisor/mcp/catalog_template.h \
	supervisor/mcp/catalog_view.c \
	supervisor/mcp/envelope.c supervisor/mcp/envelope.h \
	supervisor/mcp/envelope_params.c \
	supervisor/mcp/headers.c supervisor/mcp/headers.h \
	supervisor/mcp/level.c supervisor/mcp/level.h \
	supervisor/mcp/mcp.c supervisor/mcp/mcp.h \
	supervisor/mcp/method.c supervisor/mcp/method.h \
	supervisor/mcp/news.c supervisor/mcp/news.h \
	supervisor/mcp/origin.c supervisor/mcp/origin.h \
	supervisor/mcp/principal.c supervisor/mcp/principal.h \
	supervisor/mcp/revision.c supervisor/mcp/revision.h \
	supervisor/mcp/rewrite.c supervisor/mcp/rewrite.h \
	supervisor/mcp/router.c supervisor/mcp/router.h \
	supervisor/mcp/router_line.c \
	supervisor/mcp/router_private.h \
	supervisor/mcp/router_trace.c \
	supervisor/mcp/session.c supervisor/mcp/session.h supervisor/mcp/session_private.h \
	supervisor/mcp/session_report.c \
	supervisor/mcp/splice.c supervisor/mcp/splice.h \
	supervisor/mcp/tasks.c supervisor/mcp/tasks.h supervisor/mcp/tasks_private.h \
	supervisor/mcp/tasks_ask.c \
	supervisor/mcp/trace.c supervisor/mcp/trace.h \
	supervisor/mcp/trace_span.c supervisor/mcp/trace_span.h \
	supervisor/mcp/usage.c supervisor/mcp/usage.h \
	supervisor/mcp/watches.c supervisor/mcp/watches.h \
	supervisor/ops/aide.c supervisor/ops/aide.h \
	supervisor/ops/control.c supervisor/ops/control.h supervisor/ops/control_private.h \
	supervisor/ops/control_conn.c \
	supervisor/ops/control_drill.c \
	supervisor/ops/control_fleet.c \
	supervisor/ops/control_gateway.c \
	supervisor/ops/control_logs.c \
	supervisor/ops/control_methods.c \
	supervisor/ops/control_sessions.c \
	supervisor/ops/control_tools.c \
	supervisor/ops/control_watch.c \
	supervisor/ops/courier.c supervisor/ops/courier.h \
	supervisor/ops/health.c supervisor/ops/health.h \
	supervisor/ops/html.c supervisor/ops/html.h \
	supervisor/ops/log_ring.c supervisor/ops/log_ring.h \
	supervisor/ops/metrics.c supervisor/ops/metrics.h supervisor/ops/metrics_private.h \
	supervisor/ops/metrics_fleet.c \
	supervisor/ops/metrics_front.c \
	supervisor/ops/metrics_gateway.c \
	supervisor/ops/metrics_outward.c \
	supervisor/ops/metrics_process.c \
	supervisor/ops/process_usage.c supervisor/ops/process_usage.h \
	supervisor/ops/metrics_table.c \
	supervisor/ops/metrics_text.c supervisor/ops/metrics_text.h \
	supervisor/ops/notify.c supervisor/ops/notify.h \
	supervisor/ops/otlp.c supervisor/ops/otlp.h \
	supervisor/ops/otlp_json.c \
	supervisor/ops/page.c supervisor/ops/page.h supervisor/ops/page_private.h \
	supervisor/ops/page_facts.c \
	supervisor/ops/page_files.h \
	supervisor/ops/page_fleet.c \
	supervisor/ops/page_live.c \
	supervisor/ops/page_render.c supervisor/ops/page_render.h \
	supervisor/ops/page_words.c supervisor/ops/page_words.h \
	supervisor/ops/registration.c supervisor/ops/registration.h supervisor/ops/registration_private.h \
	supervisor/ops/registration_tell.c \
	supervisor/ops/status.c supervisor/ops/status.h \
	supervisor/options.c supervisor/options.h \
	supervisor/stats.c supervisor/stats.h \
	supervisor/stats_door.c supervisor/stats_door.h

sbin_PROGRAMS += mcp-fleetd
mcp_fleetd_SOURCES = supervisor/main.c supervisor/main_private.h \
	supervisor/main_auth.c \
	supervisor/main_listen.c \
	supervisor/main_ops.c \
	supervisor/main_reload.c \
	supervisor/main_stop.c \
	supervisor/main_tls.c \
	supervisor/main_tokens.c
mcp_fleetd_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
mcp_fleetd_LDADD = supervisor/libsupervisor.a shared/libshared.a $(EVENT_LIBS) $(JANSSON_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) \
	$(YAML_LIBS) $(SYSTEMD_LIBS)

# The files of the status page, as text in the program.
nodist_supervisor_libsupervisor_a_SOURCES = supervisor/ops/page_files.c
page_files = $(srcdir)/supervisor/ops/page/status.html $(srcdir)/supervisor/ops/page/status.css \
	$(srcdir)/supervisor/ops/page/status.js
EXTRA_DIST += supervisor/ops/page/embed supervisor/ops/page/status.html supervisor/ops/page/status.css \
	supervisor/ops/page/status.js
CLEANFILES += supervisor/ops/page_files.c supervisor/ops/page_files.c.tmp
supervisor/ops/page_files.c: $(srcdir)/supervisor/ops/page/embed $(page_files)
	$(AM_V_GEN)$(MKDIR_P) supervisor/ops && \
	$(SHELL) $(srcdir)/supervisor/ops/page/embed html=$(srcdir)/supervisor/ops/page/status.html \
		css=$(srcdir)/supervisor/ops/page/status.css js=$(srcdir)/supervisor/ops/page/status.js >$@.tmp && \
	mv -f $@.tmp $@
