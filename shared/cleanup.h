/* Clean-up on leaving a scope, and the attributes used everywhere.
 *
 * A local that owns something is declared with auto_(fn) (or auto_free, auto_close) and initialised;
 * it is freed on every way out. The success path hands it over with TAKE(). */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define auto_(fn) __attribute__((cleanup(fn)))
#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* The value of `x`, which is NULL afterwards: its owner is now whoever takes the result. */
#define TAKE(x)                                                                                    \
	__extension__({                                                                            \
		__typeof__(x) *take_at_ = &(x);                                                    \
		__typeof__(x) take_value_ = *take_at_;                                             \
		*take_at_ = NULL;                                                                  \
		take_value_;                                                                       \
	})

/* The same for a descriptor, which is -1 afterwards. */
#define TAKE_FD(fd)                                                                                \
	__extension__({                                                                            \
		int *take_at_ = &(fd);                                                             \
		int take_fd_ = *take_at_;                                                          \
		*take_at_ = -1;                                                                    \
		take_fd_;                                                                          \
	})

/* Makes `fn`p(T **), for auto_(), from `fn`(T *). */
#define DEFINE_FREEP(type, fn)                                                                     \
	static inline void fn##p(type **p)                                                         \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}

static inline void cleanup_free(void *p)
{
	void *mem;

	memcpy(&mem, p, sizeof(mem));
	free(mem);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define auto_free auto_(cleanup_free)
#define auto_close auto_(cleanup_close)

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static inline int streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}
