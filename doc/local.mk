dist_man_MANS += doc/fleet.yaml.5 doc/mcp-fleetd.8
