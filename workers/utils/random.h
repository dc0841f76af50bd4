/* Random bytes from the kernel. */
#pragma once

#include "shared/cleanup.h"

/* 0 or -errno (a seccomp filter may refuse). */
int random_fill(void *ret, size_t len) must_check;
