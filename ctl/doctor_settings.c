/* mcp-fleetctl doctor: the settings, and the folders and programs that they name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>

#include "ctl/doctor.h"
#include "ctl/settings.h"
#include "shared/alloc.h"
#include "shared/fd.h"

enum { MAX_ENVIRONMENT = 1048576 };

/* Under a service the daemon has mounts of its own (ProtectHome=, ReadOnlyPaths=). */
static void find_user(struct doctor *doctor)
{
	const struct passwd *service = getpwnam("mcp-fleet");
	int r = -ESRCH;

	if (doctor->client) {
		auto_free char *root =
			alloc_printf("/proc/%d/root", (int)client_get_daemon(doctor->client));

		doctor->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = access_user_of_process(client_get_daemon(doctor->client), &doctor->user);
	}
	if (doctor->root_fd < 0)
		doctor->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		r = access_user_by_uid(
			geteuid() == 0 && service ? service->pw_uid : geteuid(), &doctor->user);
	if (r < 0)
		doctor->user = (struct access_user){ .uid = geteuid(), .gid = getegid() };
}

/* The file, or a folder that it names, is closed to us and may well be open to the daemon. */
static bool is_closed_to_us(const struct doctor *doctor, const struct fail *fail)
{
	return geteuid() != 0 && geteuid() != doctor->user.uid &&
	       strstr(fail->text, strerror(EACCES));
}

void doctor_check_settings(struct doctor *doctor)
{
	auto_free char *used =
		doctor->client ? settings_resolve(doctor_text_or_null(doctor->status, "settings"),
					 client_get_daemon(doctor->client))
			       : NULL;
	const char *path = used;
	struct fail fail = { 0 };

	find_user(doctor);
	doctor->settings = settings_dump(path, &fail);
	if (!doctor->settings && is_closed_to_us(doctor, &fail)) {
		finding_add(&doctor->findings, FINDING_SKIP, "settings", path,
			"run this as root, or as the daemon's user",
			"we may not read all of them: %s", fail.text);
		return;
	}
	if (!doctor->settings) {
		finding_add(&doctor->findings, FINDING_FAIL, "settings", path,
			doctor->client ? "mend them; until then a reload or restart is refused"
				       : "mend them: the daemon does not start with them",
			"%s", fail.text);
		return;
	}
	path = doctor_text_or_null(doctor->settings, "path");
	finding_add(&doctor->findings, FINDING_OK, "settings", path, NULL, "%s, %zu domains",
		path ? "they are right" : "there is no file: the built-in default",
		json_object_size(doctor_get(doctor->settings, "domains")));
}

/* --- folders ----------------------------------------------------------------------------------- */

static void look_at_folder(
	struct doctor *doctor, const char *check, const char *path, bool is_written)
{
	int mode = R_OK | X_OK | (is_written ? W_OK : 0);
	int r = access_check(doctor->root_fd, path, mode, &doctor->user);
	auto_strbuf remedy = { 0 };

	if (r == 0) {
		finding_add(&doctor->findings, FINDING_OK, check, path, NULL, "user %u may %s it",
			(unsigned)doctor->user.uid, is_written ? "read and write" : "read");
		return;
	}
	if (r == -ENOENT || r == -ENOTDIR)
		strbuf_addf(&remedy, "make it, owned by user %u, or take it out of the settings",
			(unsigned)doctor->user.uid);
	else if (r == -EROFS)
		strbuf_adds(&remedy, "it is mounted for reading only where the daemon runs: "
				     "ReadWritePaths= of the unit lets it write there");
	else
		strbuf_addf(&remedy,
			"let user %u in: chown, chmod, or setfacl on it and on the "
			"folders above; under systemd also see ProtectHome=",
			(unsigned)doctor->user.uid);
	errno = -r;
	finding_add(&doctor->findings, FINDING_FAIL, check, path, strbuf_get(&remedy),
		"user %u may not %s it: %m", (unsigned)doctor->user.uid,
		is_written ? "read and write" : "read");
}

static void look_at_state_dir(struct doctor *doctor)
{
	const json_t *from = doctor->status ? doctor->status : doctor->settings;
	const char *path = doctor_text_or_null(from, "state_dir");

	if (path)
		look_at_folder(doctor, "state_dir", path, true);
	else
		finding_add(&doctor->findings, FINDING_WARN, "state_dir", NULL,
			"set state_dir to a folder of the daemon's own",
			"there is none: what was disabled or registered is forgotten at a restart");
}

void doctor_check_paths(struct doctor *doctor)
{
	json_t *domains = json_object_get(doctor->settings, "domains");
	const char *name;
	json_t *domain;

	if (!doctor->settings) {
		finding_add(&doctor->findings, FINDING_SKIP, "root", NULL, NULL,
			"not known while the settings cannot be used");
		if (!doctor->status)
			return;
	}
	look_at_state_dir(doctor);
	if (doctor->settings && !doctor_text_or_null(doctor->settings, "path")) {
		finding_add(&doctor->findings, FINDING_SKIP, "root", NULL, NULL,
			"the built-in default takes the folder in which the daemon is started");
		return;
	}
	json_object_foreach(domains, name, domain) {
		const json_t *roots = json_object_get(domain, "roots");

		for (size_t i = 0; i < json_array_size(roots); i++) {
			const json_t *root = json_array_get(roots, i);

			look_at_folder(doctor, "root", doctor_text(root, "path"),
				streq(doctor_text(root, "access"), "write"));
		}
	}
}

/* --- programs ---------------------------------------------------------------------------------- */

/* PATH as the daemon has it, where we may look; else ours. */
static char *find_search_path(const struct doctor *doctor)
{
	const char *own = getenv("PATH");
	auto_strbuf environment = { 0 };
	auto_close int fd = -1;

	if (doctor->client) {
		auto_free char *path =
			alloc_printf("/proc/%d/environ", (int)client_get_daemon(doctor->client));

		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0 && fd_read_all(fd, MAX_ENVIRONMENT, &environment) == 0)
		for (size_t at = 0; at < environment.len; at += strlen(environment.data + at) + 1)
			if (strncmp(environment.data + at, "PATH=", 5) == 0)
				return alloc_str(environment.data + at + 5);
	return alloc_str(own ? own : "/usr/bin:/bin");
}

/* Where the program is, the caller's; NULL with -errno. */
static int find_program(
	const struct doctor *doctor, const char *word, const char *folders, char **ret)
{
	int result = -ENOENT;

	if (strchr(word, '/')) {
		*ret = alloc_str(word);
		return access_check(doctor->root_fd, word, X_OK, &doctor->user);
	}
	for (; *folders; folders += strcspn(folders, ":"), folders += *folders == ':') {
		auto_free char *path =
			alloc_printf("%.*s/%s", (int)strcspn(folders, ":"), folders, word);
		int r = *path == '/' ? access_check(doctor->root_fd, path, X_OK, &doctor->user)
				     : -ENOENT;

		if (r == 0) {
			*ret = TAKE(path);
			return 0;
		}
		if (r == -EACCES)
			result = r;
	}
	return result;
}

static void look_at_program(
	struct doctor *doctor, const char *domain, const char *word, const char *folders)
{
	auto_free char *path = NULL;
	int r = find_program(doctor, word, folders, &path);

	errno = -r;
	if (r == 0)
		finding_add(&doctor->findings, FINDING_OK, "program", domain, NULL, "%s", path);
	else if (r == -ENOENT)
		finding_add(&doctor->findings, FINDING_FAIL, "program", domain,
			"install it, or name it with its whole path in the domain's command",
			"'%s' is not there%s%s", word,
			strchr(word, '/') ? "" : ", in no folder of ",
			strchr(word, '/') ? "" : folders);
	else
		finding_add(&doctor->findings, FINDING_FAIL, "program", domain,
			"let the daemon's user execute it: chmod +x, and the folders above",
			"'%s' cannot be executed by user %u: %m", word, (unsigned)doctor->user.uid);
}

void doctor_check_programs(struct doctor *doctor)
{
	auto_free char *folders = find_search_path(doctor);
	json_t *domains = json_object_get(doctor->settings, "domains");
	const char *name;
	json_t *domain;

	json_object_foreach(domains, name, domain) {
		const json_t *command = json_object_get(domain, "command");
		const char *word = json_string_value(json_array_get(command, 0));

		if (word)
			look_at_program(doctor, name, word, folders);
	}
}
