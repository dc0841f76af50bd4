/* The state folder: what domains offered in earlier runs, so that one that starts lazily can offer it
 * again before its process runs, in files <folder>/offerings/<domain>.json; and small notes of the fleet, files of
 * the folder itself.
 *
 * What is in the folder is foreign: a file that is not a regular one, not ours, open to writing by others,
 * too large, damaged, or of another command counts as not there. Reading blocks and is for the time of
 * the start; writing goes on in a process of its own (fsync may take seconds), to a temporary file that
 * takes the old one's place when it is complete. So a file is whole or the one before. */
#pragma once

#include "shared/cleanup.h"
#include "shared/fail.h"
#include "supervisor/fleet/launch.h"

enum { STORE_MAX_BYTES = 64 * 1024 * 1024 };

struct store;

/* Where state is kept: `setting` if it is not empty, else the first folder of $STATE_DIRECTORY
 * (systemd.exec(5)), else /var/lib/mcp-fleet for root or if it can be written to. NULL: nowhere. Yours to
 * free. */
char *store_find_folder(const char *setting) must_check;

/* Makes what is missing of the folder's last two levels. -errno with words. `launcher` is borrowed; NULL:
 * nothing is written. */
int store_open(const char *folder, struct launcher *launcher, struct store **ret, struct fail *fail)
	must_check;
void store_free(struct store *store); /* after its launcher, which ends what is being written */
DEFINE_FREEP(struct store, store_free)

/* The text that was kept for the domain under this fingerprint, yours to free; NULL: none of use (why is
 * logged, but for one that is not there or of another fingerprint). Blocks. */
char *store_read(struct store *store, const char *domain, const char *fingerprint) must_check;

/* Keeps it (copied) in the place of the one before. Does not block; trouble is logged. */
void store_write(
	struct store *store, const char *domain, const char *fingerprint, const char *text);

/* The same for a note: what stands in the file of this name, of any fingerprint. Small; one whose writing
 * was ended with the launcher is written by store_free(), which then blocks. */
char *store_read_note(struct store *store, const char *name) must_check;
void store_write_note(struct store *store, const char *name, const char *text);

/* A fingerprint of several texts: begin with STORE_FINGERPRINT_START, pass on what came back. FNV-1a,
 * 64 bits, with the NUL behind each text: against accidents, not against malice. */
#define STORE_FINGERPRINT_START UINT64_C(0xcbf29ce484222325)
uint64_t store_fingerprint(uint64_t hash, const char *text);
