/* See certificate.h. Source: RFC 5280; RFC 2253 for names. */
#include "workers/network/certificate.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "shared/utf8.h"

/* Appends foreign bytes as a text that stays on its line. */
static void add_clean(struct strbuf *out, const void *bytes, size_t len)
{
	size_t from = out->len;

	utf8_repair(out, bytes, len);
	for (size_t i = from; i < out->len; i++)
		if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
			out->data[i] = '?';
}

static void add_name(struct strbuf *out, const X509_NAME *name)
{
	const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long len;

	if (!bio)
		return;
	if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
		len = BIO_get_mem_data(bio, &bytes);
		add_clean(out, bytes, len > 0 ? (size_t)len : 0);
	}
	BIO_free(bio);
	if (out->len > CERTIFICATE_MAX_NAME_BYTES) {
		/* Cut between characters. */
		size_t end = CERTIFICATE_MAX_NAME_BYTES;

		while (((unsigned char)out->data[end] & 0xc0) == 0x80)
			end--;
		strbuf_cut(out, end);
		strbuf_adds(out, "…");
	}
}

static void add_address(struct strbuf *out, const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN] = "?";
	int len = ASN1_STRING_length(address);

	if (len == 4 || len == 16)
		(void)inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
			sizeof(text));
	strbuf_adds(out, text);
}

/* False: of a kind that is not shown. */
static bool add_alternative(struct strbuf *out, const GENERAL_NAME *name)
{
	int kind = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);

	if (kind == GEN_IPADD) {
		add_address(out, value);
		return true;
	}
	if (kind != GEN_DNS && kind != GEN_EMAIL && kind != GEN_URI)
		return false;
	add_clean(out, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	return true;
}

static void read_names(X509 *cert, struct certificate *ret)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);

	ret->names = json_array();
	for (int i = 0; i < n; i++) {
		auto_strbuf text = { 0 };

		if (!add_alternative(&text, sk_GENERAL_NAME_value(names, i)))
			continue;
		if (ret->n_names++ < CERTIFICATE_MAX_NAMES)
			json_array_append_new(
				ret->names, json_stringn(strbuf_get(&text), text.len));
	}
	GENERAL_NAMES_free(names);
}

static void read_date(const ASN1_TIME *time, char ret[CERTIFICATE_DATE_SIZE])
{
	struct tm tm = { 0 };

	*ret = '\0';
	if (ASN1_TIME_to_tm(time, &tm) == 1)
		(void)strftime(ret, CERTIFICATE_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int64_t count_days(const ASN1_TIME *until)
{
	int days = 0;
	int seconds = 0;

	/* Both have the same sign; whole days are counted downwards. */
	if (ASN1_TIME_diff(&days, &seconds, NULL, until) != 1)
		return 0;

	return seconds < 0 ? (int64_t)days - 1 : days;
}

static void read_fingerprint(const X509 *cert, struct strbuf *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return;
	for (unsigned i = 0; i < len; i++)
		strbuf_addf(out, "%02x", digest[i]);
}

void certificate_read(X509 *cert, struct certificate *ret)
{
	*ret = (struct certificate){ 0 };
	add_name(&ret->subject, X509_get_subject_name(cert));
	add_name(&ret->issuer, X509_get_issuer_name(cert));
	read_names(cert, ret);
	read_date(X509_get0_notBefore(cert), ret->not_before);
	read_date(X509_get0_notAfter(cert), ret->not_after);
	ret->days_remaining = count_days(X509_get0_notAfter(cert));
	read_fingerprint(cert, &ret->fingerprint_sha256);
}

void certificate_done(struct certificate *certificate)
{
	strbuf_done(&certificate->subject);
	strbuf_done(&certificate->issuer);
	json_decref(certificate->names);
	strbuf_done(&certificate->fingerprint_sha256);
}
