# mcp-fleet-courier: HTTP requests of the daemon. The module is a library, so that tests can link it without the
# program.
noinst_LIBRARIES += workers/courier/libcourier.a
workers_courier_libcourier_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
workers_courier_libcourier_a_SOURCES = \
	workers/courier/courier.c workers/courier/courier.h \
	workers/courier/order.c workers/courier/order.h

pkglibexec_PROGRAMS += mcp-fleet-courier
mcp_fleet_courier_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CURL_CFLAGS)
mcp_fleet_courier_SOURCES = workers/courier/main.c
mcp_fleet_courier_LDADD = workers/courier/libcourier.a workers/common/libhttp.a shared/libshared.a $(JANSSON_LIBS) \
	$(CURL_LIBS)
