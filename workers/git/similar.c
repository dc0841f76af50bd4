#include "workers/git/similar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "workers/common/call.h"

enum { PIECE_BYTES = 64, BINARY_LOOK_BYTES = 8000, MAX_FILE_BYTES = 64 * MIB };

struct piece {
	uint64_t hash;
	uint64_t n_bytes; /* of all pieces with this hash */
};

struct similar {
	struct piece *pieces; /* sorted by hash */
	size_t n;
	size_t len; /* of the file */
};

/* FNV-1a */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

static void add_piece(struct similar *similar, uint64_t hash, uint64_t n_bytes)
{
	if ((similar->n & (similar->n - 1)) == 0)
		similar->pieces = alloc_resize(
			similar->pieces, similar->n ? similar->n * 2 : 1, sizeof(*similar->pieces));
	similar->pieces[similar->n++] = (struct piece){ hash, n_bytes };
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Sorts, and makes one of all pieces with the same hash. */
static void join_pieces(struct similar *similar)
{
	size_t n = 0;

	if (similar->n == 0)
		return;
	qsort(similar->pieces, similar->n, sizeof(*similar->pieces), compare_pieces);
	for (size_t i = 1; i < similar->n; i++)
		if (similar->pieces[i].hash == similar->pieces[n].hash)
			similar->pieces[n].n_bytes += similar->pieces[i].n_bytes;
		else
			similar->pieces[++n] = similar->pieces[i];
	similar->n = n + 1;
}

struct similar *similar_new(const char *bytes, size_t len)
{
	struct similar *similar = alloc_zero(sizeof(*similar));
	bool is_text =
		len == 0 || !memchr(bytes, '\0', len < BINARY_LOOK_BYTES ? len : BINARY_LOOK_BYTES);
	uint64_t hash = HASH_START;
	uint64_t n = 0;

	similar->len = len;
	for (size_t i = 0; i < len; i++) {
		/* The line ends of a text make no difference. */
		if (is_text && bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n')
			continue;
		hash = (hash ^ (unsigned char)bytes[i]) * HASH_PRIME;
		n++;
		if (n == PIECE_BYTES || bytes[i] == '\n') {
			add_piece(similar, hash, n);
			hash = HASH_START;
			n = 0;
		}
	}
	if (n > 0)
		add_piece(similar, hash, n);
	join_pieces(similar);
	return similar;
}

void similar_free(struct similar *similar)
{
	if (!similar)
		return;
	free(similar->pieces);
	free(similar);
}

int similar_score(const struct similar *a, const struct similar *b)
{
	size_t larger = a->len > b->len ? a->len : b->len;
	size_t smaller = a->len > b->len ? b->len : a->len;
	size_t i = 0, k = 0;
	uint64_t common = 0;

	if (smaller < larger - smaller)
		return 0;
	while (i < a->n && k < b->n) {
		const struct piece *x = &a->pieces[i], *y = &b->pieces[k];

		if (x->hash == y->hash)
			common += x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
		i += x->hash <= y->hash;
		k += y->hash <= x->hash;
	}
	return larger == 0 ? 0 : (int)(common * 100 / larger);
}

/* For libgit2 */

static int on_buffer(
	void **ret, const git_diff_file *file, const char *bytes, size_t len, void *arg)
{
	(void)file;
	(void)arg;
	*ret = similar_new(bytes, len);
	return 0;
}

/* A file of the working tree. A symlink is never followed: its text is what git has of it. Without a
 * signature it is similar to nothing. */
static int on_file(void **ret, const git_diff_file *file, const char *path, void *arg)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_strbuf bytes = { 0 };
	char target[PATH_MAX];
	ssize_t n;

	(void)file;
	(void)arg;
	*ret = NULL;
	if (fd < 0 && errno == ELOOP) {
		n = readlink(path, target, sizeof(target));
		if (n >= 0)
			*ret = similar_new(target, (size_t)n);
	} else if (fd >= 0 && fd_read_file(path, MAX_FILE_BYTES, &bytes) == 0) {
		*ret = similar_new(strbuf_get(&bytes), bytes.len);
	}
	return 0;
}

static void on_free(void *signature, void *arg)
{
	(void)arg;
	similar_free(signature);
}

static int on_score(int *ret, void *a, void *b, void *arg)
{
	if (arg && call_stopped(arg))
		return GIT_EUSER;
	*ret = similar_score(a, b);
	return 0;
}

void similar_metric(struct call *call, git_diff_similarity_metric *ret)
{
	*ret = (git_diff_similarity_metric){
		.file_signature = on_file,
		.buffer_signature = on_buffer,
		.free_signature = on_free,
		.similarity = on_score,
		.payload = call,
	};
}
