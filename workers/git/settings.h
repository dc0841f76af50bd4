/* What the operator decides about the git tools: the keys of domains.git (tools' configuration). */
#pragma once

#include "shared/schema.h"

struct git_settings {
	const char *default_repository; /* NULL: the only root, if it is a repository */
	const char *user_name; /* identity for repositories without one; "" or NULL: none */
	const char *user_email;
	struct str_list protected_branches; /* NULL items: the default, main and master */
	const char *feature_prefix;
	bool enforce_protected;
	bool allow_force_push;
	struct str_list allowed_protocols; /* NULL items: the default, https and ssh */
	const char *credentials_file;
	struct str_list secret_patterns; /* regular expressions beside the built-in ones */
};

extern const struct param git_settings_params[];

/* Whether branch `name` (without refs/heads/) is protected. */
bool git_settings_is_protected(const struct git_settings *settings, const char *name);

/* Whether branch `name` starts with the feature prefix and has something behind it. */
bool git_settings_is_feature(const struct git_settings *settings, const char *name);

/* Whether remotes may be reached by `protocol` ("https", "ssh", "file"). */
bool git_settings_allows(const struct git_settings *settings, const char *protocol);

/* The lists with their defaults filled in: borrowed. */
struct str_list git_settings_protected(const struct git_settings *settings);
struct str_list git_settings_protocols(const struct git_settings *settings);
