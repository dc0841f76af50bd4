/* The inside of TLS: shared by tls.c (certificates and rules), tls_crl.c (revoked certificates), tls_conn.c
 * (connections) and tls_names.c (who the client is). */
#pragma once

#include <openssl/ssl.h>

#include "shared/strbuf.h"
#include "supervisor/front/tls.h"

/* What is known of the lists of revoked certificates; all zero: there are none. */
struct tls_lists {
	int64_t ends;  /* of the one that ends first */
	char *issuer;  /* of it */
	char *without; /* an authority that has no list */
	unsigned char digest[32];
};

struct tls {
	SSL_CTX *ctx;
	unsigned n_refs;
	int64_t not_before;
	int64_t not_after;
	char *subject;
	char *serial;
	unsigned char fingerprint[32]; /* SHA-256 of the certificate */
	struct tls_lists lists;
};

/* Why a connection is over. Of each kind the log has its own share. */
enum tls_trouble {
	TLS_TROUBLE_NONE,
	TLS_TROUBLE_VERSION,
	TLS_TROUBLE_CIPHER,
	TLS_TROUBLE_ALPN,
	TLS_TROUBLE_NO_CERT,
	TLS_TROUBLE_BAD_CERT,
	TLS_TROUBLE_REVOKED,
	TLS_TROUBLE_NO_LIST,
	TLS_TROUBLE_ALERT, /* the peer refused us */
	TLS_TROUBLE_FLOOD,
	TLS_TROUBLE_OTHER,
	TLS_TROUBLES,
};

struct tls_conn {
	struct tls *tls;
	SSL *ssl;
	int fd;
	size_t room;         /* bytes that may still be read in this call */
	unsigned n_controls; /* records that carried no data, since the handshake */
	enum tls_trouble trouble;
	int err;             /* errno of the descriptor, 0: none */
	bool has_eof : 1;    /* of the descriptor */
	bool has_looked : 1; /* the first byte is one of TLS */
	bool is_established : 1;
	bool is_broken : 1; /* nothing more may be said */
	bool has_ended : 1;
	struct tls_names *names;
};

/* The SSL's back to its connection. */
struct tls_conn *tls_conn_of(const SSL *ssl);

/* What SSL_CTX needs of tls_conn.c: sees each record go by. */
void tls_conn_on_message(
	int is_write, int version, int type, const void *buf, size_t len, SSL *ssl, void *arg);

/* What tls_crl.c needs of tls.c. */
void tls_free_bio(BIO **bio);
int tls_read_pem(const char *setting, const char *path, size_t max_bytes, struct strbuf *ret,
	struct fail *fail) must_check;
bool tls_pem_is_at_end(void); /* after a PEM_read_…: only the end of the text was met */
int64_t tls_seconds_of(const ASN1_TIME *when);
char *tls_text_of_name(const X509_NAME *name);

/* Reads the lists of revoked certificates; the authorities are known. */
int tls_use_lists(struct tls *tls, const char *path, struct fail *fail) must_check;
void tls_lists_done(struct tls_lists *lists);
