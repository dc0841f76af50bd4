# The example of the settings: each key with its default. Installed by the packages.
EXTRA_DIST += etc/fleet.yaml

# For those who look after a fleet: alerts, and a dashboard to import. doc/metrics.md.
EXTRA_DIST += etc/grafana/mcp-fleet.json etc/prometheus/mcp-fleet.rules.yml

# In front of the daemon: nginx, and certbot's hook for TLS of its own. doc/proxy.md, doc/tls.md.
EXTRA_DIST += etc/nginx.conf etc/certbot/mcp-fleet
