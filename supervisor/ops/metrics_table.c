/* All metrics. doc/metrics.md has the same list for people, and test_metrics_text compares the two. */
#include "supervisor/ops/metrics_text.h"

#define GAUGE(name_, help_, ...)                                                                   \
	{                                                                                          \
		.name = (name_), .type = METRIC_GAUGE, .help = (help_), .labels = { __VA_ARGS__ }  \
	}
#define COUNTER(name_, help_, ...)                                                                 \
	{                                                                                          \
		.name = (name_), .type = METRIC_COUNTER, .help = (help_), .labels = {              \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define UNIT_GAUGE(name_, unit_, help_, ...)                                                       \
	{                                                                                          \
		.name = (name_), .type = METRIC_GAUGE, .unit = (unit_), .help = (help_),           \
		.labels = {                                                                        \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define SECONDS_COUNTER(name_, help_, ...)                                                         \
	{                                                                                          \
		.name = (name_), .type = METRIC_COUNTER, .unit = "seconds", .help = (help_),       \
		.labels = {                                                                        \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define SECONDS_HISTOGRAM(name_, first_, last_, step_, scale_, help_, ...)                         \
	{                                                                                          \
		.name = (name_), .type = METRIC_HISTOGRAM, .unit = "seconds", .first = (first_),   \
		.last = (last_), .step = (step_), .scale = (scale_), .help = (help_), .labels = {  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* clang-format off */
const struct metric metrics_table[METRICS] = {
	[METRIC_SSE_CONNECTIONS] = GAUGE("sse_connections_active",
		"Event streams that are open.", "transport", "domain"),
	[METRIC_MESSAGES] = COUNTER("messages_received_total",
		"Messages from clients.", "transport", "method", "domain"),
	[METRIC_REQUEST_DURATION] = SECONDS_HISTOGRAM("request_duration_seconds", 9, 27, 1, 1,
		"From a request to its answer, by the domain that served it.",
		"transport", "method", "domain", "tool"),
	[METRIC_ERRORS] = COUNTER("errors_total",
		"What clients were told as an error, or lost a session for.",
		"kind", "transport", "domain"),
	[METRIC_SESSION_DURATION] = SECONDS_HISTOGRAM("session_duration_seconds", 10, 28, 2, 1000,
		"How long sessions lasted that have ended.", "transport"),
	[METRIC_BUILD] = GAUGE("mcp_fleet_build_info", "Always 1; the version is a label.", "version"),
	[METRIC_UPTIME] = UNIT_GAUGE("mcp_fleet_uptime_seconds", "seconds",
		"Since the start of the daemon."),
	[METRIC_READY] = GAUGE("mcp_fleet_ready", "1: /ready answers 200."),
	[METRIC_SESSIONS] = GAUGE("mcp_fleet_sessions", "Sessions that are open.", "transport", "domain"),
	[METRIC_SESSIONS_OPENED] = COUNTER("mcp_fleet_sessions_opened_total",
		"Sessions that were opened.", "transport", "domain"),
	[METRIC_SESSIONS_CLOSED] = COUNTER("mcp_fleet_sessions_closed_total",
		"Sessions that have ended.", "transport", "reason"),
	[METRIC_SESSIONS_REFUSED] = COUNTER("mcp_fleet_sessions_refused_total",
		"Sessions that limits.sessions did not allow."),
	[METRIC_SESSIONS_LIMIT] = GAUGE("mcp_fleet_sessions_limit", "The setting limits.sessions."),
	[METRIC_STATELESS] = COUNTER("mcp_fleet_stateless_requests_total",
		"Requests of the stateless revision, which have no session."),
	[METRIC_SESSION_QUEUE_BYTES] = UNIT_GAUGE("mcp_fleet_session_queue_bytes", "bytes",
		"What waits for clients to read, in all sessions."),
	[METRIC_HTTP_CONNECTIONS] = GAUGE("mcp_fleet_http_connections",
		"Connections to HTTP listeners, that of admin.listen too."),
	[METRIC_HTTP_CONNECTIONS_LIMIT] = GAUGE("mcp_fleet_http_connections_limit",
		"The setting limits.connections."),
	[METRIC_HTTP_RESPONSES] = COUNTER("mcp_fleet_http_responses_total",
		"Answers over HTTP by their status.", "code"),
	[METRIC_REFUSALS] = COUNTER("mcp_fleet_refusals_total",
		"Requests that were refused at the door.", "reason"),
	[METRIC_LIMITS] = COUNTER("mcp_fleet_limit_reached_total",
		"How often a limit turned something away, closed or evicted it.", "limit"),
	[METRIC_DOMAIN_UP] = GAUGE("mcp_fleet_domain_up", "1: its tools are offered, and calls are taken.",
		"domain"),
	[METRIC_DOMAIN_STATE] = GAUGE("mcp_fleet_domain_state",
		"1 for the state that the domain is in, 0 for the others.", "domain", "state"),
	[METRIC_DOMAIN_TOOLS] = GAUGE("mcp_fleet_domain_tools", "Tools that it offers.", "domain"),
	[METRIC_DOMAIN_PROCESSES] = GAUGE("mcp_fleet_domain_processes",
		"Processes by what they do; waiting and parked ones are to be started again.",
		"domain", "state"),
	[METRIC_DOMAIN_RESTARTS] = COUNTER("mcp_fleet_domain_restarts_total",
		"Processes that ended and were replaced, by why they ended.", "domain", "cause"),
	[METRIC_DOMAIN_LAST_START] = UNIT_GAUGE("mcp_fleet_domain_last_start_timestamp_seconds", "seconds",
		"When its last process was started, in seconds since 1970; 0: none was.", "domain"),
	[METRIC_DOMAIN_IN_FLIGHT] = GAUGE("mcp_fleet_domain_calls_in_flight",
		"Calls that processes have.", "domain"),
	[METRIC_DOMAIN_QUEUED] = GAUGE("mcp_fleet_domain_calls_queued",
		"Calls that wait for a process.", "domain"),
	[METRIC_DOMAIN_QUEUE_LIMIT] = GAUGE("mcp_fleet_domain_queue_limit",
		"The setting domains.NAME.queue.", "domain"),
	[METRIC_DOMAIN_CALLS] = COUNTER("mcp_fleet_domain_calls_total",
		"Calls that have ended, by how.", "domain", "outcome"),
	[METRIC_DOMAIN_CALL_DURATION] = SECONDS_HISTOGRAM("mcp_fleet_domain_call_duration_seconds",
		9, 27, 1, 1, "From a call's place in the queue to its answer.", "domain"),
	[METRIC_DOMAIN_MEMORY] = UNIT_GAUGE("mcp_fleet_domain_resident_memory_bytes", "bytes",
		"Resident memory of its processes, without what they have started.", "domain"),
	[METRIC_DOMAIN_CPU] = SECONDS_COUNTER("mcp_fleet_domain_cpu_seconds_total",
		"Processor time of its processes and of their children that have ended.", "domain"),
	[METRIC_LOOP_LAG] = SECONDS_HISTOGRAM("mcp_fleet_loop_lag_seconds", 8, 24, 1, 1,
		"How late a timer fires that is due every second."),
	[METRIC_LOG_LINES] = COUNTER("mcp_fleet_log_lines_total", "Lines of the log.", "level"),
	[METRIC_PROCESS_CPU] = SECONDS_COUNTER("process_cpu_seconds_total",
		"Processor time of mcp-fleetd itself."),
	[METRIC_PROCESS_START] = UNIT_GAUGE("process_start_time_seconds", "seconds",
		"When mcp-fleetd was started, in seconds since 1970."),
	[METRIC_PROCESS_RESIDENT] = UNIT_GAUGE("process_resident_memory_bytes", "bytes",
		"Resident memory of mcp-fleetd itself."),
	[METRIC_PROCESS_VIRTUAL] = UNIT_GAUGE("process_virtual_memory_bytes", "bytes",
		"Virtual memory of mcp-fleetd itself."),
	[METRIC_PROCESS_OPEN_FDS] = GAUGE("process_open_fds", "Descriptors that mcp-fleetd has open."),
	[METRIC_PROCESS_MAX_FDS] = GAUGE("process_max_fds", "Descriptors that it may have open."),
	[METRIC_TLS_ENDS] = UNIT_GAUGE("mcp_fleet_tls_certificate_end_timestamp_seconds", "seconds",
		"When the certificate in tls.cert_file ends, in seconds since 1970."),
	[METRIC_TLS_HANDSHAKES] = COUNTER("mcp_fleet_tls_handshakes_total",
		"Handshakes of TLS; failed: for what the peer sent; plain_http: it spoke no TLS.", "outcome"),
	[METRIC_AUDIT_DROPPED] = COUNTER("mcp_fleet_audit_dropped_total",
		"Records of the audit log that could not be written."),
	[METRIC_SPANS] = COUNTER("mcp_fleet_spans_total", "Spans that were made."),
	[METRIC_SPANS_SENT] = COUNTER("mcp_fleet_spans_sent_total",
		"Spans that the collector has taken."),
	[METRIC_SPANS_DROPPED] = COUNTER("mcp_fleet_spans_dropped_total",
		"Spans that were lost: no room, refused, or switched off."),
	[METRIC_SPANS_WAITING] = GAUGE("mcp_fleet_spans_waiting", "Spans on their way to the collector."),
	[METRIC_SPAN_REQUESTS_FAILED] = COUNTER("mcp_fleet_span_requests_failed_total",
		"Requests to the collector that failed or were refused."),
	[METRIC_COURIER_RESTARTS] = COUNTER("mcp_fleet_courier_restarts_total",
		"How often the courier's process was replaced because it had died."),
	[METRIC_GATEWAY_CONNECTED] = GAUGE("mcp_fleet_gateway_connected",
		"1: the gateway answers and takes the token."),
	[METRIC_GATEWAY_DOMAIN_STATE] = GAUGE("mcp_fleet_gateway_domain_state",
		"The state of a domain at the gateway: 1 for the one that it is in.", "domain", "state"),
	[METRIC_GATEWAY_TOOLS_WANTED] = GAUGE("mcp_fleet_gateway_tools_wanted",
		"Tools of a domain that the gateway should have.", "domain"),
	[METRIC_GATEWAY_TOOLS_FOUND] = GAUGE("mcp_fleet_gateway_tools_found",
		"Tools of a domain that the gateway has.", "domain"),
	[METRIC_GATEWAY_DRIFT] = GAUGE("mcp_fleet_gateway_drift",
		"What differs between the gateway and the fleet, and was not put right."),
	[METRIC_GATEWAY_TOKEN_DAYS] = GAUGE("mcp_fleet_gateway_token_days_left",
		"Days until the gateway's token ends."),
	[METRIC_GATEWAY_ROUNDS] = COUNTER("mcp_fleet_gateway_rounds_total",
		"How often the gateway was compared with the fleet."),
	[METRIC_GATEWAY_REQUESTS] = COUNTER("mcp_fleet_gateway_requests_total",
		"Requests to the gateway."),
	[METRIC_GATEWAY_CREATES] = COUNTER("mcp_fleet_gateway_creates_total",
		"Entries made at the gateway."),
	[METRIC_GATEWAY_UPDATES] = COUNTER("mcp_fleet_gateway_updates_total",
		"Entries changed at the gateway."),
	[METRIC_GATEWAY_DELETES] = COUNTER("mcp_fleet_gateway_deletes_total",
		"Entries deleted at the gateway."),
	[METRIC_GATEWAY_ERRORS] = COUNTER("mcp_fleet_gateway_errors_total",
		"Requests to the gateway that failed."),
	[METRIC_REGISTRAR_RESTARTS] = COUNTER("mcp_fleet_registrar_restarts_total",
		"How often the registrar's process was replaced."),
};
/* clang-format on */
