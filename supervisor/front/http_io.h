/* The bytes of an HTTP connection: a descriptor that does not block, or TLS over it.
 *
 * Without TLS a read is read(2) and a write sendmsg(2), as they were. With TLS small pieces are gathered, so
 * that the head, the size and the data of an event make one record and not three. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "supervisor/front/tls.h"

struct http_io {
	int fd;
	struct tls_conn *tls;           /* NULL: plain */
	bool reader_waits_to_write : 1; /* what was to be read is asked for again once writing is possible */
	bool writer_waits_to_read : 1;
};

/* Takes over `fd`; `tls` NULL: plain. -ENOMEM: the descriptor is closed. */
int http_io_init(struct http_io *io, int fd, struct tls *tls) must_check;

/* Closes the descriptor. `in_order`: nothing that was to be sent is missing. */
void http_io_done(struct http_io *io, bool in_order);

/* > 0: bytes. 0: no more comes. -EAGAIN: later, and io->reader_waits_to_write says after what. -EPROTONOSUPPORT:
 * plain HTTP on a connection that was to be TLS; the connection is plain from now on. -EPROTO: what comes is not
 * TLS as it should be. -EPIPE: TLS was cut off. Other -errno: of the descriptor. */
ssize_t http_io_read(struct http_io *io, void *buf, size_t len) must_check;

/* Bytes written, which may be fewer than there are, also none; or -errno as above. When not all was written,
 * the next call begins with the rest. */
ssize_t http_io_write(struct http_io *io, const struct iovec *iov, int n) must_check;

/* Says that nothing more comes from us. What is read from now on is not for reading, but to be dropped: with
 * TLS it is still encrypted. */
void http_io_end(struct http_io *io);

/* Something can be read that the descriptor does not tell of. */
bool http_io_has_pending(const struct http_io *io);
