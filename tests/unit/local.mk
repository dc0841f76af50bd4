# Unit tests: one program for each module, run by `make check` as TAP.
if CMOCKA
unit_libs = shared/libshared.a $(CMOCKA_LIBS) $(JANSSON_LIBS) $(SYSTEMD_LIBS)
unit_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)

check_PROGRAMS += tests/unit/test_http1
TESTS += tests/unit/test_http1
tests_unit_test_http1_SOURCES = tests/unit/test_http1.c
tests_unit_test_http1_CPPFLAGS = $(unit_cppflags)
tests_unit_test_http1_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_conf_dump
TESTS += tests/unit/test_conf_dump
tests_unit_test_conf_dump_SOURCES = tests/unit/test_conf_dump.c
tests_unit_test_conf_dump_CPPFLAGS = $(unit_cppflags)
tests_unit_test_conf_dump_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

# What mcp-fleetctl is made of.
check_PROGRAMS += tests/unit/test_access
TESTS += tests/unit/test_access
tests_unit_test_access_SOURCES = tests/unit/test_access.c
tests_unit_test_access_CPPFLAGS = $(unit_cppflags)
tests_unit_test_access_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_healing
TESTS += tests/unit/test_healing
tests_unit_test_healing_SOURCES = tests/unit/test_healing.c
tests_unit_test_healing_CPPFLAGS = $(unit_cppflags)
tests_unit_test_healing_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_settle
TESTS += tests/unit/test_settle
tests_unit_test_settle_SOURCES = tests/unit/test_settle.c
tests_unit_test_settle_CPPFLAGS = $(unit_cppflags)
tests_unit_test_settle_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ports
TESTS += tests/unit/test_ports
tests_unit_test_ports_SOURCES = tests/unit/test_ports.c
tests_unit_test_ports_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ports_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_report
TESTS += tests/unit/test_report
tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_CPPFLAGS = $(unit_cppflags)
tests_unit_test_report_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_settings
TESTS += tests/unit/test_settings
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_CPPFLAGS = $(unit_cppflags)
tests_unit_test_settings_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_token
TESTS += tests/unit/test_token
tests_unit_test_token_SOURCES = tests/unit/test_token.c
tests_unit_test_token_CPPFLAGS = $(unit_cppflags)
tests_unit_test_token_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_keys_file
TESTS += tests/unit/test_keys_file
tests_unit_test_keys_file_SOURCES = tests/unit/test_keys_file.c
tests_unit_test_keys_file_CPPFLAGS = $(unit_cppflags)
tests_unit_test_keys_file_LDADD = $(unit_libs) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_keyed_hash
TESTS += tests/unit/test_keyed_hash
tests_unit_test_keyed_hash_SOURCES = tests/unit/test_keyed_hash.c
tests_unit_test_keyed_hash_CPPFLAGS = $(unit_cppflags)
tests_unit_test_keyed_hash_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_fd
TESTS += tests/unit/test_fd
tests_unit_test_fd_SOURCES = tests/unit/test_fd.c
tests_unit_test_fd_CPPFLAGS = $(unit_cppflags)
tests_unit_test_fd_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_landlock
TESTS += tests/unit/test_landlock
tests_unit_test_landlock_SOURCES = tests/unit/test_landlock.c
tests_unit_test_landlock_CPPFLAGS = $(unit_cppflags)
tests_unit_test_landlock_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_jspan
TESTS += tests/unit/test_jspan
tests_unit_test_jspan_SOURCES = tests/unit/test_jspan.c
tests_unit_test_jspan_CPPFLAGS = $(unit_cppflags)
tests_unit_test_jspan_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_log
TESTS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CPPFLAGS = $(unit_cppflags)
tests_unit_test_log_LDADD = $(unit_libs)

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

check_PROGRAMS += tests/unit/test_ipnet
TESTS += tests/unit/test_ipnet
tests_unit_test_ipnet_SOURCES = tests/unit/test_ipnet.c
tests_unit_test_ipnet_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ipnet_LDADD = $(unit_libs)

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

check_PROGRAMS += tests/unit/test_histogram
TESTS += tests/unit/test_histogram
tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_CPPFLAGS = $(unit_cppflags)
tests_unit_test_histogram_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_base64
TESTS += tests/unit/test_base64
tests_unit_test_base64_SOURCES = tests/unit/test_base64.c
tests_unit_test_base64_CPPFLAGS = $(unit_cppflags)
tests_unit_test_base64_LDADD = $(unit_libs)

# Handlers of the utils worker, run without the worker.
utils_tool_libs = workers/utils/libutils_tools.a workers/common/libworker.a $(unit_libs) $(CRYPTO_LIBS) $(YAML_LIBS) \
	$(PCRE2_LIBS) $(UNISTRING_LIBS) -lm
utils_tool_sources = tests/unit/fake_call.c tests/unit/fake_call.h

check_PROGRAMS += tests/unit/test_encoding
TESTS += tests/unit/test_encoding
tests_unit_test_encoding_SOURCES = tests/unit/test_encoding.c $(utils_tool_sources)
tests_unit_test_encoding_CPPFLAGS = $(unit_cppflags)
tests_unit_test_encoding_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_gateway
TESTS += tests/unit/test_gateway
tests_unit_test_gateway_SOURCES = tests/unit/test_gateway.c $(utils_tool_sources)
tests_unit_test_gateway_CPPFLAGS = $(unit_cppflags)
tests_unit_test_gateway_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_ip_subnet
TESTS += tests/unit/test_ip_subnet
tests_unit_test_ip_subnet_SOURCES = tests/unit/test_ip_subnet.c $(utils_tool_sources)
tests_unit_test_ip_subnet_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ip_subnet_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_iso8601
TESTS += tests/unit/test_iso8601
tests_unit_test_iso8601_SOURCES = tests/unit/test_iso8601.c
tests_unit_test_iso8601_CPPFLAGS = $(unit_cppflags)
tests_unit_test_iso8601_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_jwt
TESTS += tests/unit/test_jwt
tests_unit_test_jwt_SOURCES = tests/unit/test_jwt.c $(utils_tool_sources)
tests_unit_test_jwt_CPPFLAGS = $(unit_cppflags)
tests_unit_test_jwt_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_strbuf
TESTS += tests/unit/test_strbuf
tests_unit_test_strbuf_SOURCES = tests/unit/test_strbuf.c
tests_unit_test_strbuf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_strbuf_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_time_tools
TESTS += tests/unit/test_time_tools
tests_unit_test_time_tools_SOURCES = tests/unit/test_time_tools.c $(utils_tool_sources)
tests_unit_test_time_tools_CPPFLAGS = $(unit_cppflags)
tests_unit_test_time_tools_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_tool_lists
TESTS += tests/unit/test_tool_lists
tests_unit_test_tool_lists_SOURCES = tests/unit/test_tool_lists.c
tests_unit_test_tool_lists_CPPFLAGS = $(unit_cppflags)
tests_unit_test_tool_lists_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_worker_program
TESTS += tests/unit/test_worker_program
tests_unit_test_worker_program_SOURCES = tests/unit/test_worker_program.c tests/probe/probe.c
tests_unit_test_worker_program_CPPFLAGS = $(unit_cppflags)
tests_unit_test_worker_program_LDADD = workers/common/libworker.a $(unit_libs)


check_PROGRAMS += tests/unit/test_uuid
TESTS += tests/unit/test_uuid
tests_unit_test_uuid_SOURCES = tests/unit/test_uuid.c $(utils_tool_sources)
tests_unit_test_uuid_CPPFLAGS = $(unit_cppflags)
tests_unit_test_uuid_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_calculator
TESTS += tests/unit/test_calculator
tests_unit_test_calculator_SOURCES = tests/unit/test_calculator.c $(utils_tool_sources)
tests_unit_test_calculator_CPPFLAGS = $(unit_cppflags)
tests_unit_test_calculator_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_string_tools
TESTS += tests/unit/test_string_tools
tests_unit_test_string_tools_SOURCES = tests/unit/test_string_tools.c $(utils_tool_sources)
tests_unit_test_string_tools_CPPFLAGS = $(unit_cppflags)
tests_unit_test_string_tools_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_diff
TESTS += tests/unit/test_diff
tests_unit_test_diff_SOURCES = tests/unit/test_diff.c $(utils_tool_sources)
tests_unit_test_diff_CPPFLAGS = $(unit_cppflags)
tests_unit_test_diff_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_json_tools
TESTS += tests/unit/test_json_tools
tests_unit_test_json_tools_SOURCES = tests/unit/test_json_tools.c $(utils_tool_sources)
tests_unit_test_json_tools_CPPFLAGS = $(unit_cppflags)
tests_unit_test_json_tools_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_yaml_tools
TESTS += tests/unit/test_yaml_tools
tests_unit_test_yaml_tools_SOURCES = tests/unit/test_yaml_tools.c $(utils_tool_sources)
tests_unit_test_yaml_tools_CPPFLAGS = $(unit_cppflags)
tests_unit_test_yaml_tools_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_number_base
TESTS += tests/unit/test_number_base
tests_unit_test_number_base_SOURCES = tests/unit/test_number_base.c $(utils_tool_sources)
tests_unit_test_number_base_CPPFLAGS = $(unit_cppflags)
tests_unit_test_number_base_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_regex_tools
TESTS += tests/unit/test_regex_tools
tests_unit_test_regex_tools_SOURCES = tests/unit/test_regex_tools.c $(utils_tool_sources)
tests_unit_test_regex_tools_CPPFLAGS = $(unit_cppflags)
tests_unit_test_regex_tools_LDADD = $(utils_tool_libs)

check_PROGRAMS += tests/unit/test_server
TESTS += tests/unit/test_server
tests_unit_test_server_SOURCES = tests/unit/test_server.c tests/probe/probe.c
tests_unit_test_server_CPPFLAGS = $(unit_cppflags)
tests_unit_test_server_LDADD = workers/common/libworker.a $(unit_libs)

# What the filesystem worker reads.
check_PROGRAMS += tests/unit/test_digest
TESTS += tests/unit/test_digest
tests_unit_test_digest_SOURCES = tests/unit/test_digest.c
tests_unit_test_digest_CPPFLAGS = $(unit_cppflags)
tests_unit_test_digest_LDADD = workers/common/libworker.a $(unit_libs) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_kind
TESTS += tests/unit/test_kind
tests_unit_test_kind_SOURCES = tests/unit/test_kind.c
tests_unit_test_kind_CPPFLAGS = $(unit_cppflags)
tests_unit_test_kind_LDADD = workers/filesystem/libfilesystem_tools.a $(unit_libs)

check_PROGRAMS += tests/unit/test_text
TESTS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_CPPFLAGS = $(unit_cppflags)
tests_unit_test_text_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(unit_libs)

check_PROGRAMS += tests/unit/test_roots
TESTS += tests/unit/test_roots
tests_unit_test_roots_SOURCES = tests/unit/test_roots.c
tests_unit_test_roots_CPPFLAGS = $(unit_cppflags)
tests_unit_test_roots_LDADD = workers/common/libworker.a $(unit_libs)

# The roots that a client tells, as worker-filesystem takes them.
check_PROGRAMS += tests/unit/test_root_uris
TESTS += tests/unit/test_root_uris
tests_unit_test_root_uris_SOURCES = tests/unit/test_root_uris.c
tests_unit_test_root_uris_CPPFLAGS = $(unit_cppflags)
tests_unit_test_root_uris_LDADD = workers/filesystem/libfilesystem_tools.a \
	workers/common/libworker.a $(unit_libs)

# Code tools: which are there, how programs are found and called.
check_PROGRAMS += tests/unit/test_registry
TESTS += tests/unit/test_registry
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c
tests_unit_test_registry_CPPFLAGS = $(unit_cppflags)
tests_unit_test_registry_LDADD = workers/common/libworker.a $(unit_libs)

check_PROGRAMS += tests/unit/test_code_program
TESTS += tests/unit/test_code_program
tests_unit_test_code_program_SOURCES = tests/unit/test_code_program.c
tests_unit_test_code_program_CPPFLAGS = $(unit_cppflags)
tests_unit_test_code_program_LDADD = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(unit_libs)

# Walking and searching of the filesystem worker.
filesystem_walk_libs = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a \
	$(unit_libs) $(CRYPTO_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_shortlist
TESTS += tests/unit/test_shortlist
tests_unit_test_shortlist_SOURCES = tests/unit/test_shortlist.c
tests_unit_test_shortlist_CPPFLAGS = $(unit_cppflags)
tests_unit_test_shortlist_LDADD = $(filesystem_walk_libs)

check_PROGRAMS += tests/unit/test_walk
TESTS += tests/unit/test_walk
tests_unit_test_walk_SOURCES = tests/unit/test_walk.c
tests_unit_test_walk_CPPFLAGS = $(unit_cppflags)
tests_unit_test_walk_LDADD = $(filesystem_walk_libs)

check_PROGRAMS += tests/unit/test_patterns
TESTS += tests/unit/test_patterns
tests_unit_test_patterns_SOURCES = tests/unit/test_patterns.c
tests_unit_test_patterns_CPPFLAGS = $(unit_cppflags)
tests_unit_test_patterns_LDADD = $(filesystem_walk_libs)

check_PROGRAMS += tests/unit/test_ignore
TESTS += tests/unit/test_ignore
tests_unit_test_ignore_SOURCES = tests/unit/test_ignore.c
tests_unit_test_ignore_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ignore_LDADD = $(filesystem_walk_libs)

check_PROGRAMS += tests/unit/test_needle
TESTS += tests/unit/test_needle
tests_unit_test_needle_SOURCES = tests/unit/test_needle.c
tests_unit_test_needle_CPPFLAGS = $(unit_cppflags)
tests_unit_test_needle_LDADD = $(filesystem_walk_libs)
# Writing tools of the filesystem worker: what is pure in them.
filesystem_write_libs = workers/filesystem/libfilesystem_tools.a workers/common/libworker.a $(unit_libs) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_patch
TESTS += tests/unit/test_patch
tests_unit_test_patch_SOURCES = tests/unit/test_patch.c
tests_unit_test_patch_CPPFLAGS = $(unit_cppflags)
tests_unit_test_patch_LDADD = $(filesystem_write_libs)

check_PROGRAMS += tests/unit/test_precious
TESTS += tests/unit/test_precious
tests_unit_test_precious_SOURCES = tests/unit/test_precious.c
tests_unit_test_precious_CPPFLAGS = $(unit_cppflags)
tests_unit_test_precious_LDADD = workers/common/libworker.a $(unit_libs)

check_PROGRAMS += tests/unit/test_protect
TESTS += tests/unit/test_protect
tests_unit_test_protect_SOURCES = tests/unit/test_protect.c
tests_unit_test_protect_CPPFLAGS = $(unit_cppflags)
tests_unit_test_protect_LDADD = $(filesystem_write_libs)

check_PROGRAMS += tests/unit/test_replace
TESTS += tests/unit/test_replace
tests_unit_test_replace_SOURCES = tests/unit/test_replace.c
tests_unit_test_replace_CPPFLAGS = $(unit_cppflags)
tests_unit_test_replace_LDADD = $(filesystem_write_libs)

check_PROGRAMS += tests/unit/test_jx
TESTS += tests/unit/test_jx
tests_unit_test_jx_SOURCES = tests/unit/test_jx.c
tests_unit_test_jx_CPPFLAGS = $(unit_cppflags)
tests_unit_test_jx_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_conf
TESTS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
tests_unit_test_conf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_conf_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_conf_override
TESTS += tests/unit/test_conf_override
tests_unit_test_conf_override_SOURCES = tests/unit/test_conf_override.c
tests_unit_test_conf_override_CPPFLAGS = $(unit_cppflags)
tests_unit_test_conf_override_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_conf_env
TESTS += tests/unit/test_conf_env
tests_unit_test_conf_env_SOURCES = tests/unit/test_conf_env.c
tests_unit_test_conf_env_CPPFLAGS = $(unit_cppflags)
tests_unit_test_conf_env_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_jsonc
TESTS += tests/unit/test_jsonc
tests_unit_test_jsonc_SOURCES = tests/unit/test_jsonc.c
tests_unit_test_jsonc_CPPFLAGS = $(unit_cppflags) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_jsonc_LDADD = $(ctl_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_secrets
TESTS += tests/unit/test_secrets
tests_unit_test_secrets_SOURCES = tests/unit/test_secrets.c
tests_unit_test_secrets_CPPFLAGS = $(unit_cppflags)
tests_unit_test_secrets_LDADD = $(ctl_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_import_file
TESTS += tests/unit/test_import_file
tests_unit_test_import_file_SOURCES = tests/unit/test_import_file.c
tests_unit_test_import_file_CPPFLAGS = $(unit_cppflags) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_import_file_LDADD = $(ctl_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_server_yaml
TESTS += tests/unit/test_server_yaml
tests_unit_test_server_yaml_SOURCES = tests/unit/test_server_yaml.c
tests_unit_test_server_yaml_CPPFLAGS = $(unit_cppflags)
tests_unit_test_server_yaml_LDADD = supervisor/libsupervisor.a $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_amount
TESTS += tests/unit/test_amount
tests_unit_test_amount_SOURCES = tests/unit/test_amount.c
tests_unit_test_amount_CPPFLAGS = $(unit_cppflags)
tests_unit_test_amount_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_conf_value
TESTS += tests/unit/test_conf_value
tests_unit_test_conf_value_SOURCES = tests/unit/test_conf_value.c
tests_unit_test_conf_value_CPPFLAGS = $(unit_cppflags)
tests_unit_test_conf_value_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_proc
TESTS += tests/unit/test_proc
tests_unit_test_proc_SOURCES = tests/unit/test_proc.c
tests_unit_test_proc_CPPFLAGS = $(unit_cppflags)
tests_unit_test_proc_LDADD = workers/common/libworker.a $(unit_libs)

check_PROGRAMS += tests/unit/test_git_policy
TESTS += tests/unit/test_git_policy
tests_unit_test_git_policy_SOURCES = tests/unit/test_git_policy.c
tests_unit_test_git_policy_CPPFLAGS = $(unit_cppflags)
tests_unit_test_git_policy_LDADD = workers/git/libgit_tools.a $(unit_libs) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_git_repo
TESTS += tests/unit/test_git_repo
tests_unit_test_git_repo_SOURCES = tests/unit/test_git_repo.c
tests_unit_test_git_repo_CPPFLAGS = $(unit_cppflags) $(GIT2_CFLAGS)
tests_unit_test_git_repo_LDADD = workers/git/libgit_tools.a workers/common/libworker.a $(unit_libs) \
	$(GIT2_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_git_transport
TESTS += tests/unit/test_git_transport
tests_unit_test_git_transport_SOURCES = tests/unit/test_git_transport.c
tests_unit_test_git_transport_CPPFLAGS = $(unit_cppflags) $(GIT2_CFLAGS)
tests_unit_test_git_transport_LDADD = workers/git/libgit_tools.a workers/common/libworker.a $(unit_libs) \
	$(GIT2_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_git_when
TESTS += tests/unit/test_git_when
tests_unit_test_git_when_SOURCES = tests/unit/test_git_when.c
tests_unit_test_git_when_CPPFLAGS = $(unit_cppflags) $(GIT2_CFLAGS)
tests_unit_test_git_when_LDADD = workers/git/libgit_tools.a workers/common/libworker.a $(unit_libs) \
	$(GIT2_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_git_out
TESTS += tests/unit/test_git_out
tests_unit_test_git_out_SOURCES = tests/unit/test_git_out.c
tests_unit_test_git_out_CPPFLAGS = $(unit_cppflags) $(GIT2_CFLAGS)
tests_unit_test_git_out_LDADD = workers/git/libgit_tools.a workers/common/libworker.a $(unit_libs) \
	$(GIT2_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_notify
TESTS += tests/unit/test_notify
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CPPFLAGS = $(unit_cppflags)
tests_unit_test_notify_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_conf_docs
TESTS += tests/unit/test_conf_docs
tests_unit_test_conf_docs_SOURCES = tests/unit/test_conf_docs.c
tests_unit_test_conf_docs_CPPFLAGS = $(unit_cppflags) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_conf_docs_LDADD = supervisor/libsupervisor.a $(unit_libs) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_ctl_args
TESTS += tests/unit/test_ctl_args
tests_unit_test_ctl_args_SOURCES = tests/unit/test_ctl_args.c
tests_unit_test_ctl_args_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_args_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ctl_call_value
TESTS += tests/unit/test_ctl_call_value
tests_unit_test_ctl_call_value_SOURCES = tests/unit/test_ctl_call_value.c
tests_unit_test_ctl_call_value_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_call_value_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ctl_client
TESTS += tests/unit/test_ctl_client
tests_unit_test_ctl_client_SOURCES = tests/unit/test_ctl_client.c
tests_unit_test_ctl_client_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_client_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ctl_complete
TESTS += tests/unit/test_ctl_complete
tests_unit_test_ctl_complete_SOURCES = tests/unit/test_ctl_complete.c
tests_unit_test_ctl_complete_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_complete_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ctl_output
TESTS += tests/unit/test_ctl_output
tests_unit_test_ctl_output_SOURCES = tests/unit/test_ctl_output.c
tests_unit_test_ctl_output_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_output_LDADD = $(ctl_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_ctl_docs
TESTS += tests/unit/test_ctl_docs
tests_unit_test_ctl_docs_SOURCES = tests/unit/test_ctl_docs.c
tests_unit_test_ctl_docs_CPPFLAGS = $(unit_cppflags) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_ctl_docs_LDADD = $(ctl_libs) $(unit_libs)

# The supervisor.
supervisor_unit_libs = supervisor/libsupervisor.a $(unit_libs) $(EVENT_LIBS) $(YAML_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
supervisor_unit_cppflags = $(unit_cppflags) $(EVENT_CFLAGS)

check_PROGRAMS += tests/unit/test_tls_crl
TESTS += tests/unit/test_tls_crl
tests_unit_test_tls_crl_SOURCES = tests/unit/test_tls_crl.c
tests_unit_test_tls_crl_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_tls_crl_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_backoff
TESTS += tests/unit/test_backoff
tests_unit_test_backoff_SOURCES = tests/unit/test_backoff.c
tests_unit_test_backoff_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_backoff_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_worker
TESTS += tests/unit/test_worker
tests_unit_test_worker_SOURCES = tests/unit/test_worker.c
tests_unit_test_worker_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_worker_LDADD = $(supervisor_unit_libs)

catalog_world = tests/unit/catalog_world.c tests/unit/catalog_world.h

check_PROGRAMS += tests/unit/test_catalog
TESTS += tests/unit/test_catalog
tests_unit_test_catalog_SOURCES = tests/unit/test_catalog.c $(catalog_world)
tests_unit_test_catalog_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_find
TESTS += tests/unit/test_catalog_find
tests_unit_test_catalog_find_SOURCES = tests/unit/test_catalog_find.c $(catalog_world)
tests_unit_test_catalog_find_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_find_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_view
TESTS += tests/unit/test_catalog_view
tests_unit_test_catalog_view_SOURCES = tests/unit/test_catalog_view.c $(catalog_world)
tests_unit_test_catalog_view_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_view_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_index
TESTS += tests/unit/test_catalog_index
tests_unit_test_catalog_index_SOURCES = tests/unit/test_catalog_index.c $(catalog_world)
tests_unit_test_catalog_index_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_index_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_item
TESTS += tests/unit/test_catalog_item
tests_unit_test_catalog_item_SOURCES = tests/unit/test_catalog_item.c
tests_unit_test_catalog_item_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_item_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_naming
TESTS += tests/unit/test_catalog_naming
tests_unit_test_catalog_naming_SOURCES = tests/unit/test_catalog_naming.c
tests_unit_test_catalog_naming_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_naming_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_offer
TESTS += tests/unit/test_catalog_offer
tests_unit_test_catalog_offer_SOURCES = tests/unit/test_catalog_offer.c $(catalog_world)
tests_unit_test_catalog_offer_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_offer_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_catalog_template
TESTS += tests/unit/test_catalog_template
tests_unit_test_catalog_template_SOURCES = tests/unit/test_catalog_template.c
tests_unit_test_catalog_template_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_catalog_template_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_expiry
TESTS += tests/unit/test_expiry
tests_unit_test_expiry_SOURCES = tests/unit/test_expiry.c
tests_unit_test_expiry_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_expiry_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_client_addr
TESTS += tests/unit/test_client_addr
tests_unit_test_client_addr_SOURCES = tests/unit/test_client_addr.c
tests_unit_test_client_addr_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_client_addr_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_cors
TESTS += tests/unit/test_cors
tests_unit_test_cors_SOURCES = tests/unit/test_cors.c tests/unit/head_text.h
tests_unit_test_cors_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_cors_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_credential
TESTS += tests/unit/test_credential
tests_unit_test_credential_SOURCES = tests/unit/test_credential.c tests/unit/head_text.h
tests_unit_test_credential_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_credential_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_guard
TESTS += tests/unit/test_guard
tests_unit_test_guard_SOURCES = tests/unit/test_guard.c tests/unit/head_text.h
tests_unit_test_guard_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_guard_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_revision
TESTS += tests/unit/test_revision
tests_unit_test_revision_SOURCES = tests/unit/test_revision.c
tests_unit_test_revision_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_revision_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_stats_door
TESTS += tests/unit/test_stats_door
tests_unit_test_stats_door_SOURCES = tests/unit/test_stats_door.c
tests_unit_test_stats_door_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_stats_door_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_metrics_text
TESTS += tests/unit/test_metrics_text
tests_unit_test_metrics_text_SOURCES = tests/unit/test_metrics_text.c
tests_unit_test_metrics_text_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_metrics_text_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_keys
TESTS += tests/unit/test_keys
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c
tests_unit_test_keys_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_keys_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_shares
TESTS += tests/unit/test_shares
tests_unit_test_shares_SOURCES = tests/unit/test_shares.c
tests_unit_test_shares_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_shares_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_usage
TESTS += tests/unit/test_usage
tests_unit_test_usage_SOURCES = tests/unit/test_usage.c
tests_unit_test_usage_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_usage_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_audit
TESTS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c
tests_unit_test_audit_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_audit_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_session
TESTS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_session_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_loop
TESTS += tests/unit/test_loop
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_loop_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_fleet
TESTS += tests/unit/test_fleet
tests_unit_test_fleet_SOURCES = tests/unit/test_fleet.c
tests_unit_test_fleet_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_fleet_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_options
TESTS += tests/unit/test_options
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_options_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_http_reply
TESTS += tests/unit/test_http_reply
tests_unit_test_http_reply_SOURCES = tests/unit/test_http_reply.c
tests_unit_test_http_reply_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_http_reply_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_hosts
TESTS += tests/unit/test_hosts
tests_unit_test_hosts_SOURCES = tests/unit/test_hosts.c tests/unit/head_text.h
tests_unit_test_hosts_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_hosts_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_owner
TESTS += tests/unit/test_owner
tests_unit_test_owner_SOURCES = tests/unit/test_owner.c
tests_unit_test_owner_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_owner_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_sse
TESTS += tests/unit/test_sse
tests_unit_test_sse_SOURCES = tests/unit/test_sse.c
tests_unit_test_sse_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_sse_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_health
TESTS += tests/unit/test_health
tests_unit_test_health_SOURCES = tests/unit/test_health.c
tests_unit_test_health_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_health_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_html
TESTS += tests/unit/test_html
tests_unit_test_html_SOURCES = tests/unit/test_html.c
tests_unit_test_html_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_html_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_page_live
TESTS += tests/unit/test_page_live
tests_unit_test_page_live_SOURCES = tests/unit/test_page_live.c
tests_unit_test_page_live_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_page_live_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_page_render
TESTS += tests/unit/test_page_render
tests_unit_test_page_render_SOURCES = tests/unit/test_page_render.c
tests_unit_test_page_render_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_page_render_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_control
TESTS += tests/unit/test_control
tests_unit_test_control_SOURCES = tests/unit/test_control.c tests/unit/control_world.c tests/unit/control_world.h \
	tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_control_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_control_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_registration
TESTS += tests/unit/test_registration
tests_unit_test_registration_SOURCES = tests/unit/test_registration.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_registration_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_registration_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_otlp
TESTS += tests/unit/test_otlp
tests_unit_test_otlp_SOURCES = tests/unit/test_otlp.c
tests_unit_test_otlp_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_otlp_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_trace_span
TESTS += tests/unit/test_trace_span
tests_unit_test_trace_span_SOURCES = tests/unit/test_trace_span.c
tests_unit_test_trace_span_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_trace_span_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_courier
TESTS += tests/unit/test_courier
tests_unit_test_courier_SOURCES = tests/unit/test_courier.c tests/unit/fake_process.c tests/unit/fake_process.h
tests_unit_test_courier_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_courier_LDADD = $(supervisor_unit_libs)

# With real processes: tests/probe/worker-probe, started by mcp-fleet-exec.
check_PROGRAMS += tests/unit/test_fleet_live
TESTS += tests/unit/test_fleet_live
tests_unit_test_fleet_live_SOURCES = tests/unit/test_fleet_live.c
tests_unit_test_fleet_live_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_fleet_live_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_log_ring
TESTS += tests/unit/test_log_ring
tests_unit_test_log_ring_SOURCES = tests/unit/test_log_ring.c
tests_unit_test_log_ring_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_log_ring_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_launch
TESTS += tests/unit/test_launch
tests_unit_test_launch_SOURCES = tests/unit/test_launch.c
tests_unit_test_launch_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_launch_LDADD = $(supervisor_unit_libs)

# The sandbox: what a domain asks for, and what mcp-fleet-exec makes of it.
check_PROGRAMS += tests/unit/test_confine
TESTS += tests/unit/test_confine
tests_unit_test_confine_SOURCES = tests/unit/test_confine.c
tests_unit_test_confine_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_confine_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_exec_plan
TESTS += tests/unit/test_exec_plan
tests_unit_test_exec_plan_SOURCES = tests/unit/test_exec_plan.c
tests_unit_test_exec_plan_CPPFLAGS = $(unit_cppflags)
tests_unit_test_exec_plan_LDADD = workers/exec/libexec.a $(unit_libs) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/test_exec_limits
TESTS += tests/unit/test_exec_limits
tests_unit_test_exec_limits_SOURCES = tests/unit/test_exec_limits.c
tests_unit_test_exec_limits_CPPFLAGS = $(unit_cppflags)
tests_unit_test_exec_limits_LDADD = workers/exec/libexec.a $(unit_libs) $(SECCOMP_LIBS)

# mcp-fleet-remote: event streams, headers, URLs, lines.
unit_remote_libs = workers/remote/libremote.a workers/common/libhttp.a $(unit_libs) $(CURL_LIBS)

check_PROGRAMS += tests/unit/test_http_head
TESTS += tests/unit/test_http_head
tests_unit_test_http_head_SOURCES = tests/unit/test_http_head.c
tests_unit_test_http_head_CPPFLAGS = $(unit_cppflags)
tests_unit_test_http_head_LDADD = $(unit_remote_libs)

check_PROGRAMS += tests/unit/test_remote_events
TESTS += tests/unit/test_remote_events
tests_unit_test_remote_events_SOURCES = tests/unit/test_remote_events.c
tests_unit_test_remote_events_CPPFLAGS = $(unit_cppflags)
tests_unit_test_remote_events_LDADD = $(unit_remote_libs)

check_PROGRAMS += tests/unit/test_remote_headers
TESTS += tests/unit/test_remote_headers
tests_unit_test_remote_headers_SOURCES = tests/unit/test_remote_headers.c
tests_unit_test_remote_headers_CPPFLAGS = $(unit_cppflags)
tests_unit_test_remote_headers_LDADD = $(unit_remote_libs)

check_PROGRAMS += tests/unit/test_ctl_bridge
TESTS += tests/unit/test_ctl_bridge
tests_unit_test_ctl_bridge_SOURCES = tests/unit/test_ctl_bridge.c
tests_unit_test_ctl_bridge_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ctl_bridge_LDADD = ctl/libctl.a $(unit_libs)

check_PROGRAMS += tests/unit/test_lines
TESTS += tests/unit/test_lines
tests_unit_test_lines_SOURCES = tests/unit/test_lines.c
tests_unit_test_lines_CPPFLAGS = $(unit_cppflags)
tests_unit_test_lines_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_remote_mirrors
TESTS += tests/unit/test_remote_mirrors
tests_unit_test_remote_mirrors_SOURCES = tests/unit/test_remote_mirrors.c
tests_unit_test_remote_mirrors_CPPFLAGS = $(unit_cppflags)
tests_unit_test_remote_mirrors_LDADD = $(unit_remote_libs)

check_PROGRAMS += tests/unit/test_remote_target
TESTS += tests/unit/test_remote_target
tests_unit_test_remote_target_SOURCES = tests/unit/test_remote_target.c
tests_unit_test_remote_target_CPPFLAGS = $(unit_cppflags)
tests_unit_test_remote_target_LDADD = $(unit_remote_libs)

check_PROGRAMS += tests/unit/test_link
TESTS += tests/unit/test_link
tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_link_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_git_settings
TESTS += tests/unit/test_git_settings
tests_unit_test_git_settings_SOURCES = tests/unit/test_git_settings.c
tests_unit_test_git_settings_CPPFLAGS = $(supervisor_unit_cppflags) $(GIT2_CFLAGS)
tests_unit_test_git_settings_LDADD = workers/git/libgit_tools.a workers/common/libworker.a \
	$(supervisor_unit_libs) $(GIT2_LIBS) $(PCRE2_LIBS)

check_PROGRAMS += tests/unit/test_offering
TESTS += tests/unit/test_offering
tests_unit_test_offering_SOURCES = tests/unit/test_offering.c
tests_unit_test_offering_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_offering_LDADD = $(supervisor_unit_libs)

worker_unit_sources = tests/unit/fake_process.c tests/unit/fake_process.h

check_PROGRAMS += tests/unit/test_worker_link
TESTS += tests/unit/test_worker_link
tests_unit_test_worker_link_SOURCES = tests/unit/test_worker_link.c $(worker_unit_sources)
tests_unit_test_worker_link_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_worker_link_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_worker_opening
TESTS += tests/unit/test_worker_opening
tests_unit_test_worker_opening_SOURCES = tests/unit/test_worker_opening.c $(worker_unit_sources)
tests_unit_test_worker_opening_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_worker_opening_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_worker_wants
TESTS += tests/unit/test_worker_wants
tests_unit_test_worker_wants_SOURCES = tests/unit/test_worker_wants.c $(worker_unit_sources)
tests_unit_test_worker_wants_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_worker_wants_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_worker_lines
TESTS += tests/unit/test_worker_lines
tests_unit_test_worker_lines_SOURCES = tests/unit/test_worker_lines.c $(worker_unit_sources)
tests_unit_test_worker_lines_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_worker_lines_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_mcp
TESTS += tests/unit/test_mcp
tests_unit_test_mcp_SOURCES = tests/unit/test_mcp.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_mcp_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_mcp_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_mcp_view
TESTS += tests/unit/test_mcp_view
tests_unit_test_mcp_view_SOURCES = tests/unit/test_mcp_view.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_mcp_view_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_mcp_view_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_call_end
TESTS += tests/unit/test_call_end
tests_unit_test_call_end_SOURCES = tests/unit/test_call_end.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_call_end_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_call_end_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_mcp_hostile
TESTS += tests/unit/test_mcp_hostile
tests_unit_test_mcp_hostile_SOURCES = tests/unit/test_mcp_hostile.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_mcp_hostile_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_mcp_hostile_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_tasks
TESTS += tests/unit/test_tasks
tests_unit_test_tasks_SOURCES = tests/unit/test_tasks.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_tasks_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_tasks_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_bridge
TESTS += tests/unit/test_bridge
tests_unit_test_bridge_SOURCES = tests/unit/test_bridge.c tests/unit/mcp_world.c tests/unit/mcp_world.h
tests_unit_test_bridge_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_bridge_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_client_roots
TESTS += tests/unit/test_client_roots
tests_unit_test_client_roots_SOURCES = tests/unit/test_client_roots.c tests/unit/mcp_world.c \
	tests/unit/mcp_world.h
tests_unit_test_client_roots_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_client_roots_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_errlog
TESTS += tests/unit/test_errlog
tests_unit_test_errlog_SOURCES = tests/unit/test_errlog.c
tests_unit_test_errlog_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_errlog_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_stream
TESTS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_stream_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_fairq
TESTS += tests/unit/test_fairq
tests_unit_test_fairq_SOURCES = tests/unit/test_fairq.c
tests_unit_test_fairq_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_fairq_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c
tests_unit_test_store_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_store_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_wants
TESTS += tests/unit/test_wants
tests_unit_test_wants_SOURCES = tests/unit/test_wants.c
tests_unit_test_wants_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_wants_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_local
TESTS += tests/unit/test_local
tests_unit_test_local_SOURCES = tests/unit/test_local.c
tests_unit_test_local_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_local_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_local_socket
TESTS += tests/unit/test_local_socket
tests_unit_test_local_socket_SOURCES = tests/unit/test_local_socket.c
tests_unit_test_local_socket_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_local_socket_LDADD = $(supervisor_unit_libs)

fake_domain_sources = tests/unit/fake_domain.c tests/unit/fake_domain.h

check_PROGRAMS += tests/unit/test_domain_random
TESTS += tests/unit/test_domain_random
tests_unit_test_domain_random_SOURCES = tests/unit/test_domain_random.c $(fake_domain_sources)
tests_unit_test_domain_random_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_random_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_domain_session
TESTS += tests/unit/test_domain_session
tests_unit_test_domain_session_SOURCES = tests/unit/test_domain_session.c $(fake_domain_sources)
tests_unit_test_domain_session_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_session_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_domain_sleep
TESTS += tests/unit/test_domain_sleep
tests_unit_test_domain_sleep_SOURCES = tests/unit/test_domain_sleep.c $(fake_domain_sources)
tests_unit_test_domain_sleep_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_sleep_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_domain_restart
TESTS += tests/unit/test_domain_restart
tests_unit_test_domain_restart_SOURCES = tests/unit/test_domain_restart.c $(fake_domain_sources)
tests_unit_test_domain_restart_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_restart_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_domain_disable
TESTS += tests/unit/test_domain_disable
tests_unit_test_domain_disable_SOURCES = tests/unit/test_domain_disable.c $(fake_domain_sources)
tests_unit_test_domain_disable_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_disable_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_domain
TESTS += tests/unit/test_domain
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c $(fake_domain_sources)
tests_unit_test_domain_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_domain_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_cgroup
TESTS += tests/unit/test_cgroup
tests_unit_test_cgroup_SOURCES = tests/unit/test_cgroup.c
tests_unit_test_cgroup_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_cgroup_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_heartbeat
TESTS += tests/unit/test_heartbeat
tests_unit_test_heartbeat_SOURCES = tests/unit/test_heartbeat.c
tests_unit_test_heartbeat_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_heartbeat_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_event_store
TESTS += tests/unit/test_event_store
tests_unit_test_event_store_SOURCES = tests/unit/test_event_store.c
tests_unit_test_event_store_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_event_store_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_http_accept
TESTS += tests/unit/test_http_accept
tests_unit_test_http_accept_SOURCES = tests/unit/test_http_accept.c
tests_unit_test_http_accept_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_http_accept_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_streamable
TESTS += tests/unit/test_streamable
tests_unit_test_streamable_SOURCES = tests/unit/test_streamable.c
tests_unit_test_streamable_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_streamable_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_http_conn
TESTS += tests/unit/test_http_conn
tests_unit_test_http_conn_SOURCES = tests/unit/test_http_conn.c
tests_unit_test_http_conn_CPPFLAGS = $(supervisor_unit_cppflags)
tests_unit_test_http_conn_LDADD = $(supervisor_unit_libs)

# The network worker: pages as text.
network_page_libs = workers/network/libnetwork_tools.a workers/common/libworker.a $(unit_libs) \
	$(CURL_LIBS) $(CARES_LIBS) $(XML2_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS)

check_PROGRAMS += tests/unit/test_page
TESTS += tests/unit/test_page
tests_unit_test_page_SOURCES = tests/unit/test_page.c
tests_unit_test_page_CPPFLAGS = $(unit_cppflags)
tests_unit_test_page_LDADD = $(network_page_libs)

# The network worker: addresses, names, URLs, HTTP.
network_http_libs = workers/network/libnetwork_tools.a workers/common/libworker.a $(unit_libs) \
	$(CURL_LIBS) $(CARES_LIBS) $(IDN2_LIBS) $(XML2_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_network_policy
TESTS += tests/unit/test_network_policy
tests_unit_test_network_policy_SOURCES = tests/unit/test_network_policy.c
tests_unit_test_network_policy_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS) $(CARES_CFLAGS)
tests_unit_test_network_policy_LDADD = $(network_http_libs)

check_PROGRAMS += tests/unit/test_network_robots
TESTS += tests/unit/test_network_robots
tests_unit_test_network_robots_SOURCES = tests/unit/test_network_robots.c
tests_unit_test_network_robots_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS) $(CARES_CFLAGS)
tests_unit_test_network_robots_LDADD = $(network_http_libs)

check_PROGRAMS += tests/unit/test_network_url
TESTS += tests/unit/test_network_url
tests_unit_test_network_url_SOURCES = tests/unit/test_network_url.c
tests_unit_test_network_url_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS) $(CARES_CFLAGS)
tests_unit_test_network_url_LDADD = $(network_http_libs)

# The network worker: looking at DNS.
check_PROGRAMS += tests/unit/test_dns_message
TESTS += tests/unit/test_dns_message
tests_unit_test_dns_message_SOURCES = tests/unit/test_dns_message.c
tests_unit_test_dns_message_CPPFLAGS = $(unit_cppflags)
tests_unit_test_dns_message_LDADD = workers/network/libnetwork_tools.a $(unit_libs)

check_PROGRAMS += tests/unit/test_network_reverse
TESTS += tests/unit/test_network_reverse
tests_unit_test_network_reverse_SOURCES = tests/unit/test_network_reverse.c
tests_unit_test_network_reverse_CPPFLAGS = $(unit_cppflags)
tests_unit_test_network_reverse_LDADD = workers/network/libnetwork_tools.a $(unit_libs)

# What tells requests of the stateless revision apart.
check_PROGRAMS += tests/unit/test_envelope
TESTS += tests/unit/test_envelope
tests_unit_test_envelope_SOURCES = tests/unit/test_envelope.c
tests_unit_test_envelope_CPPFLAGS = $(unit_cppflags)
tests_unit_test_envelope_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_envelope_params
TESTS += tests/unit/test_envelope_params
tests_unit_test_envelope_params_SOURCES = tests/unit/test_envelope_params.c
tests_unit_test_envelope_params_CPPFLAGS = $(unit_cppflags)
tests_unit_test_envelope_params_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_mcp_headers
TESTS += tests/unit/test_mcp_headers
tests_unit_test_mcp_headers_SOURCES = tests/unit/test_mcp_headers.c
tests_unit_test_mcp_headers_CPPFLAGS = $(unit_cppflags)
tests_unit_test_mcp_headers_LDADD = supervisor/libsupervisor.a $(unit_libs)

check_PROGRAMS += tests/unit/test_trace
TESTS += tests/unit/test_trace
tests_unit_test_trace_SOURCES = tests/unit/test_trace.c
tests_unit_test_trace_CPPFLAGS = $(unit_cppflags)
tests_unit_test_trace_LDADD = supervisor/libsupervisor.a $(unit_libs)

# The registrar.
unit_registrar_libs = workers/registrar/libregistrar.a workers/common/libhttp.a workers/common/libworker.a $(unit_libs) $(CURL_LIBS) \
	$(CRYPTO_LIBS) -lm

check_PROGRAMS += tests/unit/test_registrar_answer
TESTS += tests/unit/test_registrar_answer
tests_unit_test_registrar_answer_SOURCES = tests/unit/test_registrar_answer.c
tests_unit_test_registrar_answer_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_answer_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_keep
TESTS += tests/unit/test_registrar_keep
tests_unit_test_registrar_keep_SOURCES = tests/unit/test_registrar_keep.c
tests_unit_test_registrar_keep_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_keep_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_pace
TESTS += tests/unit/test_registrar_pace
tests_unit_test_registrar_pace_SOURCES = tests/unit/test_registrar_pace.c
tests_unit_test_registrar_pace_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_pace_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_plan
TESTS += tests/unit/test_registrar_plan
tests_unit_test_registrar_plan_SOURCES = tests/unit/test_registrar_plan.c
tests_unit_test_registrar_plan_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_plan_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_precheck
TESTS += tests/unit/test_registrar_precheck
tests_unit_test_registrar_precheck_SOURCES = tests/unit/test_registrar_precheck.c
tests_unit_test_registrar_precheck_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_precheck_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_report
TESTS += tests/unit/test_registrar_report
tests_unit_test_registrar_report_SOURCES = tests/unit/test_registrar_report.c
tests_unit_test_registrar_report_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_report_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_settings
TESTS += tests/unit/test_registrar_settings
tests_unit_test_registrar_settings_SOURCES = tests/unit/test_registrar_settings.c
tests_unit_test_registrar_settings_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_settings_LDADD = $(unit_registrar_libs)

check_PROGRAMS += tests/unit/test_registrar_token
TESTS += tests/unit/test_registrar_token
tests_unit_test_registrar_token_SOURCES = tests/unit/test_registrar_token.c
tests_unit_test_registrar_token_CPPFLAGS = $(unit_cppflags) $(CURL_CFLAGS)
tests_unit_test_registrar_token_LDADD = $(unit_registrar_libs)

# Tokens: an issuer of the tests' own signs them.
unit_token_sources = tests/unit/token_world.c tests/unit/token_world.h
unit_token_cppflags = $(unit_cppflags) $(CRYPTO_CFLAGS)
unit_token_libs = supervisor/libsupervisor.a $(unit_libs) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_jwks
TESTS += tests/unit/test_jwks
tests_unit_test_jwks_SOURCES = tests/unit/test_jwks.c $(unit_token_sources)
tests_unit_test_jwks_CPPFLAGS = $(unit_token_cppflags)
tests_unit_test_jwks_LDADD = $(unit_token_libs)

check_PROGRAMS += tests/unit/test_front_token
TESTS += tests/unit/test_front_token
tests_unit_test_front_token_SOURCES = tests/unit/test_front_token.c $(unit_token_sources)
tests_unit_test_front_token_CPPFLAGS = $(unit_token_cppflags)
tests_unit_test_front_token_LDADD = $(unit_token_libs)

check_PROGRAMS += tests/unit/test_principal
TESTS += tests/unit/test_principal
tests_unit_test_principal_SOURCES = tests/unit/test_principal.c
tests_unit_test_principal_CPPFLAGS = $(unit_cppflags) $(EVENT_CFLAGS)
tests_unit_test_principal_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_resource_meta
TESTS += tests/unit/test_resource_meta
tests_unit_test_resource_meta_SOURCES = tests/unit/test_resource_meta.c
tests_unit_test_resource_meta_CPPFLAGS = $(unit_cppflags) $(EVENT_CFLAGS)
tests_unit_test_resource_meta_LDADD = $(supervisor_unit_libs)

check_PROGRAMS += tests/unit/test_token_door
TESTS += tests/unit/test_token_door
tests_unit_test_token_door_SOURCES = tests/unit/test_token_door.c $(unit_token_sources)
tests_unit_test_token_door_CPPFLAGS = $(unit_token_cppflags) $(EVENT_CFLAGS)
tests_unit_test_token_door_LDADD = $(unit_token_libs) $(EVENT_LIBS) $(YAML_LIBS)
endif
