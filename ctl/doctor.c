/* mcp-fleetctl doctor: looks at all that a fleet needs, and says what to do. It works as far as it can without a
 * daemon, because then it is needed most. */
#include "ctl/doctor.h"

#include <limits.h>

#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/fd.h"

const json_t *doctor_get(const json_t *json, const char *path)
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		auto_free char *name = alloc_mem(path, (size_t)(dot - path));

		json = json_object_get(json, name);
		path = dot + 1;
	}
	return json_object_get(json, path);
}

const char *doctor_text_or_null(const json_t *json, const char *path)
{
	const char *text = json_string_value(doctor_get(json, path));

	return text && *text ? text : NULL;
}

const char *doctor_text(const json_t *json, const char *path)
{
	const char *text = doctor_text_or_null(json, path);

	return text ? text : "";
}

json_int_t doctor_number(const json_t *json, const char *path)
{
	return json_integer_value(doctor_get(json, path));
}

static void doctor_done(struct doctor *doctor)
{
	client_free(doctor->client);
	json_decref(doctor->status);
	json_decref(doctor->settings);
	doctor->root_fd = fd_close(doctor->root_fd);
	findings_done(&doctor->findings);
}

static int run_doctor(const struct ctl *ctl, const struct ctl_args *args)
{
	static void (*const checks[])(struct doctor *) = {
		doctor_check_daemon,
		doctor_check_settings,
		doctor_check_listeners,
		doctor_check_sockets,
		doctor_check_paths,
		doctor_check_programs,
		doctor_check_keys,
		doctor_check_host,
		doctor_check_gateway,
	};
	auto_(doctor_done) struct doctor doctor = { .ctl = ctl, .root_fd = -1 };

	findings_init(&doctor.findings);
	for (size_t i = 0; i < N_ELEMENTS(checks); i++)
		checks[i](&doctor);
	findings_print(ctl, &doctor.findings);
	return doctor.findings.n[FINDING_FAIL] > 0 ? CTL_FAILED : CTL_DONE;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "look at all that the fleet needs, and say what to do",
	.help = "Daemon, settings, listeners and the certificates that they show, sockets, folders, programs, keys, kernel,\n"
		"limits, clock, and the gateway from here and back. Works also while no daemon runs. As root it sees more: what the daemon's\n"
		"user may do, and who has taken a port. Exit status: 0 nothing fails, 1 something does.",
	.run = run_doctor,
};
