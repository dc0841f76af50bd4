/* The inside of the daemon: shared by main.c (arguments, construction, what is told to the service manager),
 * main_auth.c (who may come in), main_listen.c (where it listens), main_ops.c (what operators see), main_reload.c and main_stop.c. These files
 * alone see all layers. */
#pragma once

#include "supervisor/front/guard.h"
#include "supervisor/front/httpd.h"
#include "supervisor/front/local.h"
#include "supervisor/front/resource_meta.h"
#include "supervisor/front/sse.h"
#include "supervisor/front/stream.h"
#include "supervisor/front/streamable.h"
#include "supervisor/front/token_door.h"
#include "supervisor/mcp/mcp.h"
#include "supervisor/ops/control.h"
#include "supervisor/ops/courier.h"
#include "supervisor/ops/health.h"
#include "supervisor/ops/metrics.h"
#include "supervisor/ops/notify.h"
#include "supervisor/ops/otlp.h"
#include "supervisor/ops/page.h"
#include "supervisor/ops/registration.h"
#include "supervisor/ops/status.h"
#include "supervisor/options.h"

enum phase {
	PHASE_SERVING,
	PHASE_DOOR,
	PHASE_CALLS,
	PHASE_OUTPUT,
	PHASE_WORKERS,
};

struct daemon {
	struct loop *loop;
	const struct options *options;
	struct conf *conf;
	struct mcp *mcp;
	struct fleet *fleet;
	struct health *health;
	char *libexec;   /* where our programs lie */
	char *state_dir; /* NULL: none */
	struct registration *registration;
	struct courier *courier; /* HTTP requests of our own */
	struct otlp *otlp;       /* spans */
	struct status *status;
	struct control *control;
	struct log_ring *log;
	struct httpd *httpd;           /* transport sse */
	struct sse *sse;               /* transport sse */
	struct streamable *streamable; /* transport sse */
	struct stream *stream;         /* transport stdio */
	struct local *local;           /* the Unix socket, if any, beside either transport */
	struct token_door *tokens;     /* who bearer tokens stand for */
	struct keys *keys;
	struct guard *guard;       /* of each HTTP request */
	struct timer *renew_timer; /* for sessions whose key or token ends */
	struct http_route routes[SSE_ROUTES + STREAMABLE_ROUTES + HEALTH_ROUTES +
				 RESOURCE_META_ROUTES + METRICS_ROUTES + PAGE_ROUTES + 1];
	struct httpd *admin; /* NULL: admin.listen is empty */
	struct metrics *metrics;
	struct page *page;
	struct http_route admin_routes[METRICS_ROUTES + HEALTH_ROUTES + PAGE_ROUTES + 1];
	struct event *signals[3];
	struct tls *tls;         /* NULL: tls.cert_file is empty */
	struct timer *tls_timer; /* NULL: not needed yet */
	struct timer *status_timer;
	struct timer *watchdog_timer;
	struct timer *drain_timer;
	struct timer *stop_timer;
	enum phase phase;
	int64_t door_until_ms;
	int64_t drain_until_ms;
	bool input_ended;
	bool has_passed_sockets; /* for HTTP, by the service manager: `listen` is not used */
};

/* main_listen.c: 0, or -errno with words. */
int main_open_listeners(struct daemon *d, struct fail *fail) must_check;
int main_open_local(struct daemon *d, struct fail *fail) must_check;
int main_open_control(struct daemon *d, struct fail *fail) must_check;
int main_listen_anew(struct daemon *d, const struct conf *conf, struct fail *fail) must_check;
int main_open_admin(struct daemon *d, struct fail *fail) must_check;
void main_make_runtime_dir(const struct daemon *d);

/* main_tokens.c */
void main_make_tokens(struct daemon *d);

/* main_auth.c: who may come in over HTTP. */
void main_make_guard(struct daemon *d);
void main_set_guard_conf(struct daemon *d, const struct conf *conf);
void main_free_guard(struct daemon *d);

/* main_ops.c */
void main_find_state_dir(struct daemon *d);
void main_make_registration(struct daemon *d);
void main_make_courier(struct daemon *d);
void main_set_courier(struct daemon *d); /* as the settings have it */
void main_make_status(struct daemon *d);
void main_make_control(struct daemon *d);
void main_make_metrics(struct daemon *d);

/* main_reload.c: the hook of ops/control.h, and the same for SIGHUP. */
int main_reload(void *arg, json_t **ret, struct fail *fail);
void main_on_reload_signal(evutil_socket_t signo, short what, void *arg);

/* main_tls.c: what the settings name, NULL where they name none; 0 or -errno with words. */
int main_load_tls(const struct conf *conf, struct tls **ret, struct fail *fail) must_check;
void main_use_tls(struct daemon *d, struct tls *tls); /* takes over the reference */
void main_share_tls(struct daemon *d); /* with the listeners, where those came later */

/* main_stop.c: what may begin or carry on the end. */
extern const struct stream_hooks main_stream_hooks;
void main_on_stop_signal(evutil_socket_t signo, short what, void *arg);
void main_on_settled(void *arg);
void main_on_idle(void *arg);
void main_on_drain_over(void *arg);
void main_go_on_stopping(void *arg);
