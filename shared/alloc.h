/* Memory that is there: these abort when there is none, so nobody checks for NULL.
 *
 * Sizes that a peer chose are checked against a limit first and use alloc_try(). */
#pragma once

#include "shared/cleanup.h"

/* `size` zeroed bytes; free() them. Never NULL. */
void *alloc_zero(size_t size) must_check __attribute__((malloc));

/* As reallocarray(3); never NULL unless n * size is 0. */
void *alloc_resize(void *mem, size_t n, size_t size) must_check;

/* As malloc(3): NULL when there is no memory. */
void *alloc_try(size_t size) must_check;

/* A copy of `text` (NULL stays NULL), or of its first `len` bytes with a NUL behind. */
char *alloc_str(const char *text) must_check;
char *alloc_mem(const void *bytes, size_t len) must_check;

char *alloc_printf(const char *fmt, ...) must_check printf_like(1, 2);
