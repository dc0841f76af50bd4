# What all native workers share: the MCP side, tables, roots. Linked before libshared.a. What needs a
# library of its own (regex.c PCRE2, digest.c libcrypto) costs only the programs that use it.
noinst_LIBRARIES += workers/common/libworker.a
workers_common_libworker_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(CRYPTO_CFLAGS)
workers_common_libworker_a_SOURCES = \
	workers/common/address.c workers/common/address.h \
	workers/common/call.c workers/common/call.h workers/common/call_run.h \
	workers/common/diff.c workers/common/diff.h \
	workers/common/digest.c workers/common/digest.h \
	workers/common/failure.c workers/common/failure.h \
	workers/common/link.c workers/common/link.h \
	workers/common/precious.c workers/common/precious.h \
	workers/common/proc.c workers/common/proc.h \
	workers/common/regex.c workers/common/regex.h \
	workers/common/registry.c workers/common/registry.h \
	workers/common/roots.c workers/common/roots.h \
	workers/common/server.c workers/common/server.h \
	workers/common/settings.c workers/common/settings.h \
	workers/common/worker.c workers/common/worker.h

# What the programs of ours that speak HTTP by libcurl share (not the network worker, whose rules are its own): one
# exchange or many, the headers that an operator gives, the link of those that mcp-fleetd has for itself. Linked
# before libworker.a.
noinst_LIBRARIES += workers/common/libhttp.a
workers_common_libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
workers_common_libhttp_a_SOURCES = \
	workers/common/aide_link.c workers/common/aide_link.h \
	workers/common/aide_main.c workers/common/aide_main.h \
	workers/common/easy.c workers/common/easy.h \
	workers/common/events.c workers/common/events.h \
	workers/common/headers.c workers/common/headers.h \
	workers/common/http.c workers/common/http.h \
	workers/common/http_head.c workers/common/http_head.h \
	workers/common/target.c workers/common/target.h
