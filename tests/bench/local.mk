# The load generator and what drives it: `make bench BENCH_ARGS="--seconds 10"`. Not installed.
check_PROGRAMS += tests/bench/load
EXTRA_PROGRAMS = tests/bench/keys_timing
CLEANFILES += tests/bench/keys_timing
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = shared/libshared.a -lm
tests_bench_keys_timing_SOURCES = tests/bench/keys_timing.c tests/unit/token_world.c tests/unit/token_world.h
tests_bench_keys_timing_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(EVENT_CFLAGS) $(CRYPTO_CFLAGS)
tests_bench_keys_timing_LDADD = supervisor/libsupervisor.a shared/libshared.a $(JANSSON_LIBS) $(CRYPTO_LIBS) \
	$(SYSTEMD_LIBS) -lm
EXTRA_DIST += tests/bench/bench tests/bench/big.py tests/bench/clients.py tests/bench/fleet.yaml tests/bench/package.json \
	tests/bench/peers/python_sdk_sse.py tests/bench/peers/python_sdk_stdio.py \
	tests/bench/register.py \
	tests/bench/requirements-bench.txt tests/bench/run.py

bench: all tests/bench/load
	$(srcdir)/tests/bench/bench . $(BENCH_ARGS)

# 100 clients that make 1,000 calls a minute together, for five minutes: `make bench-load-clients BENCH_ARGS="--seconds 20"`.
bench-load-clients: all tests/bench/load
	"$$($(top_srcdir)/packaging/needs --python)" $(srcdir)/tests/bench/clients.py --build . $(BENCH_ARGS)

# A file of 1 GiB, 1,000,000 files in a folder, 100,000 commits: `make bench-big BENCH_ARGS="--repeat 1"`.
bench-big: all
	"$$($(top_srcdir)/packaging/needs --python)" $(srcdir)/tests/bench/big.py --build . $(BENCH_ARGS)

# mcp-fleetctl register beside plain calls of the gateway; ./check --stage envs makes the environments.
bench-register: all
	@envs="$${MCP_FLEET_ENVS:-$${XDG_CACHE_HOME:-$$HOME/.cache}/mcp-fleet-check}"; \
	"$$envs/venv-test/bin/python" $(srcdir)/tests/bench/register.py --build . --envs "$$envs" $(BENCH_ARGS)

# What a token costs, and whether the time of a refusal tells about the secret.
bench-keys-timing: tests/bench/keys_timing
	./tests/bench/keys_timing
.PHONY: bench bench-big bench-load-clients bench-register bench-keys-timing
