/* What confines a domain's workers: the order for mcp-fleet-exec, and what of it cannot be enforced here.
 *
 * The profiles themselves stand in workers/exec/profile.c; doc/sandbox.md tells of both. */
#pragma once

#include "shared/strbuf.h"
#include "supervisor/conf.h"
#include "supervisor/fleet/cgroup.h"
#include "supervisor/fleet/launch.h"

/* What this system can enforce. */
struct confine_support {
	int landlock_abi; /* 0: no Landlock */
	bool seccomp;
	bool has_cgroup;
	unsigned controllers;       /* enum cgroup_controller */
	const char *cgroup_missing; /* why has_cgroup is false */
	bool finds_orphans;         /* so that they end with their worker; needs no cgroup */
};

void confine_probe(const struct launcher *launcher, struct confine_support *ret);

/* "Landlock 7, seccomp, no cgroup: …": for the log and for /ready. */
void confine_describe(const struct confine_support *support, struct strbuf *out);

/* The profile's name: "git", "strict", "none" … */
const char *confine_profile(const struct conf_domain *domain);

/* The JSON for mcp-fleet-exec --plan; yours to free. */
char *confine_make_plan(const struct conf_domain *domain, const struct confine_support *support)
	must_check;

/* The same for mcp-fleet-registrar: it reads what its user may read, and writes in `state_dir` (NULL:
 * nowhere) only. */
char *confine_make_registrar_plan(const char *state_dir) must_check;

/* The same for mcp-fleet-courier: it reads the folders of these files, so that one may be replaced by another ("" and
 * NULL are none), writes nowhere, and connects to anywhere. */
char *confine_make_courier_plan(const char *const *files, size_t n) must_check;

void confine_get_limits(const struct conf_domain *domain, struct cgroup_limits *ret);

/* Appends what of the domain's confinement this system cannot enforce, separated by "; ".
 * Nothing: all of it can be. */
void confine_add_missing(const struct conf_domain *domain, const struct confine_support *support,
	struct strbuf *out);

/* 0, or -ENOTSUP with words: a domain that has sandbox.required misses something. One without any
 * profile misses all, unless the key profile says none and only the whole fleet's required is set. */
int confine_check_required(const struct conf *conf, const struct confine_support *support,
	struct fail *fail) must_check;
