/* The standard error of a worker: read line by line into the log, labelled, bounded; the last lines
 * are kept to explain its death. */
#pragma once

#include "shared/log.h"
#include "shared/strbuf.h"
#include "supervisor/loop.h"

struct errlog;

/* Takes over `fd` (not blocking). `about` is borrowed and must outlive it. */
struct errlog *errlog_new(struct loop *loop, int fd, const struct log_about *about);
void errlog_free(struct errlog *log);

/* Reads what is still there; after the process has ended. */
void errlog_drain(struct errlog *log);

/* Appends the last lines, joined by " | ". */
void errlog_add_tail(const struct errlog *log, struct strbuf *out);
