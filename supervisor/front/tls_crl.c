/* See tls.h: certificates of clients that were taken back before their end.
 *
 * Where lists are given, each certificate of a client's chain must be looked up in a list that its own authority has
 * signed and that has not ended: who cannot be looked up is refused. That is what other servers with this setting
 * do, and the only reading under which somebody who keeps the new list from us gains nothing. So the operator is told
 * of a list that ends, and of an authority that has none, before clients are.
 *
 * Source: RFC 5280 section 5 (lists) and 6.3 (their part in judging a chain). */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/front/tls_private.h"

enum {
	MAX_LISTS_BYTES = 16 * MIB,
	MAX_LISTS = 256,
};

static const char setting[] = "tls.client_crl_file";

static void free_crl(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}

static void free_store_ctx(X509_STORE_CTX **ctx)
{
	X509_STORE_CTX_free(*ctx);
}

/* --- the lists ----------------------------------------------------------------------------------- */

static const STACK_OF(X509_OBJECT) * objects_of(const struct tls *tls)
{
	return X509_STORE_get0_objects(SSL_CTX_get_cert_store(tls->ctx));
}

/* A list of an authority that only clients have the certificate of is judged with their chain. */
static int check_signature(struct tls *tls, X509_CRL *crl, const char *path, struct fail *fail)
{
	const STACK_OF(X509_OBJECT) *objects = objects_of(tls);
	const X509_NAME *issuer = X509_CRL_get_issuer(crl);
	auto_free char *name = NULL;
	bool is_known = false;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (!cert || X509_NAME_cmp(X509_get_subject_name(cert), issuer) != 0)
			continue;
		if (X509_CRL_verify(crl, X509_get0_pubkey(cert)) == 1)
			return 0;
		is_known = true;
	}
	if (!is_known)
		return 0;
	name = tls_text_of_name(issuer);
	return fail_set(fail, -EINVAL,
		"%s: the list of %s in '%s' is not signed by the authority of that name in "
		"tls.client_ca_file",
		setting, name, path);
}

static int add_lists(struct tls *tls, BIO *bio, const char *path, struct fail *fail)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);

	for (unsigned n = 0;; n++) {
		auto_(free_crl) X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
		int r;

		if (!crl && (n == 0 || !tls_pem_is_at_end()))
			return fail_set(fail, -EINVAL,
				"%s: %s in '%s' (PEM: -----BEGIN X509 CRL-----; one in DER: openssl crl "
				"-inform DER -in … -out …)",
				setting,
				n == 0 ? "there is no list of revoked certificates"
				       : "a list of revoked certificates cannot be read",
				path);
		if (!crl)
			return 0;
		if (n == MAX_LISTS)
			return fail_set(fail, -E2BIG, "%s: there are more than %d lists in '%s'",
				setting, MAX_LISTS, path);
		r = check_signature(tls, crl, path, fail);
		if (r < 0)
			return r;
		if (X509_STORE_add_crl(store, crl) != 1)
			return fail_set(fail, -EINVAL,
				"%s: a list of revoked certificates in '%s' cannot be used: %s",
				setting, path, ERR_reason_error_string(ERR_peek_last_error()));
	}
}

/* --- what the operator is told ------------------------------------------------------------------- */

/* When the last list of this authority ends; 0: it has none. One that says nothing of its end has none. */
static int64_t find_end(const STACK_OF(X509_OBJECT) * objects, const X509_NAME *issuer)
{
	int64_t last = 0;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		int64_t end;

		if (!crl || X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer) != 0)
			continue;
		end = X509_CRL_get0_nextUpdate(crl) ? tls_seconds_of(X509_CRL_get0_nextUpdate(crl))
						    : INT64_MAX;
		last = end > last ? end : last;
	}
	return last;
}

/* Of each authority, whether its certificate or only a list of it is known. */
static void note_state(struct tls *tls)
{
	const STACK_OF(X509_OBJECT) *objects = objects_of(tls);
	struct tls_lists *lists = &tls->lists;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
		X509 *cert = X509_OBJECT_get0_X509(object);
		const X509_NAME *name =
			cert ? X509_get_subject_name(cert)
			     : X509_CRL_get_issuer(X509_OBJECT_get0_X509_CRL(object));
		int64_t end = find_end(objects, name);

		if (end == 0 && !lists->without)
			lists->without = tls_text_of_name(name);
		if (end == 0 || end == INT64_MAX || (lists->ends && end >= lists->ends))
			continue;
		free(lists->issuer);
		lists->issuer = tls_text_of_name(name);
		lists->ends = end;
	}
}

/* --- for tls.c ----------------------------------------------------------------------------------- */

int tls_use_lists(struct tls *tls, const char *path, struct fail *fail)
{
	auto_strbuf text = { 0 };
	auto_(tls_free_bio) BIO *bio = NULL;
	int r = tls_read_pem(setting, path, MAX_LISTS_BYTES, &text, fail);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(strbuf_get(&text), (int)text.len);
	r = add_lists(tls, bio, path, fail);
	if (r < 0)
		return r;
	note_state(tls);
	(void)EVP_Digest(text.data, text.len, tls->lists.digest, NULL, EVP_sha256(), NULL);
	/* Of those who come, not of our own chain: so not of the store. */
	if (X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->ctx),
		    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
		return fail_set(fail, -EINVAL, "%s: OpenSSL does not look into lists", setting);
	return 0;
}

void tls_lists_done(struct tls_lists *lists)
{
	free(lists->issuer);
	free(lists->without);
}

/* --- public -------------------------------------------------------------------------------------- */

int64_t tls_get_list_end(const struct tls *tls)
{
	return tls->lists.ends;
}

const char *tls_get_list_issuer(const struct tls *tls)
{
	return tls->lists.issuer;
}

const char *tls_get_unlisted(const struct tls *tls)
{
	return tls->lists.without;
}

bool tls_has_same_lists(const struct tls *a, const struct tls *b)
{
	return memcmp(a->lists.digest, b->lists.digest, sizeof(a->lists.digest)) == 0;
}

bool tls_conn_is_vouched_by(const struct tls_conn *conn, const struct tls *tls)
{
	X509 *cert = conn->is_established ? SSL_get_peer_certificate(conn->ssl) : NULL;
	auto_(free_store_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool is_vouched = !cert;

	if (cert && ctx &&
		X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(tls->ctx), cert,
			SSL_get_peer_cert_chain(conn->ssl)) == 1 &&
		X509_STORE_CTX_set_default(ctx, "ssl_client") == 1 &&
		X509_VERIFY_PARAM_set1(
			X509_STORE_CTX_get0_param(ctx), SSL_CTX_get0_param(tls->ctx)) == 1)
		is_vouched = X509_verify_cert(ctx) == 1;
	X509_free(cert);
	ERR_clear_error();
	return is_vouched;
}
