/* See registrar.h: the loop. */
#include "workers/registrar/registrar.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "shared/log.h"

static const char *const requests[] = { "registrar/register", "registrar/unregister",
	"registrar/check", "registrar/reconcile", NULL };
static const char *const notifications[] = { "registrar/settings", "registrar/domain", NULL };
static const struct aide_kind kind = {
	.program = "mcp-fleet-registrar",
	.requests = requests,
	.notifications = notifications,
	.news = "registrar/domain", /* whatever else comes ends a round early */
};

enum {
	IDLE_MS = 60000,
	WARN_DAYS = 7, /* before the token's end */
	DAY_S = 24 * 3600,
};

uint32_t registrar_random(void)
{
	uint32_t bits = 0;

	(void)!getrandom(&bits, sizeof(bits), 0);
	return bits;
}

/* What the gateway asked for is obeyed whatever is wanted of us. */
void registrar_soon(struct registrar *registrar, int64_t in_ms)
{
	int64_t at = clock_now_ms() + (in_ms > 0 ? in_ms : 0);

	if (at < registrar->gateway.pace.closed_ms)
		at = registrar->gateway.pace.closed_ms;
	if (registrar->round_at_ms == 0 || at < registrar->round_at_ms)
		registrar->round_at_ms = at;
}

void registrar_try_anew(struct registrar *registrar)
{
	struct domain *domain;

	registrar->n_failures = 0;
	registrar->server.retry_at_ms = 0;
	if (registrar->contact != CONTACT_CONNECTED)
		registrar->contact = CONTACT_UNKNOWN;
	TAILQ_FOREACH(domain, &registrar->domains, next)
		domain_forget_failures(domain);
}

/* A token that was put in the place of a refused one. */
static void look_at_token(struct registrar *registrar)
{
	int64_t now = clock_now_ms();

	if (registrar->contact != CONTACT_REFUSED || now < registrar->token_look_ms)
		return;
	registrar->token_look_ms = now + TOKEN_LOOK_MS;
	if (!token_has_changed(&registrar->token))
		return;
	log_info("the token's file has changed");
	registrar_soon(registrar, 0);
}

static void warn_of_expiry(struct registrar *registrar, int64_t *told)
{
	int64_t expires = registrar->token.expires;
	int64_t left = expires - (int64_t)time(NULL);

	if (expires == 0 || expires == *told || left > (int64_t)WARN_DAYS * DAY_S)
		return;
	*told = expires;
	log_warn("the gateway's token %s: replace it in its file, it is read anew by itself",
		left <= 0 ? "has expired" : "expires in less than 7 days");
}

static bool is_due(const struct registrar *registrar)
{
	return registrar->has_settings && registrar->url && registrar->round_at_ms > 0 &&
	       clock_now_ms() >= registrar->round_at_ms;
}

static int64_t next_ms(const struct registrar *registrar)
{
	int64_t now = clock_now_ms();
	int64_t next = now + IDLE_MS;
	int64_t waiter = orders_next_ms(registrar);

	if (registrar->has_settings && registrar->url && registrar->round_at_ms > 0 &&
		registrar->round_at_ms < next)
		next = registrar->round_at_ms;
	if (waiter < next)
		next = waiter;
	if (registrar->contact == CONTACT_REFUSED && next > now + TOKEN_LOOK_MS)
		next = now + TOKEN_LOOK_MS;
	return next;
}

static void turn(struct registrar *registrar, int64_t *told)
{
	struct aide_note *note;

	while ((note = aide_link_take(&registrar->link))) {
		orders_take(registrar, note);
		aide_note_free(note);
	}
	look_at_token(registrar);
	if (is_due(registrar)) {
		reconcile(registrar, true);
		warn_of_expiry(registrar, told);
	}
	orders_settle(registrar);
}

static void run(struct registrar *registrar)
{
	int64_t told = 0; /* the expiry of which was warned */

	while (http_idle(registrar->gateway.http, next_ms(registrar)))
		turn(registrar, &told);
	orders_settle(registrar); /* with what is known */
}

static void free_registrar(struct registrar *registrar)
{
	domains_done(&registrar->domains);
	target_done(registrar);
	http_free(registrar->gateway.http);
	aide_link_done(&registrar->link);
	json_decref(registrar->drift);
	free(registrar->error);
	free(registrar->remedy);
	free(registrar->published);
	free(registrar->server.id);
	free(registrar->server.error);
	free(registrar->server.remedy);
}

int registrar_run(int in_fd, int out_fd, struct fail *fail)
{
	struct registrar registrar = { .drift = json_array(), .contact = CONTACT_UNKNOWN };
	int r = aide_link_open(&registrar.link, &kind, in_fd, out_fd);

	TAILQ_INIT(&registrar.domains);
	TAILQ_INIT(&registrar.waiters);
	registrar.server.state = DOMAIN_UNREGISTERED;
	if (r < 0) {
		(void)fail_set(fail, r, "no signalfd: %s", strerror(-r));
	} else {
		registrar.gateway.http = http_new(&registrar.link);
		if (registrar.gateway.http)
			run(&registrar);
		else
			r = fail_set(fail, -EINVAL, "libcurl cannot be used");
	}
	free_registrar(&registrar);
	return r;
}
