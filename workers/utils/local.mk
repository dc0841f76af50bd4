# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/utils/libutils_tools.a
workers_utils_libutils_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) \
	$(YAML_CFLAGS) $(PCRE2_CFLAGS)
workers_utils_libutils_tools_a_SOURCES = \
	workers/utils/encoding.c workers/utils/encoding.h \
	workers/utils/html.c workers/utils/html.h \
	workers/utils/random.c workers/utils/random.h \
	workers/utils/tools.h
