noinst_LIBRARIES += shared/libshared.a
shared_libshared_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
shared_libshared_a_SOURCES = \
	shared/alloc.c shared/alloc.h \
	shared/base64.c shared/base64.h \
	shared/cleanup.h \
	shared/clock.c shared/clock.h \
	shared/fail.c shared/fail.h \
	shared/fd.c shared/fd.h \
	shared/jspan.c shared/jspan.h \
	shared/limits.h \
	shared/log.c shared/log.h \
	shared/rpc.c shared/rpc.h \
	shared/strbuf.c shared/strbuf.h \
	shared/tool.h
