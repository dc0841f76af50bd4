/* The bytes of open files: reading them whole, copying them, their SHA-256. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shared/limits.h"
#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/digest.h"

/* A copy is 1 GiB at most; so is what is read only for its hash. */
#define CONTENT_COPY_MAX (1024 * MIB)

/* All that the regular file `fd` has, from its beginning: 0, -errno, -EFBIG over `max`, -ECANCELED
 * when the call was stopped. */
int content_read(struct call *call, int fd, size_t max, struct strbuf *ret) must_check;

/* SHA-256 in small hexadecimal digits: of bytes, or of a file from its beginning and of more bytes
 * behind it (errors as above). */
int content_hash(const void *bytes, size_t len, char ret[DIGEST_HEX_SIZE]) must_check;
int content_hash_file(struct call *call, int fd, const void *more, size_t more_len,
	char ret[DIGEST_HEX_SIZE]) must_check;

/* Copies `from`, from its beginning, to where `to` is; *ret_bytes as many as were copied. 0, -errno,
 * -EFBIG over `max`, -ECANCELED. `to` must not be open for appending. */
int content_copy(struct call *call, int from, int to, int64_t max, int64_t *ret_bytes) must_check;

/* Writes all, and looks whether the call was stopped. 0, -errno, -ECANCELED. */
int content_write(struct call *call, int fd, const char *bytes, size_t len) must_check;

/* JSON string of any bytes, mended where they are not UTF-8: a new reference. */
json_t *content_json(const char *bytes, size_t len) must_check;

/* Fails the call for -errno `err` of one of these on `path`; returns 0. */
int content_fail(struct call *call, const char *path, int err, int64_t max);
