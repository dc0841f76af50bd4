
# Fuzz targets: one for each parser of foreign bytes.
#
# fuzz_<thing>.c defines LLVMFuzzerTestOneInput and asserts what must hold for any input (CHECK of
# fuzz.h). Seeds are in corpus/<thing>/, small and with speaking names; <thing>.dict is optional.
#
# - `make check` links each target with replay.c and runs it over its corpus, with any compiler.
# - `./configure CC=clang --enable-fuzzing` and then
#       make fuzz FUZZ_SECONDS=60 [FUZZ_RUNS=N] [FUZZ_TARGETS="http1 uri"] [FUZZ_KEEP=1]
#   runs them with libFuzzer, in fuzz-artifacts/ of the build. FUZZ_MAX_LEN=512 makes many short runs
#   of them (the default is 4096 bytes). With FUZZ_RUNS and FUZZ_SECONDS what comes first ends it;
#   the corpus of the last time is used again, so runs in slices add up. FUZZ_KEEP puts new inputs that reach
#   new code into corpus/. Choose there by hand what is worth a commit, and rename it.
#
# To add a target: the file, two or three seeds, and these three lines in the list below.
#       fuzz_programs += tests/fuzz/fuzz_<thing>
#       tests_fuzz_fuzz_<thing>_CPPFLAGS = $(fuzz_cppflags)
#       tests_fuzz_fuzz_<thing>_LDADD = $(fuzz_libs)
fuzz_programs =

# The calculator's expressions.
fuzz_programs += tests/fuzz/fuzz_expression
tests_fuzz_fuzz_expression_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_expression_LDADD = workers/utils/libutils_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CRYPTO_LIBS) -lm

# Requests of the stateless revision: headers, an empty line, a body.
fuzz_programs += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_envelope_LDADD = supervisor/libsupervisor.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_catalog
tests_fuzz_fuzz_catalog_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_catalog_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(YAML_LIBS)

fuzz_programs += tests/fuzz/fuzz_forwarded
tests_fuzz_fuzz_forwarded_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_forwarded_LDADD = supervisor/libsupervisor.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_http1
tests_fuzz_fuzz_http1_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_http1_LDADD = supervisor/libsupervisor.a $(fuzz_libs)

# Walking and searching of the filesystem worker.
fuzz_programs += tests/fuzz/fuzz_ignore
tests_fuzz_fuzz_ignore_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ignore_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(fuzz_libs) $(CRYPTO_LIBS) $(PCRE2_LIBS)

fuzz_programs += tests/fuzz/fuzz_path
tests_fuzz_fuzz_path_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_path_LDADD = workers/common/libworker.a $(fuzz_libs)

# The roots that a client tells.
fuzz_programs += tests/fuzz/fuzz_root_uri
tests_fuzz_fuzz_root_uri_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_root_uri_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(fuzz_libs) $(CRYPTO_LIBS) $(PCRE2_LIBS)

fuzz_programs += tests/fuzz/fuzz_patterns
tests_fuzz_fuzz_patterns_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_patterns_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(fuzz_libs) $(CRYPTO_LIBS) $(PCRE2_LIBS)

# The keys file, and the text of a key.
fuzz_programs += tests/fuzz/fuzz_guard
tests_fuzz_fuzz_guard_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_guard_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS) $(YAML_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_keys_file
tests_fuzz_fuzz_keys_file_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_keys_file_LDADD = $(fuzz_libs) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_message
tests_fuzz_fuzz_message_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_message_LDADD = $(fuzz_libs)

# Clients and workers by a script; the fleet is a fake, in the place of fleet/.
fuzz_programs += tests/fuzz/fuzz_mcp
tests_fuzz_fuzz_mcp_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_mcp_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS) $(YAML_LIBS)

fuzz_programs += tests/fuzz/fuzz_offering
tests_fuzz_fuzz_offering_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_offering_LDADD = supervisor/libsupervisor.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_schema
tests_fuzz_fuzz_schema_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_schema_LDADD = $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_server
tests_fuzz_fuzz_server_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_server_LDADD = workers/common/libworker.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_streamable
tests_fuzz_fuzz_streamable_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_streamable_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS) $(YAML_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_settings
tests_fuzz_fuzz_settings_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_settings_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(YAML_LIBS)

# Files that the filesystem worker reads.
fuzz_programs += tests/fuzz/fuzz_text_decode
tests_fuzz_fuzz_text_decode_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_text_decode_LDADD = workers/filesystem/libfilesystem_tools.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_texts
tests_fuzz_fuzz_texts_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_texts_LDADD = workers/utils/libutils_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CRYPTO_LIBS) -lm

# Bearer tokens, and the keys that they are checked with.
fuzz_programs += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_CPPFLAGS = $(fuzz_cppflags) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_token_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_jwks
tests_fuzz_fuzz_jwks_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_jwks_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_uri
tests_fuzz_fuzz_uri_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_uri_LDADD = $(fuzz_libs)

# Its process is a fake, in the place of fleet/launch.c.
fuzz_programs += tests/fuzz/fuzz_worker
tests_fuzz_fuzz_worker_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_worker_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS)

# The network worker: answers of name servers, pages as text.
fuzz_programs += tests/fuzz/fuzz_dns_message
tests_fuzz_fuzz_dns_message_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_dns_message_LDADD = workers/network/libnetwork_tools.a $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_page
tests_fuzz_fuzz_page_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_page_LDADD = workers/network/libnetwork_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CURL_LIBS) $(XML2_LIBS)

# The network worker: addresses, names, URLs, HTTP.
fuzz_network_libs = workers/network/libnetwork_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CURL_LIBS) $(CARES_LIBS) $(IDN2_LIBS) $(XML2_LIBS)

fuzz_programs += tests/fuzz/fuzz_network_url
tests_fuzz_fuzz_network_url_CPPFLAGS = $(fuzz_cppflags) $(CURL_CFLAGS) $(CARES_CFLAGS)
tests_fuzz_fuzz_network_url_LDADD = $(fuzz_network_libs)

fuzz_programs += tests/fuzz/fuzz_robots
tests_fuzz_fuzz_robots_CPPFLAGS = $(fuzz_cppflags) $(CURL_CFLAGS) $(CARES_CFLAGS)
tests_fuzz_fuzz_robots_LDADD = $(fuzz_network_libs)

# Configuration files of clients, as mcp-fleetctl reads and changes them.
fuzz_programs += tests/fuzz/fuzz_jsonc
tests_fuzz_fuzz_jsonc_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_jsonc_LDADD = ctl/libctl.a $(fuzz_libs)

# What the courier answers, and what it reads.
fuzz_programs += tests/fuzz/fuzz_courier_answer
tests_fuzz_fuzz_courier_answer_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_courier_answer_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS) $(YAML_LIBS)

fuzz_programs += tests/fuzz/fuzz_http_head
tests_fuzz_fuzz_http_head_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_http_head_LDADD = workers/common/libhttp.a $(fuzz_libs)

# What a remote server sends as an event stream.
fuzz_programs += tests/fuzz/fuzz_events
tests_fuzz_fuzz_events_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_events_LDADD = workers/remote/libremote.a workers/common/libhttp.a $(fuzz_libs)

# The bridge of mcp-fleetctl stdio.
fuzz_programs += tests/fuzz/fuzz_bridge
tests_fuzz_fuzz_bridge_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_bridge_LDADD = ctl/libctl.a $(fuzz_libs)

# Edits and patches of files.
fuzz_programs += tests/fuzz/fuzz_patch
tests_fuzz_fuzz_patch_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_patch_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_replace
tests_fuzz_fuzz_replace_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_replace_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a $(fuzz_libs) \
	$(CRYPTO_LIBS)

# mcp-fleetctl: what a daemon sends, what is typed.
# Both sides of the control socket.
fuzz_programs += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_CPPFLAGS = $(fuzz_cppflags) $(EVENT_CFLAGS)
tests_fuzz_fuzz_control_LDADD = supervisor/libsupervisor.a $(fuzz_libs) $(EVENT_LIBS) $(YAML_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

fuzz_programs += tests/fuzz/fuzz_control_client
tests_fuzz_fuzz_control_client_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_control_client_LDADD = $(ctl_libs) $(fuzz_libs)

fuzz_programs += tests/fuzz/fuzz_complete
tests_fuzz_fuzz_complete_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_complete_LDADD = $(ctl_libs) $(fuzz_libs)
# The registrar: answers of a gateway, its state file.
fuzz_registrar_libs = workers/registrar/libregistrar.a workers/common/libhttp.a workers/common/libworker.a $(fuzz_libs) $(CURL_LIBS) $(CRYPTO_LIBS) -lm

fuzz_programs += tests/fuzz/fuzz_gateway_answer
tests_fuzz_fuzz_gateway_answer_CPPFLAGS = $(fuzz_cppflags) $(CURL_CFLAGS)
tests_fuzz_fuzz_gateway_answer_LDADD = $(fuzz_registrar_libs)

fuzz_programs += tests/fuzz/fuzz_registrar_state
tests_fuzz_fuzz_registrar_state_CPPFLAGS = $(fuzz_cppflags) $(CURL_CFLAGS)
tests_fuzz_fuzz_registrar_state_LDADD = $(fuzz_registrar_libs)

fuzz_cppflags = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
fuzz_libs = $(fuzz_main) shared/libshared.a $(JANSSON_LIBS) $(SYSTEMD_LIBS)

check_PROGRAMS += $(fuzz_programs)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/envelope.dict tests/fuzz/expression.dict tests/fuzz/fuzz.h tests/fuzz/http1.dict \
	tests/fuzz/mcp.dict tests/fuzz/message.dict tests/fuzz/run tests/fuzz/settings.dict tests/fuzz/texts.dict

if FUZZING
fuzz_main = $(FUZZ_MAIN)

fuzz: $(fuzz_programs)
	$(AM_V_at)$(srcdir)/tests/fuzz/run $(srcdir)/tests/fuzz $(fuzz_programs)
else
check_LIBRARIES += tests/fuzz/libreplay.a
tests_fuzz_libreplay_a_SOURCES = tests/fuzz/replay.c
fuzz_main = tests/fuzz/libreplay.a
TESTS += $(fuzz_programs)

fuzz:
	@echo "make fuzz: libFuzzer is not built in; ./configure CC=clang --enable-fuzzing" >&2
	@exit 1
endif
.PHONY: fuzz

clean-local: clean-fuzz
clean-fuzz:
	-rm -rf fuzz-artifacts
.PHONY: clean-fuzz
