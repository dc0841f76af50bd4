/* mcp-fleetctl doctor: the keys file. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/key_private.h"
#include "ctl/put.h"
#include "ctl/settings.h"
#include "shared/alloc.h"
#include "shared/clock.h"

/* Where the daemon looks for it, or would: yours; NULL: nowhere. */
static char *find_path(const struct doctor *doctor)
{
	const char *setting = doctor_text(doctor->settings, "auth.keys_file");
	const char *beside = doctor_text_or_null(doctor->settings, "path");
	auto_free char *dir = beside ? put_dir_of(beside) : alloc_str(SYSCONFDIR "/mcp-fleet");

	if (doctor->client)
		return settings_resolve(
			client_get_keys(doctor->client), client_get_daemon(doctor->client));
	if (!doctor->settings)
		return NULL;
	return streq(setting, "auto") ? alloc_printf("%s/keys.json", dir)
	       : *setting             ? alloc_str(setting)
				      : NULL;
}

/* True: the daemon can read it. */
static bool look_at_access(struct doctor *doctor, const char *path)
{
	auto_free char *remedy = alloc_printf(
		"let user %u read it: chgrp to its group and chmod 640, and the folders above",
		(unsigned)doctor->user.uid);
	int r = *path == '/' ? access_check(doctor->root_fd, path, R_OK, &doctor->user) : 0;

	if (r == 0)
		return true;
	errno = -r;
	finding_add(&doctor->findings, FINDING_FAIL, "keys", path, remedy,
		"user %u may not read it: %m", (unsigned)doctor->user.uid);
	return false;
}

/* Who may write it gives rights to whom he likes; who may read it learns which keys there are. */
static void look_at_mode(struct doctor *doctor, const char *path, const struct stat *st)
{
	unsigned mode = st->st_mode & 07777;

	if (mode & (S_IWGRP | S_IWOTH))
		finding_add(&doctor->findings, FINDING_FAIL, "keys", path, "chmod 640",
			"its mode is %04o: others than its owner may write it, and with it give rights",
			mode);
	else if (mode & S_IROTH)
		finding_add(&doctor->findings, FINDING_WARN, "keys", path, "chmod 640",
			"its mode is %04o: everybody on this machine may read which keys there are",
			mode);
	else if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != doctor->user.uid)
		finding_add(&doctor->findings, FINDING_WARN, "keys", path,
			"let it belong to root, or to the daemon's user",
			"it belongs to user %u, who may change it", (unsigned)st->st_uid);
}

/* Returns whether there is something to say of it. */
static bool look_at_end(struct doctor *doctor, const struct keys_file_key *key, int64_t now_s)
{
	auto_free char *remedy = alloc_printf(
		"mcp-fleetctl key rotate %s --expires 90d, or mcp-fleetctl key revoke %s",
		key->name, key->name);
	char end[KEYS_FILE_TIME_SIZE];

	if (key->expires_s == 0 || key->expires_s - now_s >= KEY_SOON_S)
		return false;
	keys_file_print_time(key->expires_s, end);
	finding_add(&doctor->findings, FINDING_WARN, "key", key->name, remedy,
		key->expires_s <= now_s ? "it has expired, at %s" : "it expires soon, at %s", end);
	return true;
}

static void look_at_keys(struct doctor *doctor, const char *path)
{
	auto_(keys_file_freep) struct keys_file *file = NULL;
	int64_t now_s = clock_wall_ms() / 1000;
	struct fail fail = { 0 };
	int r = keys_file_load(path, &file, &fail);
	bool is_fine = true;

	if (r == -EACCES) {
		finding_add(&doctor->findings, FINDING_SKIP, "keys", path,
			"run this as root, or as the daemon's user", "we may not read it");
		return;
	}
	if (r < 0) {
		finding_add(&doctor->findings, FINDING_FAIL, "keys", path,
			"mend it, or take a copy from a backup", "%s", fail.text);
		return;
	}
	for (size_t i = 0; i < file->n; i++)
		is_fine &= !look_at_end(doctor, &file->keys[i], now_s);
	if (file->n == 0)
		finding_add(&doctor->findings, FINDING_WARN, "keys", path,
			"mcp-fleetctl key add NAME, or remove the file",
			"there is no key in it, and a client over HTTP has to show one");
	else if (is_fine)
		finding_add(&doctor->findings, FINDING_OK, "keys", path, NULL,
			"%zu, none of which has expired or will soon", file->n);
}

void doctor_check_keys(struct doctor *doctor)
{
	auto_free char *path = find_path(doctor);
	struct stat st;

	if (!path) {
		finding_add(&doctor->findings, FINDING_SKIP, "keys", NULL, NULL,
			doctor->client || doctor->settings
				? "auth.keys_file says that there are none"
				: "not known while the settings cannot be used");
		return;
	}
	if (stat(path, &st) < 0 && errno == ENOENT) {
		finding_add(&doctor->findings, FINDING_SKIP, "keys", path, NULL,
			"there is no such file: no key is wanted of anybody");
		return;
	}
	if (!look_at_access(doctor, path))
		return;
	if (stat(path, &st) == 0)
		look_at_mode(doctor, path, &st);
	look_at_keys(doctor, path);
}
