# The load generator (`make bench` drives it); not installed.
EXTRA_PROGRAMS = tests/bench/load
CLEANFILES += tests/bench/load
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = shared/libshared.a -lm
