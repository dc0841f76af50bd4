/* What is kept over restarts, in the state file: who we are, what was ordered, what was confirmed, the last
 * report. Never a token or a key: of a key only a salted hash, so that a change of it is seen.
 *
 * The file is foreign when it is read: bounded, and each value is checked; one that is damaged is as none. */
#pragma once

#include "shared/fail.h"
#include "workers/registrar/domains.h"

enum {
	KEEP_VERSION = 1,
	KEEP_MAX_BYTES = 4 * 1024 * 1024,
	KEEP_ID_SIZE = 33,
};

struct keep {
	char instance[KEEP_ID_SIZE]; /* marks what is ours at a gateway; "": not chosen yet */
	char former[KEEP_ID_SIZE];   /* what it was before our address changed; "": nothing else */
	char host[KEEP_ID_SIZE];     /* marks the machine; "": not known */
	char salt[KEEP_ID_SIZE];
	char *gateway;                /* URL to which the domains' part belongs */
	json_t *order;                /* the params of the last registrar/register; NULL: none */
	json_t *unregistered;         /* array of names; true: all; NULL: none */
	char server_id[KEEP_ID_SIZE]; /* of our virtual server; "": none was made */
	json_t *report;
};

void keep_done(struct keep *keep);

/* 0, -ENOENT: there is no such file, -EBADMSG: damaged. With words unless 0. */
int keep_load(const char *path, struct keep *keep, struct domains *domains, struct fail *fail)
	must_check;

/* Writes it, as a whole or not at all, mode 0600. */
int keep_save(const char *path, const struct keep *keep, const struct domains *domains,
	struct fail *fail) must_check;

/* The parts of the above that are pure. keep_read() changes nothing when it fails (-EBADMSG). */
int keep_read(json_t *json, struct keep *keep, struct domains *domains) must_check;
json_t *keep_write(const struct keep *keep, const struct domains *domains) must_check;

/* Random hexadecimal digits. */
void keep_random(char ret[KEEP_ID_SIZE]);
