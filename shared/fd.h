/* Descriptors: close-on-exec from birth, and the few ways of reading and writing that are ours. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "shared/strbuf.h"

/* Closes `fd` when it is one; returns -1, so that `x = fd_close(x)` leaves nothing behind. */
int fd_close(int fd);

/* Of 0, 1 and 2 those that are closed become descriptors of which every use fails, so that nothing that
 * is opened later gets their numbers, and with them what is meant for standard output. 0 or -errno. */
int fd_hold_standard(void) must_check;

/* 0 or -errno. */
int fd_set_nonblock(int fd, bool on);

/* A pair of connected stream sockets, or the two ends of a pipe (ret[0] reads), close-on-exec. */
int fd_socketpair(int ret[2]) must_check;
int fd_pipe(int ret[2]) must_check;

/* Reads from where the descriptor is to its end: 0, -errno, -EFBIG when there are more than `max` bytes. */
int fd_read_all(int fd, size_t max, struct strbuf *ret) must_check;

/* Reads all of a regular file of at most `max` bytes: 0, -errno, -EFBIG over `max`. */
int fd_read_file(const char *path, size_t max, struct strbuf *ret) must_check;

/* Fit to hold secrets: ours or root's, and nobody else reads it; root may let a group read it, in which we
 * are then. */
bool fd_is_private(const struct stat *st);

/* From now on a file that its owner keeps to himself is fit as well, whoever he is, if we are root: for who looks at the
 * settings of a service of another user, and serves nobody by them. */
void fd_judge_for_others(void);

/* A line of at most PIPE_BUF bytes can be written now without waiting for whoever reads it, or fails at once. */
bool fd_takes_line(int fd);

/* Writes all of it to a blocking descriptor: 0 or -errno. */
int fd_write_all(int fd, const void *bytes, size_t len) must_check;

/* SIGTERM and SIGINT become readable here, for whoever waits with poll(2), and have no other effect from now on: a
 * descriptor that does not block, or -errno. */
int fd_open_end_signals(void) must_check;
