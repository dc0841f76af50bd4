dist_man_MANS += doc/fleet.yaml.5 doc/mcp-fleetctl.1 doc/mcp-fleetd.8

# For operators (tests/integration/test_documents.py runs what stands there), at the places that README.md links to.
guidesdir = $(docdir)/doc
dist_guides_DATA = doc/auth.md doc/bench.md doc/clients.md doc/cloud.md doc/control.md doc/limits.md \
	doc/logging.md doc/metrics.md doc/migration.md doc/operating.md doc/proxy.md doc/registration.md \
	doc/releasing.md doc/sandbox.md doc/status-page.md doc/status.png doc/tls.md doc/tracing.md

# What they link to in etc/ is installed as an example.
install-data-hook:
	cd $(DESTDIR)$(guidesdir) && $(SED) -i -E 's,\]\(\.\./etc/(grafana/|prometheus/)?,](../examples/,g' metrics.md proxy.md tls.md

# Decisions, and why they were taken.
adrdir = $(docdir)/doc/adr
dist_adr_DATA = doc/adr/0001-own-http-connections.md doc/adr/0002-payloads-are-not-parsed.md \
	doc/adr/0003-sigchld-instead-of-pidfd.md doc/adr/0004-requests-before-initialize.md \
	doc/adr/0005-settings-of-native-workers.md doc/adr/0006-calls-sent-ahead.md \
	doc/adr/0007-code-tools-read-pipes.md doc/adr/0008-confined-before-exec.md \
	doc/adr/0009-libraries-of-the-network-worker.md doc/adr/0010-local-socket.md doc/adr/0011-two-eras.md \
	doc/adr/0012-names-of-other-servers.md doc/adr/0013-bridge.md doc/adr/0014-registrar-is-a-worker.md \
	doc/adr/0015-control-socket.md doc/adr/0016-rights.md doc/adr/README.md
