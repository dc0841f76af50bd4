/* A domain with fake workers, in the place of fleet/worker.c, for the tests of fleet/domain*.c: the loop is
 * a fake one too, and what the hooks say is a story of one word each. */
#pragma once

#include "supervisor/fleet/domain.h"

struct worker {
	struct worker *next;
	const struct worker_hooks *hooks;
	void *arg;
	unsigned index;
	struct worker_setup *setup;
	enum worker_state state;
	struct request_list calls;
	unsigned n_calls;
	bool is_fast;    /* takes calls ahead */
	bool is_stuck;   /* gives them back */
	bool is_broken;  /* takes none: its end is on the way */
	bool is_failing; /* answers with errors */
	unsigned n_starts;
	int64_t started_ms;
	uint64_t n_answers;
	unsigned n_stops;
	int64_t drain_ms; /* of the last stop */
	int64_t idle_since_ms;
	char name[16];
	char told[64];   /* the last notification */
	char wants[200]; /* the URIs that it was told last, with blanks between */
	unsigned n_wants_told;
	char level[16];
};

struct world {
	struct loop *loop;
	struct domain *domain;
	struct conf_domain conf;
	struct worker *workers; /* the newest first; those that were freed are gone */
	unsigned n_workers;
	struct strbuf story; /* what the hooks said, one word each */
	unsigned n_changed;
	unsigned n_tools;          /* of the last list told */
	const char *cause;         /* of the call that was lost last, while that is told */
	void (*left)(uint64_t no); /* a call was answered or lost; NULL: no matter */
};

extern struct world world;

/* What happens to a worker. */
void move_worker(struct worker *w, enum worker_state state);
void become_ready_with(struct worker *w, const char *tools_text);
void become_ready(struct worker *w);
void finish_one(struct worker *w);
void die(struct worker *w, enum worker_state next);
/* A notification of its own. */
void say_something(struct worker *w);
struct worker *find_worker(unsigned index); /* NULL: none, or gone */

/* For cmocka: one domain "fake", native, with 1 to 2 processes, started. Other ones: prepare_domain(), change
 * world.conf, make_domain(), domain_start(). */
int set_up_domain(void **unused);
int tear_down_domain(void **unused);
void prepare_domain(void);
void use_command(void); /* world.conf: of other make */
void make_domain(void);

/* domain_call(): a call of session 0, or of `session`. */
int call_sized(uint64_t no, size_t len, bool may_rerun);
int call_it(uint64_t no, bool may_rerun);
int call_of(uint64_t no, uint64_t session);
void ask(uint64_t no); /* is taken */

/* What the hooks said since the last time. */
const char *story(void);
struct domain_stats stats(void);

/* The newest worker becomes ready, for the first time. */
struct worker *up(void);
