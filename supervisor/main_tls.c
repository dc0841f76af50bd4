/* The certificate of the listeners with TLS, and the lists of revoked certificates of clients: read at the start and at
 * each reload, watched until they end. */
#include <inttypes.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/main_private.h"

enum {
	DAY_S = 24 * 60 * 60,
	DAY_MS = DAY_S * 1000,
	WARN_DAYS = 14,
	DATE_SIZE = sizeof("2026-01-01 00:00 UTC") + 16,
};

static const char *date_of(int64_t seconds, char ret[DATE_SIZE])
{
	const time_t when = (time_t)seconds;
	struct tm tm;

	ret[0] = '\0';
	if (gmtime_r(&when, &tm))
		(void)strftime(ret, DATE_SIZE, "%Y-%m-%d %H:%M UTC", &tm);
	return ret;
}

/* Clients will refuse it, or will soon. */
static void warn_of_end(const struct tls *tls)
{
	int64_t now = clock_wall_ms() / 1000;
	int64_t left = tls_get_not_after(tls) - now;
	char date[DATE_SIZE];

	if (left <= 0)
		log_warn(
			"the certificate %s has expired on %s, and clients refuse it: renew the file of "
			"tls.cert_file, then mcp-fleetctl reload",
			tls_get_subject(tls), date_of(tls_get_not_after(tls), date));
	else if (tls_get_not_before(tls) > now)
		log_warn(
			"the certificate %s is valid only from %s, and clients refuse it until then: is "
			"the clock of this machine right?",
			tls_get_subject(tls), date_of(tls_get_not_before(tls), date));
	else if (left < (int64_t)WARN_DAYS * DAY_S)
		log_warn("the certificate %s ends on %s, in %" PRId64 " days: renew the file of "
			 "tls.cert_file, then mcp-fleetctl reload",
			tls_get_subject(tls), date_of(tls_get_not_after(tls), date), left / DAY_S);
}

/* A list is made for days, not for months: the authority has to make the next one in time, and somebody to fetch it. */
static void warn_of_lists(const struct tls *tls)
{
	int64_t end = tls_get_list_end(tls);
	int64_t left = end - clock_wall_ms() / 1000;
	char date[DATE_SIZE];

	if (tls_get_unlisted(tls))
		log_warn("there is no list of %s in tls.client_crl_file: its clients are refused",
			tls_get_unlisted(tls));
	if (end != 0 && left <= 0)
		log_warn("the list of what %s has revoked has ended on %s, and its clients are "
			 "refused: renew the file of tls.client_crl_file, then mcp-fleetctl reload",
			tls_get_list_issuer(tls), date_of(end, date));
	else if (end != 0 && left <= DAY_S)
		log_warn("the list of what %s has revoked ends on %s, and its clients are refused "
			 "then: renew the file of tls.client_crl_file, then mcp-fleetctl reload",
			tls_get_list_issuer(tls), date_of(end, date));
}

/* Again in a day; or when a list has ended, which is said at once. */
static void wait_for_end(struct daemon *d)
{
	int64_t wait_ms = DAY_MS;
	int64_t left_ms = tls_get_list_end(d->tls) * CLOCK_SECOND_MS - clock_wall_ms();

	if (tls_get_list_end(d->tls) != 0 && left_ms >= 0 && left_ms < wait_ms)
		wait_ms = left_ms + CLOCK_SECOND_MS;
	timer_start(d->tls_timer, wait_ms);
}

int main_load_tls(const struct conf *conf, struct tls **ret, struct fail *fail)
{
	const struct tls_rules rules = {
		.cert_file = conf->tls.cert_file,
		.key_file = conf->tls.key_file,
		.client_ca_file = conf->tls.client_ca_file,
		.client_crl_file = conf->tls.client_crl_file,
		.client_certs_required = conf->tls.client_certs == CONF_CLIENT_CERTS_REQUIRED,
		.only_tls13 = conf->tls.min_version == CONF_TLS_1_3,
	};

	*ret = NULL;
	return *rules.cert_file ? tls_new(&rules, ret, fail) : 0;
}

/* Tickets of sessions are good for a day at most. */
static void on_tls_timer(void *arg)
{
	struct daemon *d = arg;

	tls_renew_tickets(d->tls);
	warn_of_end(d->tls);
	warn_of_lists(d->tls);
	wait_for_end(d);
}

void main_use_tls(struct daemon *d, struct tls *tls)
{
	bool is_new = tls && !(d->tls && tls_has_same_cert(d->tls, tls));
	char date[DATE_SIZE];

	tls_unref(d->tls);
	d->tls = tls;
	main_share_tls(d);
	if (!d->tls_timer)
		d->tls_timer = timer_new(d->loop, on_tls_timer, d);
	if (!tls) {
		timer_stop(d->tls_timer);
		return;
	}
	if (is_new)
		log_info("certificate %s, serial %s, until %s", tls_get_subject(tls),
			tls_get_serial(tls), date_of(tls_get_not_after(tls), date));
	warn_of_end(tls);
	warn_of_lists(tls);
	wait_for_end(d);
}

void main_share_tls(struct daemon *d)
{
	if (d->httpd)
		httpd_set_tls(d->httpd, d->tls ? tls_ref(d->tls) : NULL);
	if (d->admin)
		httpd_set_tls(d->admin, d->tls ? tls_ref(d->tls) : NULL);
}
