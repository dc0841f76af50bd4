/* See courier.h. */
#include "supervisor/ops/courier.h"

#include <errno.h>

#include "shared/alloc.h"
#include "supervisor/fleet/confine.h"
#include "supervisor/ops/aide.h"

enum {
	MIN_STATUS = 100,
	MAX_STATUS = 999,
};

struct courier {
	char *libexec;
	char *plan; /* for the next process; NULL: no settings yet */
	struct aide *aide;
};

/* Somebody waits for this. */
struct asked {
	courier_fn *fn;
	void *arg;
};

/* --- the process -------------------------------------------------------------------------------- */

static bool is_needed(const struct conf *conf)
{
	return *conf->otlp.url || *conf->auth.jwks_url;
}

static char *make_plan(const struct conf *conf)
{
	const char *const files[] = { conf->otlp.headers_file, conf->otlp.ca_file,
		conf->auth.jwks_ca_file };

	return confine_make_courier_plan(files, N_ELEMENTS(files));
}

static struct worker_setup *make_setup(void *arg)
{
	const struct courier *courier = arg;

	return aide_make_setup(courier->libexec, "courier",
		courier->plan ? alloc_str(courier->plan) : confine_make_courier_plan(NULL, 0),
		NULL);
}

static void on_ready(void *arg)
{
}

static void on_told(void *arg, const struct rpc *rpc)
{
}

static void on_moved(void *arg)
{
}

static const struct aide_hooks aide_hooks = {
	.make_setup = make_setup,
	.ready = on_ready,
	.told = on_told,
	.moved = on_moved,
};

/* --- orders ------------------------------------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *name, const char *text, size_t len)
{
	strbuf_addf(out, "%c\"%s\":", out->len ? ',' : '{', name);
	strbuf_add_json(out, text, len);
}

static void add_if_any(struct strbuf *out, const char *name, const char *text)
{
	if (text && *text)
		add_text(out, name, text, strlen(text));
}

static void add_number(struct strbuf *out, const char *name, int64_t number)
{
	if (number > 0)
		strbuf_addf(out, ",\"%s\":%lld", name, (long long)number);
}

/* Without one 0 and 0 come out, which is right for whatever does not need it. */
static int64_t get_number(struct jspan result, const char *name, int64_t otherwise)
{
	uint64_t number = 0;

	if (!jspan_get_u64(jspan_member(result, name, NULL), &number) || number > INT32_MAX)
		return otherwise;
	return (int64_t)number;
}

bool courier_read_answer(struct jspan result, struct courier_answer *ret, struct strbuf *body)
{
	int64_t status = get_number(result, "status", 0);
	struct jspan text = jspan_member(result, "body", NULL);

	if (status < MIN_STATUS || status > MAX_STATUS)
		return false;
	if (text.at && (!jspan_get_str(text, body) || body->len > COURIER_MAX_BYTES))
		return false;
	*ret = (struct courier_answer){
		.status = (int)status,
		.body = strbuf_get(body),
		.body_len = body->len,
		.max_age_s = get_number(result, "max_age_s", -1),
		.retry_after_s = get_number(result, "retry_after_s", 0),
	};
	return true;
}

static void on_answer(void *arg, struct jspan result, const struct fail *fail)
{
	struct asked *asked = arg;
	struct courier_answer answer;
	struct fail unreadable = { 0 };
	auto_strbuf body = { 0 };
	bool is_read = result.at && courier_read_answer(result, &answer, &body);

	(void)fail_set(&unreadable, -EREMOTEIO, "the courier gave an answer that cannot be read");
	asked->fn(asked->arg, is_read ? &answer : NULL,
		is_read ? NULL : (result.at ? &unreadable : fail));
	free(asked);
}

static void ask(struct courier *courier, const char *method, struct strbuf *params, courier_fn *fn,
	void *arg)
{
	struct asked *asked = alloc_zero(sizeof(*asked));

	asked->fn = fn;
	asked->arg = arg;
	strbuf_addc(params, '}');
	aide_ask(courier->aide, method, strbuf_take(params), on_answer, asked);
}

/* --- public ------------------------------------------------------------------------------------- */

struct courier *courier_new(struct loop *loop, struct launcher *launcher, const char *libexec)
{
	struct courier *courier = alloc_zero(sizeof(*courier));

	courier->libexec = alloc_str(libexec);
	courier->aide =
		aide_new(loop, launcher, "courier", COURIER_MAX_ORDERS, &aide_hooks, courier);
	return courier;
}

void courier_free(struct courier *courier)
{
	if (!courier)
		return;
	aide_free(courier->aide);
	free(courier->libexec);
	free(courier->plan);
	free(courier);
}

void courier_set_conf(struct courier *courier, const struct conf *conf)
{
	char *plan = make_plan(conf);
	bool is_other = courier->plan && !streq(plan, courier->plan);

	free(courier->plan);
	courier->plan = plan;
	if (!is_needed(conf)) {
		aide_end(courier->aide);
		return;
	}
	if (is_other)
		aide_renew(courier->aide);
	aide_start(courier->aide);
}

void courier_stop(struct courier *courier, void (*fn)(void *arg), void *arg)
{
	aide_stop(courier->aide, fn, arg);
}

void courier_fetch(
	struct courier *courier, const struct courier_fetch *fetch, courier_fn *fn, void *arg)
{
	auto_strbuf params = { 0 };

	add_text(&params, "url", fetch->url, strlen(fetch->url));
	add_if_any(&params, "ca_file", fetch->ca_file);
	add_if_any(&params, "accept", fetch->accept);
	add_number(&params, "max_bytes", (int64_t)fetch->max_bytes);
	add_number(&params, "timeout_ms", fetch->timeout_ms);
	ask(courier, "courier/fetch", &params, fn, arg);
}

void courier_post(
	struct courier *courier, const struct courier_post *post, courier_fn *fn, void *arg)
{
	auto_strbuf params = { 0 };
	struct fail fail = { 0 };

	if (post->body_len > COURIER_MAX_BYTES) {
		(void)fail_set(&fail, -EMSGSIZE, "a body of %zu bytes is too big for the courier",
			post->body_len);
		fn(arg, NULL, &fail);
		return;
	}
	add_text(&params, "url", post->url, strlen(post->url));
	add_if_any(&params, "ca_file", post->ca_file);
	add_if_any(&params, "headers_file", post->headers_file);
	add_if_any(&params, "content_type", post->content_type);
	add_text(&params, "body", post->body, post->body_len);
	add_number(&params, "timeout_ms", post->timeout_ms);
	ask(courier, "courier/post", &params, fn, arg);
}

uint64_t courier_get_restarts(const struct courier *courier)
{
	return aide_get_restarts(courier->aide);
}

pid_t courier_get_pid(const struct courier *courier)
{
	const struct worker *worker = aide_get_worker(courier->aide);

	return worker ? worker_get_pid(worker) : 0;
}
