/* mcp-fleetctl doctor: the certificates that listeners show. */
#include <limits.h>

#include "ctl/doctor.h"
#include "ctl/status_door.h"
#include "ctl/tls_probe.h"
#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/uri.h"

enum { TLS_PROBE_MS = 5000, DAY_S = 24 * 60 * 60 };

#define RENEW "renew the file of tls.cert_file, then mcp-fleetctl reload"

/* The host of gateway.public_url, by which others reach the fleet with TLS: yours; NULL: none is known. */
static char *find_name(const struct doctor *doctor)
{
	static const char tls[] = "https://";
	const char *url = doctor_text(doctor->settings, "gateway.public_url");
	struct uri_authority authority;
	size_t len;

	if (strncmp(url, tls, sizeof(tls) - 1) != 0)
		return NULL;
	url += sizeof(tls) - 1;
	len = strcspn(url, "/?#");
	if (uri_split_authority(url, len, &authority) < 0)
		return NULL;
	return *authority.host.at == '[' ? alloc_mem(authority.host.at + 1, authority.host.len - 2)
					 : alloc_mem(authority.host.at, authority.host.len);
}

/* True: there is nothing to say against its time. */
static bool look_at_time(struct doctor *doctor, const char *address, const struct tls_seen *seen)
{
	int64_t now_s = clock_wall_ms() / CLOCK_SECOND_MS;
	long long days = (long long)(seen->not_after_s - now_s) / DAY_S;

	if (seen->not_after_s <= now_s)
		finding_add(&doctor->findings, FINDING_FAIL, "certificate", address, RENEW,
			"it has ended, and clients refuse it");
	else if (seen->not_before_s > now_s)
		finding_add(&doctor->findings, FINDING_FAIL, "certificate", address,
			"look at the clock of this machine, or wait",
			"it is not valid yet, and clients refuse it");
	else if (days < STATUS_CERTIFICATE_SOON_DAYS)
		finding_add(&doctor->findings, FINDING_WARN, "certificate", address, RENEW,
			"it ends in %lld days", days);
	else
		return true;
	return false;
}

/* A name of its own may be right all the same: a proxy in front may be what public_url leads to. */
static bool look_at_name(
	struct doctor *doctor, const char *address, const char *name, const struct tls_seen *seen)
{
	if (!seen->fits_name)
		finding_add(&doctor->findings, FINDING_WARN, "certificate", address,
			"get one that names it, unless gateway.public_url leads to a proxy that has "
			"one",
			"it is not for %s, the host of gateway.public_url, but for %s", name,
			seen->names.len > 0 ? strbuf_get(&seen->names) : "no name");
	return seen->fits_name;
}

/* Nothing is wrong with an authority of one's own, but clients have to know of it. That of gateway.peer_ca_file is known
 * to be one. */
static bool look_at_chain(struct doctor *doctor, const char *address, const struct tls_seen *seen)
{
	if (seen->chain_fault)
		finding_add(&doctor->findings, FINDING_WARN, "certificate", address,
			seen->is_incomplete
				? "of an authority of your own: give its certificate to the clients "
				  "(gateway.peer_ca_file, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE); of a "
				  "public one: put those between it and yours into tls.cert_file, "
				  "too"
				: "give the certificate of its authority to the clients "
				  "(gateway.peer_ca_file, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE), or "
				  "get one of a public authority",
			"clients that know the system's authorities alone refuse it: %s",
			seen->chain_fault);
	return !seen->chain_fault;
}

static void look_at_all(
	struct doctor *doctor, const char *address, const char *name, const struct tls_seen *seen)
{
	bool is_fine = look_at_time(doctor, address, seen);

	is_fine &= look_at_name(doctor, address, name, seen);
	is_fine &= look_at_chain(doctor, address, seen);
	if (is_fine)
		finding_add(&doctor->findings, FINDING_OK, "certificate", address, NULL,
			"for %s, with %lld days left, over %s", strbuf_get(&seen->names),
			(long long)(seen->not_after_s - clock_wall_ms() / CLOCK_SECOND_MS) / DAY_S,
			seen->protocol);
}

void doctor_check_tls(struct doctor *doctor, const char *address, const char *host, uint16_t port)
{
	size_t len = strlen(host);
	auto_free char *bare =
		*host == '[' && len > 2 ? alloc_mem(host + 1, len - 2) : alloc_str(host);
	auto_free char *name = find_name(doctor);
	const struct tls_probe probe = { .host = bare,
		.port = port,
		.name = name,
		.ca_file = doctor_text_or_null(doctor->settings, "gateway.peer_ca_file"),
		.timeout_ms = TLS_PROBE_MS };
	auto_(tls_seen_done) struct tls_seen seen = { 0 };
	struct fail fail = { 0 };

	if (tls_probe(&probe, &seen, &fail) < 0)
		finding_add(&doctor->findings, FINDING_FAIL, "certificate", address,
			"see who has the port; mcp-fleetctl logs tells what mcp-fleetd has to say",
			"no handshake of TLS with it: %s", fail.text);
	else
		look_at_all(doctor, address, name, &seen);
}
