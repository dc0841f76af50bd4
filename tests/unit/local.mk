# Unit tests: one program for each module, run by `make check` as TAP.
if CMOCKA
unit_libs = shared/libshared.a $(CMOCKA_LIBS) $(JANSSON_LIBS) $(SYSTEMD_LIBS)
unit_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)

check_PROGRAMS += tests/unit/test_http1
TESTS += tests/unit/test_http1
tests_unit_test_http1_SOURCES = tests/unit/test_http1.c
tests_unit_test_http1_CPPFLAGS = $(unit_cppflags)
tests_unit_test_http1_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_jspan
TESTS += tests/unit/test_jspan
tests_unit_test_jspan_SOURCES = tests/unit/test_jspan.c
tests_unit_test_jspan_CPPFLAGS = $(unit_cppflags)
tests_unit_test_jspan_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_rpc
TESTS += tests/unit/test_rpc
tests_unit_test_rpc_SOURCES = tests/unit/test_rpc.c
tests_unit_test_rpc_CPPFLAGS = $(unit_cppflags)
tests_unit_test_rpc_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_uri
TESTS += tests/unit/test_uri
tests_unit_test_uri_SOURCES = tests/unit/test_uri.c
tests_unit_test_uri_CPPFLAGS = $(unit_cppflags)
tests_unit_test_uri_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_schema
TESTS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_CPPFLAGS = $(unit_cppflags)
tests_unit_test_schema_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_utf8
TESTS += tests/unit/test_utf8
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c
tests_unit_test_utf8_CPPFLAGS = $(unit_cppflags)
tests_unit_test_utf8_LDADD = $(unit_libs)
endif
