/* Signals as something to wait for, beside descriptors: for verbs that go on until they are stopped. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

/* SIGINT, SIGTERM, SIGHUP, SIGQUIT and, when asked for, SIGWINCH and SIGTSTP are told by this descriptor from
 * now on, and do nothing else. -errno on failure. */
int signals_open(bool with_terminal) must_check;

/* The next one; 0: none waits. */
int signals_next(int fd);

/* Waits until one of the descriptors is readable (`other` and `third` may be -1), a signal waits, or the time is
 * over (-1: no limit). */
void signals_wait(int fd, int other, int third, int64_t timeout_ms);
