#include "workers/git/settings.h"

#include "shared/cleanup.h"

static const char *default_protected[] = { "main", "master" };
static const char *default_protocols[] = { "https", "ssh" };

const struct param git_settings_params[] = {
	PARAM(git_settings, default_repository, AT_MOST(4096),
		.doc = "Repository used when a call names none."),
	PARAM(git_settings, user_name, AT_MOST(256), .def_str = "",
		.doc = "Name in commits of repositories without user.name."),
	PARAM(git_settings, user_email, AT_MOST(256), .def_str = "",
		.doc = "E-mail in commits of repositories without user.email."),
	PARAM(git_settings, protected_branches, AT_MOST(100),
		.doc = "Branches that the branch rules protect. Default: main, master."),
	PARAM(git_settings, feature_prefix, RANGE(1, 100), .def_str = "feature/",
		.doc = "How the names of feature branches begin."),
	PARAM(git_settings, enforce_protected,
		.doc = "Apply the branch rules to the plain tools as well."),
	PARAM(git_settings, allow_force_push, .doc = "Allow pushes with a lease."),
	PARAM(git_settings, allowed_protocols, AT_MOST(10),
		.doc = "https, ssh, file. Default: https, ssh."),
	PARAM(git_settings, credentials_file, AT_MOST(4096), .def_str = "",
		.doc = "File with the credentials of remotes."),
	PARAM(git_settings, secret_patterns, AT_MOST(100),
		.doc = "More regular expressions that mark a secret."),
	{ 0 },
};

struct str_list git_settings_protected(const struct git_settings *settings)
{
	if (settings->protected_branches.items)
		return settings->protected_branches;

	return (struct str_list){ default_protected, N_ELEMENTS(default_protected) };
}

struct str_list git_settings_protocols(const struct git_settings *settings)
{
	if (settings->allowed_protocols.items)
		return settings->allowed_protocols;

	return (struct str_list){ default_protocols, N_ELEMENTS(default_protocols) };
}

static bool has(struct str_list list, const char *text)
{
	for (size_t i = 0; i < list.n; i++)
		if (streq(list.items[i], text))
			return true;

	return false;
}

bool git_settings_is_protected(const struct git_settings *settings, const char *name)
{
	return has(git_settings_protected(settings), name);
}

bool git_settings_allows(const struct git_settings *settings, const char *protocol)
{
	return has(git_settings_protocols(settings), protocol);
}

bool git_settings_is_feature(const struct git_settings *settings, const char *name)
{
	size_t len = strlen(settings->feature_prefix);

	return strncmp(name, settings->feature_prefix, len) == 0 && name[len] != '\0';
}
