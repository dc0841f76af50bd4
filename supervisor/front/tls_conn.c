/* See tls.h: connections.
 *
 * OpenSSL reads and writes through a BIO of ours: it never raises SIGPIPE, and it stops when a call has read
 * its share, so that a peer which sends faster than we decrypt, or nothing but empty records and key
 * updates, cannot keep us inside of one SSL_read(). OpenSSL's error queue is the thread's: it is cleared
 * before each call, or the error of one connection would end another. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/front/tls_private.h"

enum {
	CALL_BYTES = 32 * KIB, /* read by one call; more than the largest record */
	MAX_CONTROLS = 64,     /* records without data on one connection: key updates, warnings */
	LOGGED_FAILURES = 3,   /* of each kind */
	RECORD_BYTES = 16 * KIB,
};

static struct tls_counts counts;

static const char *const troubles[TLS_TROUBLES] = {
	[TLS_TROUBLE_NONE] = "",
	[TLS_TROUBLE_VERSION] = "it offers no version of TLS that is allowed (tls.min_version)",
	[TLS_TROUBLE_CIPHER] = "it offers no cipher with forward secrecy and authentication",
	[TLS_TROUBLE_ALPN] = "it does not offer http/1.1 (ALPN)",
	[TLS_TROUBLE_NO_CERT] = "it shows no certificate (tls.client_certs)",
	[TLS_TROUBLE_BAD_CERT] =
		"its certificate is not vouched for (tls.client_ca_file), or not valid",
	[TLS_TROUBLE_REVOKED] = "its certificate has been revoked (tls.client_crl_file)",
	[TLS_TROUBLE_NO_LIST] =
		"there is no valid list of what its authority has revoked (tls.client_crl_file)",
	[TLS_TROUBLE_ALERT] = "it ended the handshake: it may not trust our certificate",
	[TLS_TROUBLE_FLOOD] = "it sends too much that is no data",
	[TLS_TROUBLE_OTHER] = "what it sends is not TLS as it should be",
};

/* --- the descriptor ------------------------------------------------------------------------------ */

static int bio_read(BIO *bio, char *buf, int len)
{
	struct tls_conn *conn = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (conn->trouble == TLS_TROUBLE_FLOOD)
		return -1;
	if (conn->room == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = recv(conn->fd, buf, (size_t)len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	else if (n < 0)
		conn->err = errno;
	else if (n == 0)
		conn->has_eof = true;
	if (n > 0)
		conn->room -= (size_t)n < conn->room ? (size_t)n : conn->room;
	return (int)n;
}

static int bio_write(BIO *bio, const char *buf, int len)
{
	struct tls_conn *conn = BIO_get_data(bio);
	ssize_t n = send(conn->fd, buf, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	else if (n < 0)
		conn->err = errno;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* Made once; NULL: no memory. */
static const BIO_METHOD *get_bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_TYPE_DESCRIPTOR | BIO_TYPE_SOURCE_SINK, "connection");
	if (!method)
		return NULL;
	(void)BIO_meth_set_read(method, bio_read);
	(void)BIO_meth_set_write(method, bio_write);
	(void)BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

/* --- what comes besides data --------------------------------------------------------------------- */

struct tls_conn *tls_conn_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* The type of a record is in its head, of an encrypted one of TLS 1.3 inside of it. */
void tls_conn_on_message(
	int is_write, int version, int type, const void *buf, size_t len, SSL *ssl, void *arg)
{
	struct tls_conn *conn = tls_conn_of(ssl);
	unsigned char record;

	if (is_write || !conn->is_established || len == 0 ||
		(type != SSL3_RT_HEADER && type != SSL3_RT_INNER_CONTENT_TYPE))
		return;
	memcpy(&record, buf, 1);
	if (record != SSL3_RT_APPLICATION_DATA && ++conn->n_controls > MAX_CONTROLS)
		conn->trouble = TLS_TROUBLE_FLOOD;
}

static enum tls_trouble trouble_of_cert(long verify_result)
{
	switch (verify_result) {
	case X509_V_ERR_CERT_REVOKED:
		return TLS_TROUBLE_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return TLS_TROUBLE_NO_LIST;
	default:
		return TLS_TROUBLE_BAD_CERT;
	}
}

static enum tls_trouble trouble_of(const struct tls_conn *conn, unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return TLS_TROUBLE_OTHER;
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNKNOWN_PROTOCOL:
		return TLS_TROUBLE_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
		return TLS_TROUBLE_CIPHER;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return TLS_TROUBLE_ALPN;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return TLS_TROUBLE_NO_CERT;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return trouble_of_cert(SSL_get_verify_result(conn->ssl));
	default:
		return reason >= SSL_AD_REASON_OFFSET ? TLS_TROUBLE_ALERT : TLS_TROUBLE_OTHER;
	}
}

static int fail_conn(struct tls_conn *conn)
{
	conn->is_broken = true;
	if (!conn->is_established)
		counts.failed++;
	if (conn->has_eof) {
		counts.truncated += conn->is_established;
		return -EPIPE;
	}
	if (conn->err != 0)
		return -conn->err;
	if (conn->trouble == TLS_TROUBLE_NONE)
		conn->trouble = trouble_of(conn, ERR_peek_error());
	return -EPROTO;
}

/* After a call that has not succeeded. 0: the peer has ended its side. */
static int judge(struct tls_conn *conn, int result, enum tls_wait *ret_wait)
{
	int error = SSL_get_error(conn->ssl, result);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		*ret_wait = TLS_WAIT_READ;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*ret_wait = TLS_WAIT_WRITE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return fail_conn(conn);
	}
}

/* Whether the first byte begins a record of TLS: no method of HTTP does. It stays in the descriptor. */
static int look(struct tls_conn *conn, enum tls_wait *ret_wait)
{
	char first;
	ssize_t n = recv(conn->fd, &first, 1, MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		*ret_wait = TLS_WAIT_READ;
		return -EAGAIN;
	}
	if (n <= 0) {
		conn->is_broken = true;
		return n < 0 ? -errno : -EPIPE;
	}
	conn->has_looked = true;
	if (first < 'A' || first > 'Z')
		return 0;
	conn->is_broken = true;
	counts.plain_http++;
	return -EPROTONOSUPPORT;
}

static void begin_call(struct tls_conn *conn)
{
	conn->room = CALL_BYTES;
	ERR_clear_error();
}

/* 0: data may be exchanged. */
static int shake_hands(struct tls_conn *conn, enum tls_wait *ret_wait)
{
	int r;

	if (conn->is_broken)
		return -EPIPE;
	if (conn->is_established)
		return 0;
	r = conn->has_looked ? 0 : look(conn, ret_wait);
	if (r < 0)
		return r;
	begin_call(conn);
	r = SSL_accept(conn->ssl);
	if (r != 1) {
		r = judge(conn, r, ret_wait);
		return r == 0 ? -EPIPE : r;
	}
	conn->is_established = true;
	counts.handshakes++;
	return 0;
}

/* --- public -------------------------------------------------------------------------------------- */

struct tls_conn *tls_conn_new(struct tls *tls, int fd)
{
	const BIO_METHOD *method = get_bio_method();
	SSL *ssl = SSL_new(tls->ctx);
	BIO *bio = method ? BIO_new(method) : NULL;
	struct tls_conn *conn;

	if (!ssl || !bio) {
		SSL_free(ssl);
		(void)BIO_free(bio);
		ERR_clear_error();
		return NULL;
	}
	conn = alloc_zero(sizeof(*conn));
	conn->tls = tls_ref(tls);
	conn->ssl = ssl;
	conn->fd = fd;
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	(void)SSL_set_app_data(ssl, conn);
	SSL_set_accept_state(ssl);
	return conn;
}

void tls_conn_free(struct tls_conn *conn)
{
	if (!conn)
		return;
	SSL_free(conn->ssl);
	tls_unref(conn->tls);
	free(conn->names);
	free(conn);
}

ssize_t tls_conn_read(struct tls_conn *conn, void *buf, size_t len, enum tls_wait *ret_wait)
{
	int r = shake_hands(conn, ret_wait);

	if (r < 0)
		return r;
	begin_call(conn);
	r = SSL_read(conn->ssl, buf, len < INT32_MAX ? (int)len : INT32_MAX);
	return r > 0 ? r : judge(conn, r, ret_wait);
}

ssize_t tls_conn_write(struct tls_conn *conn, const void *buf, size_t len, enum tls_wait *ret_wait)
{
	int r = shake_hands(conn, ret_wait);

	if (r < 0)
		return r;
	begin_call(conn);
	r = SSL_write(conn->ssl, buf, len < RECORD_BYTES ? (int)len : RECORD_BYTES);
	if (r > 0)
		return r;
	r = judge(conn, r, ret_wait);
	return r == 0 ? -EPIPE : r;
}

bool tls_conn_has_pending(const struct tls_conn *conn)
{
	return SSL_pending(conn->ssl) > 0;
}

bool tls_conn_is_established(const struct tls_conn *conn)
{
	return conn->is_established;
}

void tls_conn_end(struct tls_conn *conn)
{
	if (!conn->is_established || conn->is_broken || conn->has_ended)
		return;
	conn->has_ended = true;
	begin_call(conn);
	(void)SSL_shutdown(conn->ssl);
	ERR_clear_error();
}

const char *tls_conn_get_trouble(const struct tls_conn *conn)
{
	return troubles[conn->trouble];
}

bool tls_conn_has_bad_cert(const struct tls_conn *conn)
{
	switch (conn->trouble) {
	case TLS_TROUBLE_NO_CERT:
	case TLS_TROUBLE_BAD_CERT:
	case TLS_TROUBLE_REVOKED:
	case TLS_TROUBLE_NO_LIST:
		return true;
	default:
		return false;
	}
}

void tls_conn_log_failure(const struct tls_conn *conn, const char *client)
{
	static struct log_limit limits[TLS_TROUBLES];

	if (conn->trouble == TLS_TROUBLE_NONE)
		return;
	const struct log_about about = { .client = *client ? client : NULL };

	if (log_limit_ok(&limits[conn->trouble], LOGGED_FAILURES, "failed TLS handshakes"))
		log_info_about(&about, "TLS with %s failed: %s", *client ? client : "a client",
			troubles[conn->trouble]);
}

const char *tls_conn_get_version(const struct tls_conn *conn)
{
	return conn->is_established ? SSL_get_version(conn->ssl) : "";
}

const struct tls_counts *tls_get_counts(void)
{
	return &counts;
}
