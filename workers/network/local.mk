# The tools are a library, so that unit tests can link them without the program. c-ares 1.18 has nothing yet
# in the place of what later versions call deprecated.
noinst_LIBRARIES += workers/network/libnetwork_tools.a
workers_network_libnetwork_tools_a_CPPFLAGS = $(AM_CPPFLAGS) -DCARES_NO_DEPRECATED $(JANSSON_CFLAGS) $(CURL_CFLAGS) \
	$(CARES_CFLAGS) $(IDN2_CFLAGS) $(XML2_CFLAGS) $(SSL_CFLAGS)
workers_network_libnetwork_tools_a_SOURCES = \
	workers/network/settings.c workers/network/settings.h \
	workers/network/tools.h

# Addresses, names, URLs, HTTP.
workers_network_libnetwork_tools_a_SOURCES += \
	workers/network/answer.c workers/network/answer.h \
	workers/network/check_site.c \
	workers/network/content.c workers/network/content.h \
	workers/network/exchange.c workers/network/exchange.h \
	workers/network/fetch.c workers/network/fetch.h \
	workers/network/fetch_many.c \
	workers/network/host.c workers/network/host.h \
	workers/network/http_request.c \
	workers/network/parse_url.c \
	workers/network/policy.c workers/network/policy.h \
	workers/network/request.c workers/network/request.h \
	workers/network/resolve.c workers/network/resolve.h \
	workers/network/response.c workers/network/response.h \
	workers/network/robots.c workers/network/robots.h \
	workers/network/robots_cache.c workers/network/robots_cache.h \
	workers/network/rule.c workers/network/rule.h \
	workers/network/url.c workers/network/url.h

# Pages as text.
workers_network_libnetwork_tools_a_SOURCES += \
	workers/network/blocks.c workers/network/blocks.h \
	workers/network/charset.c workers/network/charset.h \
	workers/network/cuts.c workers/network/cuts.h \
	workers/network/document.c workers/network/document.h \
	workers/network/element.c workers/network/element.h \
	workers/network/href.c workers/network/href.h \
	workers/network/inlines.c workers/network/inlines.h \
	workers/network/lists.c workers/network/lists.h \
	workers/network/markdown.c workers/network/markdown.h \
	workers/network/page.c workers/network/page.h \
	workers/network/pre.c workers/network/pre.h \
	workers/network/table.c workers/network/table.h

# Looking at DNS, TCP and TLS.
workers_network_libnetwork_tools_a_SOURCES += \
	workers/network/certificate.c workers/network/certificate.h \
	workers/network/connect.c workers/network/connect.h \
	workers/network/dns_lookup.c \
	workers/network/dns_message.c workers/network/dns_message.h \
	workers/network/reverse.c workers/network/reverse.h \
	workers/network/tcp_check.c \
	workers/network/tls_check.c

pkglibexec_PROGRAMS += worker-network
worker_network_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
worker_network_SOURCES = workers/network/main.c
worker_network_LDADD = workers/network/libnetwork_tools.a workers/common/libworker.a \
	shared/libshared.a $(JANSSON_LIBS) $(CURL_LIBS) $(CARES_LIBS) $(IDN2_LIBS) $(XML2_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS)
