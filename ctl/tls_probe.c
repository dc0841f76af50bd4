/* See tls_probe.h. */
#include "ctl/tls_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/fd.h"

enum { MAX_NAMES = 8 }; /* that are told */

DEFINE_FREEP(struct addrinfo, freeaddrinfo)
DEFINE_FREEP(SSL_CTX, SSL_CTX_free)
DEFINE_FREEP(SSL, SSL_free)
DEFINE_FREEP(X509, X509_free)
DEFINE_FREEP(GENERAL_NAMES, GENERAL_NAMES_free)

struct handshake {
	const struct tls_probe *probe;
	int64_t deadline_ms;
	int fd;
	X509 *cert; /* the server's, as soon as it was shown */
	int fault;  /* the first of its chain; X509_V_OK: none */
};

void tls_seen_done(struct tls_seen *seen)
{
	strbuf_done(&seen->names);
}

/* --- the connection ----------------------------------------------------------------------------- */

static int wait_for(const struct handshake *shake, short events, struct fail *fail)
{
	struct pollfd poll_fd = { .fd = shake->fd, .events = events };
	int64_t left_ms = shake->deadline_ms - clock_now_ms();

	if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) == 0)
		return fail_set(fail, -EIO, "there is no answer within %lld s",
			(long long)(shake->probe->timeout_ms / CLOCK_SECOND_MS));
	return 0;
}

static int open_connection(struct handshake *shake, struct fail *fail)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	auto_(freeaddrinfop) struct addrinfo *addr = NULL;
	char port[8];
	int error = 0;
	socklen_t len = sizeof(error);

	(void)snprintf(port, sizeof(port), "%u", shake->probe->port);
	if (getaddrinfo(shake->probe->host, port, &hints, &addr) != 0)
		return fail_set(fail, -EIO, "'%s' is no address", shake->probe->host);
	shake->fd = socket(addr->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (shake->fd < 0)
		return fail_set(fail, -EIO, "no socket: %s", strerror(errno));
	if (connect(shake->fd, addr->ai_addr, addr->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail_set(fail, -EIO, "cannot connect: %s", strerror(errno));
	if (wait_for(shake, POLLOUT, fail) < 0)
		return -EIO;
	if (getsockopt(shake->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		return fail_set(fail, -EIO, "cannot connect: %s", strerror(error ? error : errno));
	return 0;
}

/* --- the certificate ---------------------------------------------------------------------------- */

/* Each fault is noted and forgiven. That the server's own certificate has ended is seen by its dates. */
static int on_verify(int is_fine, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct handshake *shake = SSL_get_app_data(ssl);
	int fault = X509_STORE_CTX_get_error(store);
	bool is_date =
		fault == X509_V_ERR_CERT_HAS_EXPIRED || fault == X509_V_ERR_CERT_NOT_YET_VALID;

	if (!shake->cert) {
		shake->cert = X509_STORE_CTX_get0_cert(store);
		(void)X509_up_ref(shake->cert);
	}
	if (!is_fine && shake->fault == X509_V_OK &&
		!(is_date && X509_STORE_CTX_get_error_depth(store) == 0))
		shake->fault = fault;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int64_t seconds_of(const ASN1_TIME *when)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void add_name(struct strbuf *out, const GENERAL_NAME *name)
{
	char address[INET6_ADDRSTRLEN];

	if (name->type != GEN_DNS && name->type != GEN_IPADD)
		return;
	if (out->len > 0)
		strbuf_adds(out, ", ");
	if (name->type == GEN_DNS)
		strbuf_add(out, ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName));
	else if (inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6,
			 ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof(address)))
		strbuf_adds(out, address);
}

static void add_names(struct strbuf *out, const X509 *cert)
{
	auto_(GENERAL_NAMES_freep) GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);

	for (int i = 0; i < n && i < MAX_NAMES; i++)
		add_name(out, sk_GENERAL_NAME_value(names, i));
	if (n > MAX_NAMES)
		strbuf_adds(out, ", …");
}

static bool fits(X509 *cert, const char *name)
{
	return !name || X509_check_ip_asc(cert, name, 0) == 1 ||
	       X509_check_host(cert, name, 0, 0, NULL) == 1;
}

static void tell(const struct handshake *shake, const SSL *ssl, struct tls_seen *ret)
{
	int fault = shake->fault;

	(void)snprintf(ret->protocol, sizeof(ret->protocol), "%s", SSL_get_version(ssl));
	add_names(&ret->names, shake->cert);
	ret->not_before_s = seconds_of(X509_get0_notBefore(shake->cert));
	ret->not_after_s = seconds_of(X509_get0_notAfter(shake->cert));
	ret->fits_name = fits(shake->cert, shake->probe->name);
	ret->chain_fault = fault == X509_V_OK ? NULL : X509_verify_cert_error_string(fault);
	ret->is_incomplete = fault == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
			     fault == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* --- the handshake ------------------------------------------------------------------------------ */

static int fail_handshake(struct fail *fail)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return fail_set(fail, -EIO, "%s", reason ? reason : "it ends the connection");
}

static int run(const struct handshake *shake, SSL *ssl, struct fail *fail)
{
	int r;

	while ((r = SSL_connect(ssl)) != 1) {
		int error = SSL_get_error(ssl, r);

		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return fail_handshake(fail);
		if (wait_for(shake, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, fail) < 0)
			return -EIO;
	}
	return 0;
}

static SSL *make_ssl(SSL_CTX *ctx, struct handshake *shake)
{
	SSL *ssl = SSL_new(ctx);
	const char *name = shake->probe->name;

	if (!ssl || SSL_set_fd(ssl, shake->fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, shake);
	if (name && *name && strspn(name, "0123456789.:") < strlen(name))
		(void)SSL_set_tlsext_host_name(ssl, name);
	return ssl;
}

static int shake_hands(struct handshake *shake, struct tls_seen *ret, struct fail *fail)
{
	auto_(SSL_CTX_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	auto_(SSL_freep) SSL *ssl = NULL;
	auto_(X509_freep) X509 *cert = NULL;
	int r;

	ERR_clear_error();
	if (ctx && SSL_CTX_set_default_verify_paths(ctx) == 1) {
		/* A file that cannot be read trusts nobody. */
		if (shake->probe->ca_file)
			(void)SSL_CTX_load_verify_file(ctx, shake->probe->ca_file);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
		ssl = make_ssl(ctx, shake);
	}
	if (!ssl)
		return fail_handshake(fail);
	r = run(shake, ssl, fail);
	cert = shake->cert;
	if (!cert)
		return r < 0 ? r : fail_set(fail, -EIO, "it shows no certificate");
	tell(shake, ssl, ret);
	return 0;
}

/* A server that has gone is an error of ours, and no end. */
int tls_probe(const struct tls_probe *probe, struct tls_seen *ret, struct fail *fail)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	struct handshake shake = { .probe = probe,
		.deadline_ms = clock_now_ms() + probe->timeout_ms,
		.fd = -1,
		.fault = X509_V_OK };
	int r;

	(void)sigaction(SIGPIPE, &ignore, &before);
	r = open_connection(&shake, fail);
	if (r == 0)
		r = shake_hands(&shake, ret, fail);
	(void)fd_close(shake.fd);
	(void)sigaction(SIGPIPE, &before, NULL);
	return r;
}
