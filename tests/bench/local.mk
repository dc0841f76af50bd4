# The load generator and what drives it: `make bench BENCH_ARGS="--seconds 10"`. Not installed.
EXTRA_PROGRAMS = tests/bench/load
CLEANFILES += tests/bench/load
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = shared/libshared.a -lm
EXTRA_DIST += tests/bench/bench tests/bench/fleet.yaml tests/bench/package.json \
	tests/bench/peers/python_sdk_sse.py tests/bench/peers/python_sdk_stdio.py \
	tests/bench/requirements-bench.txt tests/bench/run.py

bench: all tests/bench/load
	$(srcdir)/tests/bench/bench . $(BENCH_ARGS)
.PHONY: bench
