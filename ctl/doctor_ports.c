/* mcp-fleetctl doctor: the listeners, and the files of the Unix sockets. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ctl/doctor.h"
#include "ctl/ports.h"
#include "ctl/probe.h"
#include "shared/alloc.h"
#include "shared/uri.h"

enum { PROBE_MS = 5000 };

/* Where a listener can be reached from here. */
struct place {
	bool is_tls;
	bool is_loopback;
	char *host; /* with brackets where it is of IPv6 */
	uint16_t port;
};

static void place_done(struct place *place)
{
	free(place->host);
}

/* What can be connected to where it listens on all addresses. */
static bool find_place(const char *address, struct place *ret)
{
	static const char tls[] = "https://";
	static const char plain[] = "http://";
	bool is_tls = strncmp(address, tls, sizeof(tls) - 1) == 0;
	struct uri_authority authority;

	if (is_tls)
		address += sizeof(tls) - 1;
	else if (strncmp(address, plain, sizeof(plain) - 1) == 0)
		address += sizeof(plain) - 1;
	if (uri_split_authority(address, strlen(address), &authority) < 0 || authority.port <= 0)
		return false;
	auto_free char *given = alloc_mem(authority.host.at, authority.host.len);

	*ret = (struct place){ .is_tls = is_tls,
		.is_loopback = strncmp(given, "127.", 4) == 0 || streq(given, "[::1]"),
		.host = alloc_str(streq(given, "0.0.0.0") ? "127.0.0.1"
				  : streq(given, "[::]")  ? "[::1]"
							  : given),
		.port = (uint16_t)authority.port };
	return true;
}

/* Beyond loopback only hosts of the list are served, if there is one. */
static const char *find_host(const struct doctor *doctor, const struct place *place)
{
	const json_t *hosts = doctor_get(doctor->settings, "http.allowed_hosts");
	const char *first = json_string_value(json_array_get(hosts, 0));

	return !place->is_loopback && first && !streq(first, "*") ? first : NULL;
}

static void look_at_health(
	struct doctor *doctor, const char *check, const char *address, const struct place *place)
{
	auto_free char *url = alloc_printf(
		"%s://%s:%d/health", place->is_tls ? "https" : "http", place->host, place->port);
	/* Whether its certificate is right is asked elsewhere. */
	const struct probe probe = { .url = url,
		.host = find_host(doctor, place),
		.is_unverified = true,
		.is_direct = true,
		.timeout_ms = PROBE_MS };
	struct probe_result result = { 0 };
	auto_strbuf owner = { 0 };
	struct fail fail = { 0 };
	int r = probe_get(&probe, &result, &fail);

	if (r == 0 && result.status == 200)
		finding_add(
			&doctor->findings, FINDING_OK, check, address, NULL, "/health answers 200");
	else if (r == 0)
		finding_add(&doctor->findings, FINDING_FAIL, check, address,
			"see whether it is mcp-fleetd that answers there", "/health answers %ld",
			result.status);
	else
		finding_add(&doctor->findings, FINDING_FAIL, check, address,
			"see who has the port, and what a firewall does to it",
			"/health cannot be got: %s; the port is %s", fail.text,
			ports_add_owner(&owner, place->port) ? strbuf_get(&owner) : "free");
	strbuf_done(&result.body);
}

static void look_at_running(
	struct doctor *doctor, const char *check, const char *address, const struct place *place)
{
	bool wants_cert = streq(doctor_text(doctor->settings, "tls.client_certs"), "required") &&
			  doctor_text_or_null(doctor->settings, "tls.client_ca_file");

	if (place->is_tls && wants_cert)
		finding_add(&doctor->findings, FINDING_SKIP, check, address, NULL,
			"a client has to show a certificate (tls.client_certs), and we have none");
	else
		look_at_health(doctor, check, address, place);
	if (place->is_tls)
		doctor_check_tls(doctor, address, place->host, place->port);
}

static void look_at_port(
	struct doctor *doctor, const char *check, const char *address, uint16_t port)
{
	auto_strbuf owner = { 0 };

	if (ports_add_owner(&owner, port))
		finding_add(&doctor->findings, FINDING_FAIL, check, address,
			"end it, or give the fleet another address (listen, admin.listen)",
			"the port is taken by %s, mcp-fleetd cannot start", strbuf_get(&owner));
	else
		finding_add(
			&doctor->findings, FINDING_OK, check, address, NULL, "the port is free");
}

/* `address` NULL: there is none. */
static void look_at_listener(struct doctor *doctor, const char *check, const char *address)
{
	auto_(place_done) struct place place = { 0 };

	if (!address)
		return;
	if (!find_place(address, &place))
		finding_add(&doctor->findings, FINDING_SKIP, check, address, NULL,
			"no TCP port of which we know");
	else if (doctor->status)
		look_at_running(doctor, check, address, &place);
	else
		look_at_port(doctor, check, address, place.port);
}

/* Those of the running daemon, else those of the settings. */
void doctor_check_listeners(struct doctor *doctor)
{
	const json_t *list = doctor->status ? doctor_get(doctor->status, "listeners")
					    : doctor_get(doctor->settings, "listen");

	look_at_listener(doctor, "admin",
		doctor->status ? doctor_text_or_null(doctor->status, "admin")
			       : doctor_text_or_null(doctor->settings, "admin.listen"));
	if (doctor->status && !streq(doctor_text(doctor->status, "transport"), "sse"))
		return;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *address = json_string_value(item);

		look_at_listener(
			doctor, "listener", address ? address : doctor_text(item, "address"));
	}
}

/* --- Unix sockets ------------------------------------------------------------------------------ */

static void look_at_group(struct doctor *doctor, const char *check, const char *group)
{
	if (group && !getgrnam(group))
		finding_add(&doctor->findings, FINDING_FAIL, check, group,
			"make it (groupadd --system), or name another", "there is no such group");
}

static void look_at_file(
	struct doctor *doctor, const char *check, const char *path, bool is_private)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == EACCES)
			finding_add(&doctor->findings, FINDING_SKIP, check, path, NULL,
				"its folder is closed to us");
		else
			finding_add(&doctor->findings, doctor->status ? FINDING_FAIL : FINDING_OK,
				check, path,
				doctor->status ? "it was removed while the daemon runs: restart it"
					       : NULL,
				"it is not there%s", doctor->status ? "" : ", as no daemon runs");
		return;
	}
	if (!S_ISSOCK(st.st_mode))
		finding_add(&doctor->findings, FINDING_FAIL, check, path,
			"remove it, or give the socket another path", "it is not a socket");
	else if (doctor->status && st.st_uid != doctor->user.uid && st.st_uid != 0)
		finding_add(&doctor->findings, FINDING_FAIL, check, path,
			"see who made it; restart the daemon",
			"it belongs to user %u, not to the daemon's (%u)", (unsigned)st.st_uid,
			(unsigned)doctor->user.uid);
	else if (is_private && (st.st_mode & 0007))
		finding_add(&doctor->findings, FINDING_FAIL, check, path,
			"chmod o= it, and restart the daemon",
			"it is open to everybody (mode %04o)", (unsigned)st.st_mode & 07777);
	else
		finding_add(&doctor->findings, FINDING_OK, check, path, NULL,
			"mode %04o, user %u, group %u", (unsigned)st.st_mode & 07777,
			(unsigned)st.st_uid, (unsigned)st.st_gid);
}

void doctor_check_sockets(struct doctor *doctor)
{
	const json_t *from = doctor->status ? doctor->status : doctor->settings;
	const char *control = doctor_text_or_null(from, "control_socket");
	const char *local = doctor_text_or_null(from, "local_socket");

	if (control)
		look_at_file(doctor, "control_socket", control, true);
	if (local)
		look_at_file(doctor, "local_socket", local, false);
	look_at_group(
		doctor, "control.group", doctor_text_or_null(doctor->settings, "control.group"));
	look_at_group(doctor, "local.group", doctor_text_or_null(doctor->settings, "local.group"));
}
