/* Reads a text file, whole or some lines of it, in bounded memory however large the file is.
 *
 * Lines are counted in the bytes, block by block; only what is returned is kept and decoded. The last
 * lines are looked for from the end. tools.md section 7, code_read. */
#pragma once

#include <stdint.h>

#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/common/digest.h"
#include "workers/common/failure.h"

#define PART_TO_END INT64_MAX

struct part_want {
	const char *path;
	const char *encoding;  /* one of text_read_encodings */
	int64_t first_line;    /* from 1 */
	int64_t n_lines;       /* PART_TO_END: all that follow */
	int64_t n_last;        /* > 0: the last lines, instead of first_line and n_lines */
	bool line_numbers;     /* "     1" and a tab before each line */
	double max_mib;        /* of what is read; of the whole file when all of it is wanted */
	size_t max_text_bytes; /* of the content */
};

struct part {
	struct strbuf content; /* UTF-8 */
	const char *encoding;
	bool is_lossy;
	const char *line_ending; /* of the content */
	int64_t file_bytes;
	int64_t start_line,
		end_line;    /* 0: not known; end_line is start_line - 1 when there is none */
	int64_t total_lines; /* -1: not known */
	bool has_more;       /* behind end_line */
	char sha256[DIGEST_HEX_SIZE]; /* "": only a part of the file was read */
};

/* 0; -ECANCELED: call_stopped(); -EFBIG: more than max_text_bytes, words in *why; -EINVAL: another
 * reason, in *why. part_done() it in each case. */
int part_read(struct call *call, const struct part_want *want, struct part *ret,
	struct failure *why) must_check;
void part_done(struct part *part);
