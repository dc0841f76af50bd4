/* TLS at the door: the certificate that we show with the rules for those who come (struct tls), and one
 * connection's TLS over a descriptor that does not block (struct tls_conn).
 *
 * A certificate that is replaced lives on for the connections that were made with it: it is counted.
 *
 * The rules: TLS 1.2 with forward secrecy and authenticated encryption only, TLS 1.3; no renegotiation, no
 * compression; ALPN is answered with http/1.1, and a client that offers only other protocols is told so.
 * Sessions are resumed by tickets, whose keys are renewed by tls_renew_tickets(). What a peer can make us do
 * in one call is bounded in bytes, so that nobody holds the loop by feeding it.
 *
 * Source: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 9325 (how to use them), RFC 7301 (ALPN), RFC 5280 (CRLs). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/fail.h"

struct tls;
struct tls_conn;

/* All texts are borrowed for the call. */
struct tls_rules {
	const char *cert_file;      /* PEM: our certificate, then those that lead to an authority */
	const char *key_file;       /* PEM; "": in cert_file too */
	const char *client_ca_file; /* PEM: who vouches for clients; "": nobody is asked */
	const char *
		client_crl_file; /* PEM: lists of what they have revoked; "": none is looked into */
	bool client_certs_required;
	bool only_tls13;
};

/* Reads the files. -EACCES: the key may be read by others, or not by us. -EINVAL and others, with words that
 * say which file, and what to do. The first reference is the caller's. */
int tls_new(const struct tls_rules *rules, struct tls **ret, struct fail *fail) must_check;
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls *tls); /* NULL is fine */
DEFINE_FREEP(struct tls, tls_unref)

/* When the certificate begins and ends to be valid: seconds of the wall clock since 1970. */
int64_t tls_get_not_before(const struct tls *tls);
int64_t tls_get_not_after(const struct tls *tls);

/* Its subject ("CN=fleet.example.org") and its serial number in hexadecimal digits; borrowed. */
const char *tls_get_subject(const struct tls *tls);
const char *tls_get_serial(const struct tls *tls);

/* Both show the same certificate. */
bool tls_has_same_cert(const struct tls *a, const struct tls *b);

/* When the first of the lists of revoked certificates ends, as tls_get_not_after(); 0: there is none that ends. Of an
 * authority with several lists the last one counts. From then on no client of it is let in. */
int64_t tls_get_list_end(const struct tls *tls);
const char *tls_get_list_issuer(const struct tls *tls); /* whose that is; borrowed */

/* An authority of which there is no list, though there are lists: no client of it is let in; borrowed. NULL: none. */
const char *tls_get_unlisted(const struct tls *tls);

/* The files of both have the same lists, or none. */
bool tls_has_same_lists(const struct tls *a, const struct tls *b);

/* Tickets that were given before are not taken any more: their clients make a full handshake. To be called
 * about once a day: a ticket's key opens what was sent under it in TLS 1.2. */
void tls_renew_tickets(struct tls *tls);

/* Counted since the start, over all listeners. */
struct tls_counts {
	uint64_t handshakes; /* completed */
	uint64_t failed;     /* not completed, for what the peer sent */
	uint64_t plain_http; /* plain HTTP, sent to a port that speaks TLS */
	uint64_t truncated;  /* the connection ended without close_notify */
};

const struct tls_counts *tls_get_counts(void);

/* --- connections --------------------------------------------------------------------------------- */

enum tls_wait {
	TLS_WAIT_READ,
	TLS_WAIT_WRITE,
};

/* The server's side over `fd`, which stays the caller's. Takes a reference. NULL: no memory. */
struct tls_conn *tls_conn_new(struct tls *tls, int fd) must_check;

/* Nothing is sent: see tls_conn_end(). NULL is fine. */
void tls_conn_free(struct tls_conn *conn);

/* Reads what is there, and carries the handshake on before: > 0: bytes. 0: the peer has ended its side in
 * order (close_notify). -EAGAIN: again when *ret_wait is possible: a reader may have to write, and the
 * reverse. -EPROTONOSUPPORT: the peer speaks plain HTTP; nothing was taken from the descriptor, and TLS is
 * over. -EPROTO: against the rules (tls_conn_get_trouble()). -EPIPE: it ended without close_notify: what
 * came before may be cut off. -errno of the descriptor. */
ssize_t tls_conn_read(struct tls_conn *conn, void *buf, size_t len, enum tls_wait *ret_wait)
	must_check;

/* Writes what is taken: a record of at most 16 KiB. After -EAGAIN the next call has the same bytes first, and
 * no fewer; where they lie does not matter. Otherwise as tls_conn_read(). `len` is not 0. */
ssize_t tls_conn_write(struct tls_conn *conn, const void *buf, size_t len, enum tls_wait *ret_wait)
	must_check;

/* Bytes that were decrypted already: the descriptor does not tell of them. */
bool tls_conn_has_pending(const struct tls_conn *conn);

bool tls_conn_is_established(const struct tls_conn *conn);

/* Says that nothing more comes from us (close_notify), where that can be said: once. */
void tls_conn_end(struct tls_conn *conn);

/* After -EPROTO: why, a static text; "" where nothing was wrong. */
const char *tls_conn_get_trouble(const struct tls_conn *conn);

/* The handshake failed for the client's certificate, or for want of one. */
bool tls_conn_has_bad_cert(const struct tls_conn *conn);

/* After a handshake that failed: a line in the log, at most some of each kind in ten seconds. */
void tls_conn_log_failure(const struct tls_conn *conn, const char *client);

/* The client could come in under these rules, too, as far as its certificate goes: it shows none, or one that is vouched
 * for, valid and not revoked. A chain that a resumed session does not have any more is no reason to let it in. */
bool tls_conn_is_vouched_by(const struct tls_conn *conn, const struct tls *tls);

/* "TLSv1.3"; "" before the handshake. A static text. */
const char *tls_conn_get_version(const struct tls_conn *conn);

/* --- who the client is --------------------------------------------------------------------------- */

enum {
	TLS_MAX_NAMES = 32,
	TLS_MAX_NAME_BYTES = 256,
};

enum tls_name_kind {
	TLS_NAME_CN, /* of the subject */
	TLS_NAME_DNS,
	TLS_NAME_URI,
	TLS_NAME_EMAIL,
};

struct tls_name {
	enum tls_name_kind kind;
	const char *text; /* valid UTF-8 without control characters */
};

struct tls_names {
	struct tls_name items[TLS_MAX_NAMES];
	size_t n;
};

/* The names in the certificate by which the client has shown who it is, and that an authority of
 * client_ca_file vouches for; borrowed from the connection. NULL: it has shown none, or that has expired
 * since. Names that are too long or no clean text are left out, and so are those beyond TLS_MAX_NAMES. */
const struct tls_names *tls_conn_get_names(struct tls_conn *conn);

/* "CN", "DNS", "URI", "email" */
const char *tls_name_kind_text(enum tls_name_kind kind);
