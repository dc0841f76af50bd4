/* See tls.h: the certificate, its key, the authorities of clients, the rules. */
#include "supervisor/front/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/front/tls_private.h"

enum {
	MAX_FILE_BYTES = 1 * MIB,
	MAX_CHAIN_DEPTH = 8,
	TICKET_KEYS_BYTES = 80, /* name, HMAC and AES keys of OpenSSL */
};

/* Forward secrecy and authenticated encryption: what RFC 9325 4.2 recommends. TLS 1.3 has no others. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

void tls_free_bio(BIO **bio)
{
	(void)BIO_free(*bio);
}

static void free_cert(X509 **cert)
{
	X509_free(*cert);
}

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/* Secrets do not stay in freed memory. */
static void wipe(struct strbuf *text)
{
	if (text->data)
		OPENSSL_cleanse(text->data, text->len);
	strbuf_done(text);
}

/* --- files --------------------------------------------------------------------------------------- */

static int fail_file(struct fail *fail, int r, const char *setting, const char *path)
{
	if (r == -EFBIG)
		return fail_set(fail, r, "%s: '%s' is too large", setting, path);
	if (r == -EINVAL)
		return fail_set(fail, r, "%s: '%s' is no regular file", setting, path);
	return fail_set(fail, r, "%s: cannot read '%s': %s", setting, path, strerror(-r));
}

int tls_read_pem(const char *setting, const char *path, size_t max_bytes, struct strbuf *ret,
	struct fail *fail)
{
	int r = fd_read_file(path, max_bytes, ret);

	return r < 0 ? fail_file(fail, r, setting, path) : 0;
}

/* Only the end of the text was met: all that is in it was read. */
bool tls_pem_is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int use_chain(SSL_CTX *ctx, BIO *bio, const char *path, struct fail *fail)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return fail_set(fail, -EINVAL,
				"tls.cert_file: a certificate of the chain in '%s' cannot be used: %s",
				path, ERR_reason_error_string(ERR_peek_last_error()));
		}
	if (!tls_pem_is_at_end())
		return fail_set(fail, -EINVAL,
			"tls.cert_file: a certificate of the chain in '%s' cannot be read", path);
	return 0;
}

/* The certificate is the SSL_CTX's. */
static int use_cert(SSL_CTX *ctx, const char *path, struct fail *fail)
{
	auto_strbuf text = { 0 };
	auto_(tls_free_bio) BIO *bio = NULL;
	auto_(free_cert) X509 *cert = NULL;
	int r = tls_read_pem("tls.cert_file", path, MAX_FILE_BYTES, &text, fail);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(strbuf_get(&text), (int)text.len);
	cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (!cert)
		return fail_set(fail, -EINVAL,
			"tls.cert_file: there is no certificate in PEM form in '%s' (it begins with "
			"-----BEGIN CERTIFICATE-----)",
			path);
	if (SSL_CTX_use_certificate(ctx, cert) != 1)
		return fail_set(fail, -EINVAL, "tls.cert_file: '%s' cannot be used: %s", path,
			ERR_reason_error_string(ERR_peek_last_error()));
	return use_chain(ctx, bio, path, fail);
}

/* A key that others may read is none. */
static int read_private(
	const char *setting, const char *path, struct strbuf *ret, struct fail *fail)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_file(fail, -errno, setting, path);
	if (!S_ISREG(st.st_mode))
		return fail_file(fail, -EINVAL, setting, path);
	if (!fd_is_private(&st))
		return fail_set(fail, -EACCES,
			"%s: the private key in '%s' may be read or changed by others (mode %04o, "
			"owner %u): chmod 600 and chown it, or let it belong to root with mode 0640 and "
			"a group that the fleet is in",
			setting, path, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
	r = fd_read_all(fd, MAX_FILE_BYTES, ret);
	return r < 0 ? fail_file(fail, r, setting, path) : 0;
}

static int refuse_passphrase(char *buf, int size, int is_write, void *arg)
{
	bool *was_asked = arg;

	*was_asked = true;
	return 0;
}

static int use_key(SSL_CTX *ctx, const struct tls_rules *rules, struct fail *fail)
{
	const char *setting = *rules->key_file ? "tls.key_file" : "tls.cert_file";
	const char *path = *rules->key_file ? rules->key_file : rules->cert_file;
	auto_(wipe) struct strbuf text = { 0 };
	auto_(tls_free_bio) BIO *bio = NULL;
	auto_(free_key) EVP_PKEY *key = NULL;
	bool was_asked = false;
	int r = read_private(setting, path, &text, fail);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(strbuf_get(&text), (int)text.len);
	key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &was_asked);
	if (!key && was_asked)
		return fail_set(fail, -EINVAL,
			"%s: the private key in '%s' is protected by a passphrase, and there is nobody to "
			"ask: write it without one (openssl pkey -in … -out …), for the fleet's user alone",
			setting, path);
	if (!key)
		return fail_set(fail, -EINVAL, "%s: there is no private key in PEM form in '%s'%s",
			setting, path,
			*rules->key_file ? "" : ", and tls.key_file names no other file");
	if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
		return fail_set(fail, -EINVAL,
			"%s: the private key in '%s' does not belong to the certificate in '%s'",
			setting, path, rules->cert_file);
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		return fail_set(fail, -EINVAL, "%s: the private key in '%s' cannot be used: %s",
			setting, path, ERR_reason_error_string(ERR_peek_last_error()));
	return 0;
}

/* --- clients ------------------------------------------------------------------------------------- */

static int add_authority(SSL_CTX *ctx, X509 *cert)
{
	/* Twice the same is no error since OpenSSL 1.1.1. */
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 &&
			       SSL_CTX_add_client_CA(ctx, cert) == 1
		       ? 0
		       : -EINVAL;
}

static int use_authorities(SSL_CTX *ctx, const char *path, struct fail *fail)
{
	auto_strbuf text = { 0 };
	auto_(tls_free_bio) BIO *bio = NULL;
	size_t n = 0;
	int r = tls_read_pem("tls.client_ca_file", path, MAX_FILE_BYTES, &text, fail);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(strbuf_get(&text), (int)text.len);
	for (;; n++) {
		auto_(free_cert) X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

		if (!cert)
			break;
		if (add_authority(ctx, cert) < 0)
			return fail_set(fail, -EINVAL,
				"tls.client_ca_file: a certificate in '%s' cannot be used: %s",
				path, ERR_reason_error_string(ERR_peek_last_error()));
	}
	if (n == 0 || !tls_pem_is_at_end())
		return fail_set(fail, -EINVAL,
			"tls.client_ca_file: %s in '%s' (PEM: -----BEGIN CERTIFICATE-----)",
			n == 0 ? "there is no certificate" : "a certificate cannot be read", path);
	return 0;
}

static int set_clients(struct tls *tls, const struct tls_rules *rules, struct fail *fail)
{
	static const unsigned char id[] = "mcp-fleet";
	SSL_CTX *ctx = tls->ctx;
	int mode = SSL_VERIFY_PEER;
	int r;

	/* Sessions are resumed within this SSL_CTX only: its ticket keys are its own. */
	(void)SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	if (!*rules->client_ca_file)
		return 0;
	if (rules->client_certs_required)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_verify_depth(ctx, MAX_CHAIN_DEPTH);
	r = use_authorities(ctx, rules->client_ca_file, fail);
	if (r == 0 && *rules->client_crl_file)
		r = tls_use_lists(tls, rules->client_crl_file, fail);
	return r;
}

/* --- rules --------------------------------------------------------------------------------------- */

/* A client that offers protocols offers ours, or is told that it does not (RFC 7301 3.2): otherwise it would
 * begin to speak HTTP/2. */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
	const unsigned char *offered, unsigned offered_len, void *arg)
{
	static const unsigned char ours[] = "http/1.1";

	for (unsigned i = 0; i < offered_len; i += 1 + offered[i]) {
		if (offered[i] != sizeof(ours) - 1 || offered_len - i - 1 < offered[i])
			continue;
		if (memcmp(&offered[i + 1], ours, sizeof(ours) - 1) == 0) {
			*ret = ours;
			*ret_len = sizeof(ours) - 1;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	tls_conn_of(ssl)->trouble = TLS_TROUBLE_ALPN;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_rules(SSL_CTX *ctx, const struct tls_rules *rules)
{
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	/* An idle stream keeps no record buffers. What is left of a write moves into the connection's
	 * own buffer. A record without data ends a call: see tls_conn_read(). */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_msg_callback(ctx, tls_conn_on_message);
	if (SSL_CTX_set_min_proto_version(
		    ctx, rules->only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_max_proto_version(ctx, 0) != 1 ||
		SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return -EINVAL;
	return 0;
}

/* --- what others ask ----------------------------------------------------------------------------- */

int64_t tls_seconds_of(const ASN1_TIME *when)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

char *tls_text_of_name(const X509_NAME *name)
{
	auto_(tls_free_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return alloc_str("?");
	len = BIO_get_mem_data(bio, &text);
	return alloc_mem(text, len > 0 ? (size_t)len : 0);
}

static char *text_of_serial(const ASN1_INTEGER *serial)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *digits = number ? BN_bn2hex(number) : NULL;
	char *text = alloc_str(digits ? digits : "?");

	OPENSSL_free(digits);
	BN_free(number);
	return text;
}

static void note_cert(struct tls *tls)
{
	X509 *cert = SSL_CTX_get0_certificate(tls->ctx);

	tls->not_before = tls_seconds_of(X509_get0_notBefore(cert));
	tls->not_after = tls_seconds_of(X509_get0_notAfter(cert));
	tls->subject = tls_text_of_name(X509_get_subject_name(cert));
	tls->serial = text_of_serial(X509_get0_serialNumber(cert));
	(void)X509_digest(cert, EVP_sha256(), tls->fingerprint, NULL);
}

/* --- public -------------------------------------------------------------------------------------- */

int tls_new(const struct tls_rules *rules, struct tls **ret, struct fail *fail)
{
	auto_(tls_unrefp) struct tls *tls = alloc_zero(sizeof(*tls));
	int r;

	tls->n_refs = 1;
	ERR_clear_error();
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!tls->ctx || set_rules(tls->ctx, rules) < 0)
		return fail_set(fail, -EINVAL, "OpenSSL does not offer the rules that we need: %s",
			ERR_reason_error_string(ERR_peek_last_error()));
	r = use_cert(tls->ctx, rules->cert_file, fail);
	if (r == 0)
		r = use_key(tls->ctx, rules, fail);
	if (r == 0)
		r = set_clients(tls, rules, fail);
	ERR_clear_error();
	if (r < 0)
		return r;
	note_cert(tls);
	*ret = TAKE(tls);
	return 0;
}

struct tls *tls_ref(struct tls *tls)
{
	tls->n_refs++;
	return tls;
}

void tls_unref(struct tls *tls)
{
	if (!tls || --tls->n_refs > 0)
		return;
	SSL_CTX_free(tls->ctx);
	tls_lists_done(&tls->lists);
	free(tls->subject);
	free(tls->serial);
	free(tls);
}

int64_t tls_get_not_before(const struct tls *tls)
{
	return tls->not_before;
}

int64_t tls_get_not_after(const struct tls *tls)
{
	return tls->not_after;
}

const char *tls_get_subject(const struct tls *tls)
{
	return tls->subject;
}

const char *tls_get_serial(const struct tls *tls)
{
	return tls->serial;
}

bool tls_has_same_cert(const struct tls *a, const struct tls *b)
{
	return memcmp(a->fingerprint, b->fingerprint, sizeof(a->fingerprint)) == 0;
}

void tls_renew_tickets(struct tls *tls)
{
	unsigned char keys[TICKET_KEYS_BYTES];

	if (RAND_bytes(keys, sizeof(keys)) == 1)
		(void)SSL_CTX_set_tlsext_ticket_keys(tls->ctx, keys, sizeof(keys));
	OPENSSL_cleanse(keys, sizeof(keys));
}
