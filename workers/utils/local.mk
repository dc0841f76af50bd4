# The tools are a library, so that unit tests can link them without the program.
noinst_LIBRARIES += workers/utils/libutils_tools.a
workers_utils_libutils_tools_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) \
	$(YAML_CFLAGS) $(PCRE2_CFLAGS)
workers_utils_libutils_tools_a_SOURCES = \
	workers/utils/answer.c workers/utils/answer.h \
	workers/utils/calculator.c \
	workers/utils/diff_tool.c \
	workers/utils/encoding.c workers/utils/encoding.h \
	workers/utils/expression.c workers/utils/expression.h \
	workers/utils/functions.c workers/utils/functions.h \
	workers/utils/gateway.c workers/utils/gateway.h \
	workers/utils/hash_tool.c \
	workers/utils/html.c workers/utils/html.h \
	workers/utils/ip.c workers/utils/ip.h \
	workers/utils/iso8601.c workers/utils/iso8601.h \
	workers/utils/json_tools.c \
	workers/utils/json_tree.c workers/utils/json_tree.h \
	workers/utils/jwt.c workers/utils/jwt.h \
	workers/utils/number.c workers/utils/number.h \
	workers/utils/naming.c workers/utils/naming.h \
	workers/utils/number_base.c \
	workers/utils/random.c workers/utils/random.h \
	workers/utils/regex_replace.c workers/utils/regex_replace.h \
	workers/utils/regex_tools.c \
	workers/utils/string.c \
	workers/utils/text.c workers/utils/text.h \
	workers/utils/time.c \
	workers/utils/tools.h \
	workers/utils/uuid.c workers/utils/uuid.h \
	workers/utils/yaml.h \
	workers/utils/yaml_read.c \
	workers/utils/yaml_scalar.c workers/utils/yaml_scalar.h \
	workers/utils/yaml_tools.c \
	workers/utils/yaml_write.c \
	workers/utils/zone.c workers/utils/zone.h

pkglibexec_PROGRAMS += worker-utils
worker_utils_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
worker_utils_SOURCES = workers/utils/main.c
worker_utils_LDADD = workers/utils/libutils_tools.a workers/common/libworker.a shared/libshared.a \
	$(JANSSON_LIBS) $(CRYPTO_LIBS) $(YAML_LIBS) $(PCRE2_LIBS) $(UNISTRING_LIBS) -lm
