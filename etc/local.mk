# What an operator starts from. The packages install fleet.yaml and mcp-fleet.default as settings.
EXTRA_DIST += etc/fleet.yaml etc/mcp-fleet.default
examplesdir = $(docdir)/examples
examples_DATA = etc/fleet.yaml

# For those who look after a fleet: alerts, and a dashboard to import. doc/metrics.md.
dist_examples_DATA = etc/grafana/mcp-fleet.json etc/prometheus/mcp-fleet.rules.yml

# In front of the daemon: proxies, and certbot's hook for TLS of its own. doc/proxy.md, doc/tls.md.
dist_examples_DATA += etc/nginx.conf etc/haproxy.cfg etc/Caddyfile
certbotexampledir = $(examplesdir)/certbot
dist_certbotexample_SCRIPTS = etc/certbot/mcp-fleet

# Units, the user, its folders. doc/operating.md.
systemd_dropins = etc/systemd/drop-ins/external.conf etc/systemd/drop-ins/home.conf etc/systemd/drop-ins/roots.conf
systemd_units = etc/systemd/mcp-fleet.service etc/systemd/user/mcp-fleet.service
EXTRA_DIST += $(systemd_units:=.in) $(systemd_dropins) etc/systemd/mcp-fleet.socket \
	etc/sysusers.d/mcp-fleet.conf etc/tmpfiles.d/mcp-fleet.conf
CLEANFILES += $(systemd_units)

$(systemd_units): %: $(srcdir)/%.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' $(srcdir)/$@.in >$@

if SYSTEMD
systemdsystemdir = $(systemdunitdir)/system
systemdsystem_DATA = etc/systemd/mcp-fleet.service etc/systemd/mcp-fleet.socket
systemduserdir = $(systemdunitdir)/user
systemduser_DATA = etc/systemd/user/mcp-fleet.service
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = etc/sysusers.d/mcp-fleet.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = etc/tmpfiles.d/mcp-fleet.conf
dropinsdir = $(docdir)/examples/systemd
dropins_DATA = $(systemd_dropins)
endif
