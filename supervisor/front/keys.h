/* The keys that are taken at the door: those of the keys file (shared/keys_file.h), read again at once when it changes,
 * and within two seconds where the system does not tell (a link into another folder, a file system that others write).
 *
 * A file that is wrong, or open to others, is not taken: the keys stay as they were, and the log and the status say so.
 * A file that vanishes takes all keys with it.
 *
 * Source: inotify(7). */
#pragma once

#include "shared/fail.h"
#include "supervisor/front/key_set.h"
#include "supervisor/loop.h"

struct keys;

/* `changed` runs when other keys hold than before, and when there is another file that is not taken: the first file makes
 * a credential wanted, whatever is wrong with it. */
struct keys *keys_new(struct loop *loop, void (*changed)(void *arg), void *arg);
void keys_free(struct keys *keys);

/* Reads the keys of this file (NULL: there are none) and watches it. A failure is logged, and told by keys_get_fault():
 * the keys before it stay, if they were of the same file. */
void keys_set_path(struct keys *keys, const char *path);

/* Reads the file anew, whether it seems to have changed or not. */
void keys_reload(struct keys *keys);

/* Why the file is not taken as it is now; "": it is. Borrowed. */
const char *keys_get_fault(const struct keys *keys);
size_t keys_count(const struct keys *keys);

/* KEYS_OK: *ret is whom it stands for, a reference of the caller's. KEYS_EXPIRED: *ret is whom it stood for. */
enum keys_verdict keys_judge(
	struct keys *keys, struct span text, int64_t now_s, struct principal **ret) must_check;

/* The same for the name of a certificate. */
enum keys_verdict keys_judge_certificate(
	struct keys *keys, const char *name, int64_t now_s, struct principal **ret) must_check;

/* What the key of this principal is now, which a change of the file may have made another one; NULL: there is none any
 * more, or it has expired. Borrowed until the next change. Only for principals of keys and certificates. */
struct principal *keys_renew(
	const struct keys *keys, const struct principal *principal, int64_t now_s);
