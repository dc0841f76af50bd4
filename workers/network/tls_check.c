/* net_tls_check: certificate and protocol of a TLS server. An invalid certificate is an answer. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "shared/clock.h"
#include "workers/common/call.h"
#include "workers/network/answer.h"
#include "workers/network/certificate.h"
#include "workers/network/connect.h"
#include "workers/network/tools.h"

struct net_tls_check_args {
	const char *host;
	int64_t port;
	const char *server_name;
	double timeout_seconds;
};

static const struct param net_tls_check_params[] = {
	PARAM(net_tls_check_args, host, .required = true, RANGE(1, 255), .doc = "Name or address."),
	PARAM(net_tls_check_args, port, RANGE(1, 65535), .def_int = 443, .doc = "Port."),
	PARAM(net_tls_check_args, server_name, RANGE(1, 255),
		.doc = "Name to send and to check; default: host."),
	PARAM(net_tls_check_args, timeout_seconds, RANGE_NUM(0.1, 30), .def_num = 10,
		.doc = "Whole check."),
	{ 0 },
};

struct check {
	struct call *call;
	const struct net_tls_check_args *args;
	int64_t deadline_ms;
	char host[HOST_MAX + 2]; /* to connect to */
	char name[HOST_MAX + 2]; /* to send and to check */
	int fd;
	SSL_CTX *context;
	SSL *ssl;
	struct failure *fail;
};

static void check_done(struct check *check)
{
	SSL_free(check->ssl);
	SSL_CTX_free(check->context);
	if (check->fd >= 0)
		(void)close(check->fd);
	ERR_clear_error();
}

static int fail_late(const struct check *check, const char *what)
{
	return failure_set(check->fail, "timeout",
		"%s, port %lld: %s in time. Try again, or with a longer timeout_seconds.",
		check->host, (long long)check->args->port, what);
}

static int read_names(struct check *check)
{
	const struct net_tls_check_args *a = check->args;
	const char *name = a->server_name ? a->server_name : a->host;

	if (host_normalize(a->host, check->host, check->fail) < 0)
		return -EINVAL;

	return host_normalize(name, check->name, check->fail);
}

/* Resolves the host and connects. */
static int reach(struct check *check)
{
	int port = (int)check->args->port;
	int64_t left_ms = check->deadline_ms - clock_now_ms();
	struct resolved resolved = { 0 };
	size_t at = 0;
	int r = resolve_host(check->call, check->host, port, left_ms, &resolved, check->fail);

	if (r < 0)
		return r;

	r = connect_to(check->call, &resolved, check->deadline_ms, &check->fd, &at);
	if (r == 0 || r == -ECANCELED)
		return r;
	if (r == -ETIMEDOUT)
		return fail_late(check, "no connection");

	return failure_set(check->fail, "connect_failed", "%s, port %d: %s. Check host and port.",
		check->host, port, connect_reason(r));
}

/* The name as the certificate must have it; a name is also sent, an address is not (RFC 6066). */
static bool set_name(const struct check *check)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(check->ssl);
	struct sockaddr_storage address;
	char name[sizeof(check->name)];
	size_t len = strlen(check->name);

	if (host_get_address(check->name, 0, &address))
		return X509_VERIFY_PARAM_set1_ip_asc(param, check->name) == 1;

	/* The dot of the root is no part of it. */
	memcpy(name, check->name, len + 1);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
	       SSL_set_tlsext_host_name(check->ssl, name) == 1;
}

/* The chain is verified, and the handshake goes on whatever comes of it. */
static int prepare(struct check *check)
{
	ERR_clear_error();
	check->context = SSL_CTX_new(TLS_client_method());
	if (!check->context || SSL_CTX_set_min_proto_version(check->context, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_default_verify_paths(check->context) != 1)
		return failure_set(check->fail, "internal", "TLS cannot be used.");

	SSL_CTX_set_verify(check->context, SSL_VERIFY_NONE, NULL);
	check->ssl = SSL_new(check->context);
	if (!check->ssl || SSL_set_fd(check->ssl, check->fd) != 1 || !set_name(check))
		return failure_set(check->fail, "internal", "TLS cannot be used.");

	return 0;
}

static int fail_handshake(const struct check *check, int error, int err)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
		reason = "it does not speak TLS";
	else if (!reason && error == SSL_ERROR_SYSCALL && err != 0)
		reason = strerror(err);

	return failure_set(check->fail, "tls_failed",
		"%s, port %lld: no TLS connection: %s. At least TLS 1.2 is needed.", check->host,
		(long long)check->args->port, reason ? reason : "it has closed the connection");
}

static int shake_hands(struct check *check)
{
	for (;;) {
		int r;
		int error;
		int err;

		errno = 0;
		r = SSL_connect(check->ssl);
		err = errno;
		if (r == 1)
			return 0;

		error = SSL_get_error(check->ssl, r);
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return fail_handshake(check, error, err);
		r = connect_wait(check->call, check->fd,
			error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, check->deadline_ms);
		if (r == -ETIMEDOUT)
			return fail_late(check, "no TLS handshake");
		if (r < 0)
			return r;
	}
}

static void write_text(struct strbuf *text, const struct check *check,
	const struct certificate *certificate, const char *why)
{
	size_t i;
	json_t *name;

	strbuf_addf(text, why ? "INVALID: %s\n" : "valid\n", why);
	strbuf_addf(text, "%s, port %lld, as %s: %s, %s\n", check->host,
		(long long)check->args->port, check->name, SSL_get_version(check->ssl),
		SSL_get_cipher_name(check->ssl));
	strbuf_addf(text, "subject: %s\nissuer: %s\nnames: ", strbuf_get(&certificate->subject),
		strbuf_get(&certificate->issuer));
	json_array_foreach(certificate->names, i, name)
		strbuf_addf(text, "%s%s", i > 0 ? ", " : "", json_string_value(name));
	if (certificate->n_names > CERTIFICATE_MAX_NAMES)
		strbuf_addf(text, ", … (%zu in all)", certificate->n_names);
	strbuf_addf(text, "\nfrom %s to %s (%lld days left)\nSHA-256 %s\n", certificate->not_before,
		certificate->not_after, (long long)certificate->days_remaining,
		strbuf_get(&certificate->fingerprint_sha256));
}

static int report(const struct check *check)
{
	const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(check->ssl);
	X509 *cert = sk_X509_value(chain, 0);
	long result = SSL_get_verify_result(check->ssl);
	const char *why = result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
	auto_(certificate_done) struct certificate certificate = { 0 };
	auto_strbuf text = { 0 };
	json_t *out;

	if (!cert)
		return call_fail(check->call, "tls_failed",
			"%s, port %lld: the server has shown no certificate.", check->host,
			(long long)check->args->port);

	certificate_read(cert, &certificate);
	write_text(&text, check, &certificate, why);
	out = json_pack("{s:s, s:I, s:b, s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:I, s:s, s:i, s:b}",
		"host", check->args->host, "port", (json_int_t)check->args->port, "valid", !why,
		"protocol", SSL_get_version(check->ssl), "cipher", SSL_get_cipher_name(check->ssl),
		"subject", strbuf_get(&certificate.subject), "issuer",
		strbuf_get(&certificate.issuer), "san", certificate.names, "not_before",
		certificate.not_before, "not_after", certificate.not_after, "days_remaining",
		(json_int_t)certificate.days_remaining, "fingerprint_sha256",
		strbuf_get(&certificate.fingerprint_sha256), "chain_length", sk_X509_num(chain),
		"truncated", certificate.n_names > CERTIFICATE_MAX_NAMES);
	if (out && why)
		json_object_set_new(out, "verify_error", json_string(why));

	return call_result(check->call, out, strbuf_get(&text), text.len);
}

static int net_tls_check(struct call *call, const void *args)
{
	const struct net_tls_check_args *a = args;
	struct failure fail = { 0 };
	auto_(check_done) struct check check = {
		.call = call,
		.args = a,
		.deadline_ms = clock_now_ms() + (int64_t)(a->timeout_seconds * 1000),
		.fd = -1,
		.fail = &fail,
	};
	int r = read_names(&check);

	if (r == 0)
		r = reach(&check);
	if (r == 0)
		r = prepare(&check);
	if (r == 0)
		r = shake_hands(&check);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "the server has not been heard yet");
	if (r < 0)
		return answer_refusal(call, &fail);

	r = report(&check);
	(void)SSL_shutdown(check.ssl);
	return r;
}

const struct tool network_tls_check_tools[] = {
	TOOL(net_tls_check, "Check a TLS server",
		.doc = "Certificate and protocol of a TLS server.",
		.out = "host string, port integer, valid boolean, verify_error? string, "
		       "protocol string, cipher string, subject string, issuer string, "
		       "san string[], not_before string, not_after string, "
		       "days_remaining integer, fingerprint_sha256 string, chain_length integer, "
		       "truncated boolean",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_OPEN_WORLD, .timeout_s = 35),
	{ 0 },
};
