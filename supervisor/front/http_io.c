/* See http_io.h. */
#include "supervisor/front/http_io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/fd.h"
#include "shared/limits.h"

enum {
	RECORD_BYTES = 16 * KIB,
};

static char gathered[RECORD_BYTES];

int http_io_init(struct http_io *io, int fd, struct tls *tls)
{
	*io = (struct http_io){ .fd = fd };
	if (!tls)
		return 0;
	io->tls = tls_conn_new(tls, fd);
	if (io->tls)
		return 0;
	io->fd = fd_close(fd);
	return -ENOMEM;
}

static void drop_tls(struct http_io *io)
{
	tls_conn_free(io->tls);
	io->tls = NULL;
	io->reader_waits_to_write = false;
	io->writer_waits_to_read = false;
}

void http_io_done(struct http_io *io, bool in_order)
{
	if (io->tls && in_order)
		tls_conn_end(io->tls);
	drop_tls(io);
	io->fd = fd_close(io->fd);
}

ssize_t http_io_read(struct http_io *io, void *buf, size_t len)
{
	enum tls_wait wait;
	ssize_t n;

	if (!io->tls) {
		n = read(io->fd, buf, len);
		if (n >= 0)
			return n;
		return errno == EINTR ? -EAGAIN : -errno;
	}
	n = tls_conn_read(io->tls, buf, len, &wait);
	io->reader_waits_to_write = n == -EAGAIN && wait == TLS_WAIT_WRITE;
	if (n == -EPROTONOSUPPORT)
		drop_tls(io);
	return n;
}

/* --- writing ------------------------------------------------------------------------------------- */

/* What is left of the pieces. */
struct pieces {
	const struct iovec *iov;
	int n;
	size_t at; /* in the first */
};

static void skip(struct pieces *pieces, size_t len)
{
	while (pieces->n > 0 && len >= pieces->iov->iov_len - pieces->at) {
		len -= pieces->iov->iov_len - pieces->at;
		pieces->iov++;
		pieces->n--;
		pieces->at = 0;
	}
	pieces->at += len;
}

/* The bytes of the next record: where they lie already when they fill one, or are the last. */
static struct iovec next_record(const struct pieces *pieces)
{
	struct iovec first = { .iov_base = (char *)pieces->iov->iov_base + pieces->at,
		.iov_len = pieces->iov->iov_len - pieces->at };
	size_t at = pieces->at;
	size_t len = 0;

	if (pieces->n == 1 || first.iov_len >= RECORD_BYTES)
		return first;
	for (int i = 0; i < pieces->n && len < RECORD_BYTES; i++) {
		size_t more = pieces->iov[i].iov_len - at;

		if (more > RECORD_BYTES - len)
			more = RECORD_BYTES - len;
		if (more > 0)
			memcpy(gathered + len, (const char *)pieces->iov[i].iov_base + at, more);
		len += more;
		at = 0;
	}
	return (struct iovec){ .iov_base = gathered, .iov_len = len };
}

static ssize_t write_records(struct http_io *io, const struct iovec *iov, int n)
{
	struct pieces pieces = { .iov = iov, .n = n };
	size_t sent = 0;

	skip(&pieces, 0); /* pieces without a byte */
	while (pieces.n > 0) {
		struct iovec record = next_record(&pieces);
		enum tls_wait wait;
		ssize_t r = tls_conn_write(io->tls, record.iov_base, record.iov_len, &wait);

		io->writer_waits_to_read = r == -EAGAIN && wait == TLS_WAIT_READ;
		if (r == -EAGAIN)
			break;
		if (r < 0)
			return r;
		sent += (size_t)r;
		skip(&pieces, (size_t)r);
	}
	return (ssize_t)sent;
}

ssize_t http_io_write(struct http_io *io, const struct iovec *iov, int n)
{
	union {
		const struct iovec *in;
		struct iovec *out;
	} pieces = { iov };
	const struct msghdr msg = { .msg_iov = pieces.out, .msg_iovlen = (size_t)n };
	ssize_t sent;

	if (io->tls)
		return write_records(io, iov, n);
	sent = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

void http_io_end(struct http_io *io)
{
	if (io->tls)
		tls_conn_end(io->tls);
	drop_tls(io);
	(void)shutdown(io->fd, SHUT_WR);
}

bool http_io_has_pending(const struct http_io *io)
{
	return io->tls && tls_conn_has_pending(io->tls);
}
