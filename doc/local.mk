dist_man_MANS += doc/fleet.yaml.5 doc/mcp-fleetctl.1 doc/mcp-fleetd.8

# For operators (tests/integration/test_documents.py runs what stands there), and decisions with their reasons.
EXTRA_DIST += doc/adr doc/auth.md doc/bench.md doc/clients.md doc/cloud.md doc/control.md doc/limits.md doc/logging.md doc/metrics.md \
	doc/migration.md doc/operating.md doc/proxy.md doc/registration.md doc/releasing.md doc/sandbox.md doc/status-page.md doc/status.png doc/tls.md doc/tracing.md
