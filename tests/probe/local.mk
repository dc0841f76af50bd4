# A worker for tests: echo, wait, fail, crash.
check_PROGRAMS += tests/probe/worker-probe
tests_probe_worker_probe_SOURCES = tests/probe/main.c tests/probe/probe.c tests/probe/probe.h
tests_probe_worker_probe_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_probe_worker_probe_LDADD = workers/common/libworker.a shared/libshared.a $(JANSSON_LIBS)
