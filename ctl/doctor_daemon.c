/* mcp-fleetctl doctor: the daemon and its domains. */
#include <errno.h>

#include "config.h"

#include "ctl/doctor.h"
#include "shared/strbuf.h"

static const char start_it[] =
	"start it (systemctl start mcp-fleet) and look at its log (journalctl -u mcp-fleet)";

static void look_at_version(struct doctor *doctor)
{
	const char *version = client_get_version(doctor->client);

	if (streq(version, PACKAGE_VERSION))
		finding_add(&doctor->findings, FINDING_OK, "version", NULL, NULL, "both are %s",
			PACKAGE_VERSION);
	else
		finding_add(&doctor->findings, FINDING_WARN, "version", NULL,
			"restart the daemon if a new version was installed, else install the "
			"mcp-fleetctl that belongs to it",
			"the daemon is %s, this mcp-fleetctl is %s", version, PACKAGE_VERSION);
}

static void look_at_ready(struct doctor *doctor)
{
	const json_t *reasons = doctor_get(doctor->status, "reasons");
	auto_strbuf text = { 0 };

	if (json_is_true(doctor_get(doctor->status, "ready"))) {
		finding_add(
			&doctor->findings, FINDING_OK, "ready", NULL, NULL, "the fleet is ready");
		return;
	}
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const char *reason = json_string_value(json_array_get(reasons, i));

		strbuf_addf(&text, "%s%s", i > 0 ? "; " : "", reason ? reason : "?");
	}
	finding_add(&doctor->findings, FINDING_FAIL, "ready", NULL,
		"mend the domains that are named; until then /ready says 503",
		"the fleet is not ready: %s",
		text.len > 0 ? strbuf_get(&text) : "no reason is given");
}

static void look_at_domain(struct doctor *doctor, const json_t *domain)
{
	const char *name = doctor_text(domain, "name");
	const char *state = doctor_text(domain, "state");
	const char *error = doctor_text_or_null(domain, "last_error.text");
	const char *remedy = doctor_text_or_null(domain, "last_error.remedy");
	const char *missing = doctor_text_or_null(domain, "not_enforced");
	bool is_well = streq(state, "up") || streq(state, "asleep");
	enum finding_result result = FINDING_OK;

	if (!is_well)
		result = json_is_true(json_object_get(domain, "required")) ? FINDING_FAIL
									   : FINDING_WARN;
	if (streq(state, "disabled") || streq(state, "starting"))
		result = FINDING_WARN;
	if (is_well)
		finding_add(&doctor->findings, result, "domain", name, NULL, "%s, %lld tools",
			state, (long long)doctor_number(domain, "tools"));
	else if (streq(state, "disabled"))
		finding_add(&doctor->findings, result, "domain", name,
			"mcp-fleetctl enable lets it run again", "it is disabled");
	else
		finding_add(&doctor->findings, result, "domain", name,
			remedy ? remedy : "mcp-fleetctl logs tells what it waits for",
			"it is %s%s%s", state, error ? ": " : "", error ? error : "");
	if (missing)
		finding_add(&doctor->findings, FINDING_WARN, "sandbox", name,
			"use a kernel that can; sandbox.required makes it a condition",
			"not enforced: %s", missing);
}

/* The words of the daemon: "Landlock ABI 4, seccomp, no cgroups: …". */
static void look_at_sandbox(struct doctor *doctor)
{
	const char *sandbox = doctor_text(doctor->status, "sandbox");
	bool has_all = !strstr(sandbox, "no Landlock") && !strstr(sandbox, "no seccomp") &&
		       !strstr(sandbox, "no cgroups");

	if (*sandbox)
		finding_add(&doctor->findings, has_all ? FINDING_OK : FINDING_WARN, "sandbox", NULL,
			has_all ? NULL
				: "run it as the service of the package (Delegate=yes gives cgroups), "
				  "on a kernel with Landlock and seccomp",
			"%s", sandbox);
}

void doctor_check_daemon(struct doctor *doctor)
{
	struct fail fail = { 0 };
	const json_t *domains;
	int r = client_open(doctor->ctl, &doctor->client, &fail);

	if (r == 0)
		doctor->status = client_call(doctor->client, "status", NULL, &fail);
	if (!doctor->status) {
		finding_add(&doctor->findings, FINDING_FAIL, "daemon", NULL,
			r == -EACCES   ? "run this as root, or as one of that group"
			: r == -EPROTO ? "use the mcp-fleetctl of the daemon's version"
				       : start_it,
			"%s", fail.text);
		client_free(TAKE(doctor->client));
		return;
	}
	finding_add(&doctor->findings, FINDING_OK, "daemon", NULL, NULL,
		"mcp-fleetd (process %d) answers at %s", (int)client_get_daemon(doctor->client),
		client_get_path(doctor->client));
	look_at_version(doctor);
	look_at_ready(doctor);
	domains = doctor_get(doctor->status, "domains");
	for (size_t i = 0; i < json_array_size(domains); i++)
		look_at_domain(doctor, json_array_get(domains, i));
	look_at_sandbox(doctor);
}
