/* The tables of network tools, each ends with { 0 }. */
#pragma once

#include "shared/tool.h"

extern const struct tool net_dns_lookup_tools[]; /* dns_lookup.c */
extern const struct tool net_tcp_check_tools[];  /* tcp_check.c */
extern const struct tool net_tls_check_tools[];  /* tls_check.c */
