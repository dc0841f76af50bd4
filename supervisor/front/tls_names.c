/* See tls.h: who the client is, by its certificate.
 *
 * A name that holds a NUL, or is no clean text, is none: what one reader takes for the end of a name another
 * reads over. */
#include <string.h>

#include <openssl/x509v3.h>

#include "shared/alloc.h"
#include "shared/utf8.h"
#include "supervisor/front/tls_private.h"

/* The texts lie behind the list. */
struct gathered {
	struct tls_names names; /* first: it is what is handed out and freed */
	char texts[TLS_MAX_NAMES][TLS_MAX_NAME_BYTES];
};

static bool is_clean(const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return utf8_valid((const char *)text, len);
}

static void add_name(
	struct gathered *gathered, enum tls_name_kind kind, const unsigned char *text, int len)
{
	struct tls_names *names = &gathered->names;
	char *copy;

	if (names->n == TLS_MAX_NAMES || len <= 0 || len >= TLS_MAX_NAME_BYTES ||
		!is_clean(text, (size_t)len))
		return;
	copy = gathered->texts[names->n];
	memcpy(copy, text, (size_t)len);
	copy[len] = '\0';
	names->items[names->n++] = (struct tls_name){ .kind = kind, .text = copy };
}

static void add_common_names(struct gathered *gathered, const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
		const ASN1_STRING *value =
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
		unsigned char *text = NULL;
		int len = ASN1_STRING_to_UTF8(&text, value);

		add_name(gathered, TLS_NAME_CN, text, len);
		OPENSSL_free(text);
	}
}

static void add_alternative_names(struct gathered *gathered, const X509 *cert)
{
	static const struct {
		int type;
		enum tls_name_kind kind;
	} kinds[] = {
		{ GEN_DNS, TLS_NAME_DNS },
		{ GEN_URI, TLS_NAME_URI },
		{ GEN_EMAIL, TLS_NAME_EMAIL },
	};
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		for (size_t k = 0; k < N_ELEMENTS(kinds); k++)
			if (name->type == kinds[k].type)
				add_name(gathered, kinds[k].kind,
					ASN1_STRING_get0_data(name->d.ia5),
					ASN1_STRING_length(name->d.ia5));
	}
	GENERAL_NAMES_free(names);
}

static struct tls_names *gather(const X509 *cert)
{
	struct gathered *gathered = alloc_zero(sizeof(*gathered));

	add_common_names(gathered, cert);
	add_alternative_names(gathered, cert);
	return &gathered->names;
}

const struct tls_names *tls_conn_get_names(struct tls_conn *conn)
{
	X509 *cert;

	if (!conn->is_established || SSL_get_verify_result(conn->ssl) != X509_V_OK)
		return NULL;
	cert = SSL_get_peer_certificate(conn->ssl);
	if (!cert)
		return NULL;
	if (!conn->names)
		conn->names = gather(cert);
	/* A connection may outlast what it began with, and so may a ticket. */
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
		X509_free(cert);
		return NULL;
	}
	X509_free(cert);
	return conn->names;
}

const char *tls_name_kind_text(enum tls_name_kind kind)
{
	static const char *const texts[] = { [TLS_NAME_CN] = "CN",
		[TLS_NAME_DNS] = "DNS",
		[TLS_NAME_URI] = "URI",
		[TLS_NAME_EMAIL] = "email" };

	return texts[kind];
}
