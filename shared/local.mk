noinst_LIBRARIES += shared/libshared.a
shared_libshared_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS) $(CRYPTO_CFLAGS)
shared_libshared_a_SOURCES = \
	shared/alloc.c shared/alloc.h \
	shared/amount.c shared/amount.h \
	shared/ascii.h \
	shared/base64.c shared/base64.h \
	shared/cleanup.h \
	shared/clock.c shared/clock.h \
	shared/exec_report.h \
	shared/fail.c shared/fail.h \
	shared/fd.c shared/fd.h \
	shared/histogram.c shared/histogram.h \
	shared/kernel.c shared/kernel.h \
	shared/header_name.c shared/header_name.h \
	shared/ipnet.c shared/ipnet.h \
	shared/jspan.c shared/jspan.h \
	shared/jx.c shared/jx.h \
	shared/key_text.c shared/key_text.h \
	shared/keys_file.c shared/keys_file.h \
	shared/keys_file_read.c \
	shared/keyed_hash.c shared/keyed_hash.h \
	shared/landlock.c shared/landlock.h \
	shared/libexec.c shared/libexec.h \
	shared/limits.h \
	shared/lines.c shared/lines.h \
	shared/log.c shared/log.h shared/log_journal.c \
	shared/quote.c shared/quote.h \
	shared/rpc.c shared/rpc.h \
	shared/schema.c shared/schema.h shared/schema_decode.c \
	shared/span.h \
	shared/strbuf.c shared/strbuf.h \
	shared/tool.h \
	shared/uri.c shared/uri.h \
	shared/utf8.c shared/utf8.h
