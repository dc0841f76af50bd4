/* The registrar: keeps what the ContextForge gateway has as the fleet is.
 *
 * This header is shared by the parts of the program and by nobody else:
 *   registrar.c  the loop
 *   orders.c     messages of mcp-fleetd: settings, domains, orders
 *   target.c     what holds now, from settings, orders and files
 *   instance.c   who we are at the gateway: what is ours is known by that
 *   reconcile.c  a round: list, plan, carry out
 *   peer.c       one domain's entry: create, update, compare, delete
 *   peer_settle.c  what is known of it from the list
 *   server.c     the virtual server
 *   report.c     what mcp-fleetd is told
 *
 * A round asks one thing after the other, and the link is served meanwhile (link.h). What is told during a
 * round is looked at behind it; an order ends it early. */
#pragma once

#include "workers/registrar/domains.h"
#include "workers/registrar/gateway.h"
#include "workers/registrar/keep.h"
#include "workers/registrar/plan.h"
#include "workers/registrar/token.h"

enum {
	SETTLE_MS = 200,      /* news of domains come in swarms */
	SLOW_MS = 300 * 1000, /* what is refused again and again is tried so rarely in the end */
	LATE_MS = 30 * 1000,  /* a request without an answer may still be worked on */
	TOKEN_LOOK_MS = 2000,
};

enum contact {
	CONTACT_OFF, /* no URL */
	CONTACT_UNKNOWN,
	CONTACT_CONNECTED,
	CONTACT_UNREACHABLE,
	CONTACT_REFUSED,
	CONTACT_LIMITED,
};

/* Somebody waits until all is there. */
struct waiter {
	TAILQ_ENTRY(waiter) next;
	char *id;        /* JSON */
	json_t *domains; /* array of names; empty: all */
	int64_t until_ms;
};

struct virtual_server {
	enum domain_state state;
	char *id;
	char *error;
	char *remedy;
	size_t n_wanted;
	size_t n_found;
	char tried[SECRET_MARK_SIZE]; /* the tools with which it failed */
	int64_t retry_at_ms;
};

struct registrar {
	struct aide_link link;
	struct gateway gateway;
	struct token token;
	struct settings settings;
	bool has_settings;
	char *settings_error;
	struct domains domains;
	struct keep keep;
	bool is_keep_loaded;
	bool is_keep_failing; /* told once */
	/* target.c */
	char *url; /* NULL: off */
	char *public_url;
	char *token_file;
	char *server_name; /* "": none */
	bool verify;       /* the gateway's certificate is checked */
	char *peer_key;
	char *peer_ca;
	char key_mark[SECRET_MARK_SIZE]; /* "": no key */
	char ca_mark[SECRET_MARK_SIZE];
	char instance_tag[KEEP_ID_SIZE + 16];
	char former_tag[KEEP_ID_SIZE + 16]; /* "": none */
	char *target_error;                 /* why nothing can be registered */
	/* The gateway */
	enum contact contact;
	char *error;
	char *remedy;
	char last_contact[CLOCK_TEXT_SIZE];
	unsigned n_failures;
	int64_t round_at_ms; /* 0: none is due */
	int64_t token_look_ms;
	int64_t n_rounds;
	json_t *drift;
	struct virtual_server server;
	TAILQ_HEAD(, waiter) waiters;
	char *published; /* the last report, without what changes all the time */
};

/* --- registrar.c --- */

/* Runs until the input ends or a signal comes. 0, or -errno with words: it could not begin. */
int registrar_run(int in_fd, int out_fd, struct fail *fail) must_check;

/* The next round not later than in so many milliseconds. */
void registrar_soon(struct registrar *registrar, int64_t in_ms);

/* Failures are forgotten: everything is tried anew in the next round. */
void registrar_try_anew(struct registrar *registrar);

uint32_t registrar_random(void);

/* --- orders.c --- */
void orders_take(struct registrar *registrar, const struct aide_note *note);

/* Answers who has waited enough. */
void orders_settle(struct registrar *registrar);
int64_t orders_next_ms(const struct registrar *registrar); /* INT64_MAX: nobody waits */

/* --- target.c --- */

/* After the settings or the order changed. */
void target_update(struct registrar *registrar);

/* Reads the files anew, before a round. 0, or -errno with words about the token. */
int target_load_secrets(struct registrar *registrar, struct fail *fail) must_check;

/* Is it wanted at the gateway? */
bool target_selects(const struct registrar *registrar, const char *domain);
void target_done(struct registrar *registrar);
void target_save(struct registrar *registrar);

/* What a domain should be at the gateway; the texts are its own. */
struct target_peer {
	struct plan_want want;
	char *gateway_name;
	char *slug;
	char *url;
	char *shown_url; /* as it is configured */
	json_t *tags;
	char mark[SECRET_MARK_SIZE];
	char *error; /* why the gateway would not take it; NULL: nothing is known */
};

char *target_gateway_name(const struct registrar *registrar, const char *domain) must_check;
char *target_url(const struct registrar *registrar, const char *domain) must_check;
void target_peer_make(
	const struct registrar *registrar, const struct domain *domain, struct target_peer *ret);
void target_peer_done(struct target_peer *peer);

/* --- instance.c --- */

/* Who we are at the gateway, from the addresses and what was kept. With `is_new` the gateway is another one than
 * it was: nothing there can be ours from before. */
void instance_choose(struct registrar *registrar, bool is_new);

/* --- reconcile.c --- */

/* Once through everything. With `changes` false only looks, and says what it would do in `drift`. */
void reconcile(struct registrar *registrar, bool changes);

/* Deletes what is ours of these domains (NULL: all, the virtual server too). 0, or -errno with words. */
int reconcile_remove(struct registrar *registrar, json_t *names, struct fail *fail) must_check;

/* --- peer_settle.c --- */

/* What to do when somebody else has a domain's name or URL. */
extern const char peer_remedy_foreign[];

/* A text of an entry, fit to be shown; yours to free. */
char *peer_clean(const struct registrar *registrar, const char *text) must_check;

/* Takes over what the list of entries says of a domain, for every kind of step but PLAN_DELETE. */
void peer_settle(struct registrar *registrar, struct domain *domain, const struct target_peer *peer,
	const struct plan_step *step);

/* The gateway works on it by itself: looked at again, after `after_ms` where the gateway said so (else 0). */
void peer_pend(
	struct registrar *registrar, struct domain *domain, int64_t after_ms, const char *why);

/* --- peer.c --- */

/* Carries a step out. True: the gateway as a whole is in trouble, *ret says how; answer_done(). */
bool peer_run(struct registrar *registrar, struct domain *domain, const struct target_peer *peer,
	struct plan_step *step, bool changes, struct answer *ret) must_check;
bool peer_delete(struct registrar *registrar, const struct record *record, struct answer *ret)
	must_check;

/* --- server.c --- */

/* The virtual server, as it should be. True: as peer_run(). */
bool server_run(struct registrar *registrar, bool changes, struct answer *ret) must_check;

/* What is known of it holds at another gateway only. */
void server_forget(struct registrar *registrar);
bool server_remove(struct registrar *registrar, struct answer *ret) must_check;

/* --- report.c --- */
json_t *report_make(const struct registrar *registrar) must_check;

/* Tells it when it is another one than before; `always`: in any case. */
void report_publish(struct registrar *registrar, bool always);
const char *contact_name(enum contact contact);
