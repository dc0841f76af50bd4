/* The tables of network tools, each ends with { 0 }. */
#pragma once

#include "shared/tool.h"

extern const struct tool network_fetch_tools[];
extern const struct tool network_check_site_tools[];
extern const struct tool network_dns_lookup_tools[];
extern const struct tool network_tcp_check_tools[];
extern const struct tool network_tls_check_tools[];
extern const struct tool network_parse_url_tools[];
extern const struct tool network_fetch_many_tools[];
extern const struct tool network_http_request_tools[];
