/* The inside of TLS: shared by tls.c (certificates and rules), tls_conn.c (connections) and tls_names.c (who the
 * client is). */
#pragma once

#include <openssl/ssl.h>

#include "supervisor/front/tls.h"

struct tls {
	SSL_CTX *ctx;
	unsigned n_refs;
	int64_t not_before;
	int64_t not_after;
	char *subject;
	char *serial;
	unsigned char fingerprint[32]; /* SHA-256 of the certificate */
};

/* Why a connection is over. Of each kind the log has its own share. */
enum tls_trouble {
	TLS_TROUBLE_NONE,
	TLS_TROUBLE_VERSION,
	TLS_TROUBLE_CIPHER,
	TLS_TROUBLE_ALPN,
	TLS_TROUBLE_NO_CERT,
	TLS_TROUBLE_BAD_CERT,
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
