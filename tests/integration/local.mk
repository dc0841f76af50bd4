# The integration tests need clients from outside; ./check makes their environments and calls this.
EXTRA_DIST += \
	quickstart \
	.ci/run \
	packaging/needs \
	tests/data/calls/filesystem.json \
	tests/data/calls/git.json \
	tests/data/calls/network.json \
	tests/data/calls/utils.json \
	tests/data/clients/claude_code_project.json \
	tests/data/clients/claude_code_user.json \
	tests/data/clients/claude_desktop.json \
	tests/data/clients/comment_only.json \
	tests/data/clients/cursor_tabs.json \
	tests/data/clients/deep_comment.json \
	tests/data/clients/empty_object.json \
	tests/data/clients/no_servers.json \
	tests/data/clients/one_line.json \
	tests/data/clients/vscode_mcp.json \
	tests/data/clients/vscode_settings.json \
	tests/data/clients/windows_bom.json \
	tests/data/prometheus/mcp-fleet.rules.test.yml \
	tests/conformance/fixture.py \
	tests/conformance/legacy_server.py \
	tests/conformance/modern_server.py \
	tests/integration/biginputs.py \
	tests/integration/browser.py \
	tests/integration/certs.py \
	tests/integration/clients/bridge.py \
	tests/integration/clients/browser.mjs \
	tests/integration/clients/fastmcp_client.py \
	tests/integration/clients/gateway_calls.py \
	tests/integration/clients/rounds.py \
	tests/integration/clients/sdk_python.py \
	tests/integration/clients/sdk_typescript.mjs \
	tests/integration/clients/zygote.py \
	tests/integration/collector.py \
	tests/integration/conformance.py \
	tests/integration/container.py \
	tests/integration/control.py \
	tests/integration/conftest.py \
	tests/integration/ctl.py \
	tests/integration/crossing.py \
	tests/integration/doorkeys.py \
	tests/integration/fakegateway.py \
	tests/integration/fleet.py \
	tests/integration/gateway.py \
	tests/integration/lsan.supp \
	tests/integration/metrics.py \
	tests/integration/netpeers.py \
	tests/integration/package-lock.json \
	tests/integration/package.json \
	tests/integration/pytest.ini \
	tests/integration/registrar.py \
	tests/integration/registration.py \
	tests/integration/relay.py \
	tests/integration/remote.py \
	tests/integration/requirements-gateway.txt \
	tests/integration/requirements-sdk1.txt \
	tests/integration/requirements-sdk2.txt \
	tests/integration/requirements-servers.txt \
	tests/integration/requirements-test.txt \
	tests/integration/sdk.py \
	tests/integration/servers.py \
	tests/integration/servers/package-lock.json \
	tests/integration/servers/package.json \
	tests/integration/stdio.py \
	tests/integration/stdio_worker.py \
	tests/integration/streamable.py \
	tests/integration/test_audit.py \
	tests/integration/test_big_inputs.py \
	tests/integration/test_bridge.py \
	tests/integration/test_client_roots.py \
	tests/integration/test_clients.py \
	tests/integration/test_conformance.py \
	tests/integration/test_control.py \
	tests/integration/test_disabled.py \
	tests/integration/test_eras.py \
	tests/integration/test_courier.py \
	tests/integration/test_crossing.py \
	tests/integration/test_ctl_completion.py \
	tests/integration/test_ctl_doctor.py \
	tests/integration/test_ctl_files.py \
	tests/integration/test_ctl_key.py \
	tests/integration/test_ctl_ops.py \
	tests/integration/test_ctl_read.py \
	tests/integration/test_errors.py \
	tests/integration/test_filesystem_read.py \
	tests/integration/test_filesystem_code.py \
	tests/integration/test_filesystem_walk.py \
	tests/integration/test_filesystem_words.py \
	tests/integration/test_filesystem_write.py \
	tests/integration/test_gateway.py \
	tests/integration/test_guard.py \
	tests/integration/test_git_big.py \
	tests/integration/test_git_holes.py \
	tests/integration/test_git_https.py \
	tests/integration/test_git_read.py \
	tests/integration/test_git_remote.py \
	tests/integration/test_git_write.py \
	tests/integration/test_guard_life.py \
	tests/integration/test_hostile_http.py \
	tests/integration/test_isolation.py \
	tests/integration/test_journal.py \
	tests/integration/test_lazy.py \
	tests/integration/test_lifecycle.py \
	tests/integration/test_load.py \
	tests/integration/test_limits.py \
	tests/integration/test_local.py \
	tests/integration/test_metrics.py \
	tests/integration/test_metrics_move.py \
	tests/integration/test_network_hostile.py \
	tests/integration/test_network_http.py \
	tests/integration/test_network_lookup.py \
	tests/integration/test_network_reverse.py \
	tests/integration/test_one_catalog.py \
	tests/integration/test_otlp.py \
	tests/integration/test_python_sdk.py \
	tests/integration/test_registrar.py \
	tests/integration/test_registrar_answers.py \
	tests/integration/test_registration.py \
	tests/integration/test_remote.py \
	tests/integration/test_remote_servers.py \
	tests/integration/test_revisions.py \
	tests/integration/test_sandbox.py \
	tests/integration/test_sandbox_servers.py \
	tests/integration/test_servers.py \
	tests/integration/test_service.py \
	tests/integration/test_sessions.py \
	tests/integration/test_sse_handshake.py \
	tests/integration/test_streamable.py \
	tests/integration/test_stateless.py \
	tests/integration/test_status_browser.py \
	tests/integration/test_status_page.py \
	tests/integration/test_stdio.py \
	tests/integration/test_tasks.py \
	tests/integration/test_tls.py \
	tests/integration/test_tokens.py \
	tests/integration/test_trace.py \
	tests/integration/test_transport.py \
	tests/integration/test_typescript_sdk.py \
	tests/integration/test_utils_tools.py \
	tests/integration/tokens.py \
	tests/integration/wire.py \
	tests/integration/workers/counter_server.py \
	tests/integration/workers/fake_worker.py \
	tests/integration/workers/full_server.mjs \
	tests/integration/workers/journal_probe.py \
	tests/integration/workers/full_server.py \
	tests/integration/workers/meta_server.py \
	tests/integration/workers/old_server.py \
	tests/integration/workers/remote_sdk.py \
	tests/integration/workers/sdk_server.mjs \
	tests/integration/workers/sdk_server.py \
	tests/integration/workers/secret_server.py \
	tests/integration/workers/troubled.py

# make check-integration PYTEST_ARGS="-k kill_9"
PYTEST_ARGS =
.PHONY: check-integration
check-integration: all
	@envs="$${MCP_FLEET_ENVS:-$${XDG_CACHE_HOME:-$$HOME/.cache}/mcp-fleet-check}"; \
	test -x "$$envs/venv-test/bin/python" || { echo "first run: $(top_srcdir)/check --stage envs" >&2; exit 1; }; \
	cd $(srcdir)/tests/integration && \
	PYTHONDONTWRITEBYTECODE=1 MCP_FLEET_ENVS="$$envs" MCP_FLEET_BUILD="$(abs_top_builddir)" \
	"$$envs/venv-test/bin/python" -m pytest $(PYTEST_ARGS)

# The picture of doc/status-page.md.
.PHONY: status-screenshot
status-screenshot:
	MCP_FLEET_STATUS_SCREENSHOT="$(abs_top_srcdir)/doc/status.png" \
		$(MAKE) $(AM_MAKEFLAGS) check-integration PYTEST_ARGS="test_status_browser.py -k screenshot"

# The tests that also run under sanitizers, here under valgrind: minutes, not seconds.
.PHONY: check-valgrind
check-valgrind:
	MCP_FLEET_WRAPPER="valgrind -q --leak-check=full --error-exitcode=99" MCP_FLEET_SLOWNESS=10 \
		$(MAKE) $(AM_MAKEFLAGS) check-integration PYTEST_ARGS="-m sanitizers --timeout 600 $(PYTEST_ARGS)"
