/* What operators see and do: joins the registrar, the status and the control socket with the rest. */
#include <string.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/fleet/store.h"
#include "supervisor/main_private.h"

/* It is there, or can be made. */
static bool is_usable(const char *folder)
{
	auto_free char *above = alloc_str(folder);
	char *slash = strrchr(above, '/');

	if (access(folder, F_OK) == 0)
		return access(folder, W_OK) == 0;
	if (!slash)
		return false;
	*(slash == above ? slash + 1 : slash) = '\0';
	return access(above, W_OK) == 0;
}

/* Orders and what was registered are kept there; it is made when it is needed. Without it mcp-fleetctl says
 * how long they hold. */
void main_find_state_dir(struct daemon *d)
{
	d->state_dir = store_find_folder(d->conf->state_dir);
	if (!d->state_dir || is_usable(d->state_dir))
		return;
	log_info("no folder for state at '%s': it cannot be written to, or made", d->state_dir);
	free(TAKE(d->state_dir));
}

static void add_addresses(void *arg, struct strbuf *out)
{
	const struct daemon *d = arg;

	if (d->httpd)
		httpd_add_addresses(d->httpd, out);
}

/* That of admin.listen. */
static void add_admin(void *arg, struct strbuf *out)
{
	const struct daemon *d = arg;

	if (d->admin)
		httpd_add_addresses(d->admin, out);
}

/* Of the first listener for the whole fleet: where a gateway on this machine reaches us. */
static void add_url(void *arg, struct strbuf *out)
{
	const struct daemon *d = arg;

	if (d->httpd)
		httpd_add_url(d->httpd, out);
}

static const char *get_local_socket(void *arg)
{
	const struct daemon *d = arg;

	return local_get_path(d->local);
}

static const char *get_control_socket(void *arg)
{
	const struct daemon *d = arg;

	return d->control ? control_get_path(d->control) : NULL;
}

static const struct tls *get_tls(void *arg)
{
	const struct daemon *d = arg;

	return d->tls;
}

static void on_report(void *arg)
{
	struct daemon *d = arg;

	if (d->control)
		control_note_report(d->control);
}

void main_make_registration(struct daemon *d)
{
	const struct registration_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.conf = d->conf,
		.libexec = d->libexec,
		.state_dir = d->state_dir,
		.add_url = add_url,
		.changed = on_report,
		.arg = d,
	};

	d->registration = registration_new(&parts);
}

void main_make_courier(struct daemon *d)
{
	d->courier = courier_new(d->loop, fleet_get_launcher(d->fleet), d->libexec);
	d->otlp = otlp_new(d->loop, d->courier);
}

void main_set_courier(struct daemon *d)
{
	struct tracer tracer;

	courier_set_conf(d->courier, d->conf);
	otlp_set_conf(d->otlp, &d->conf->otlp);
	otlp_get_tracer(d->otlp, &tracer);
	mcp_set_tracer(d->mcp, &tracer);
}

void main_make_status(struct daemon *d)
{
	const struct status_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.health = d->health,
		.registration = d->registration,
		.keys = d->keys,
		.conf = d->conf,
		.state_dir = d->state_dir,
		.add_addresses = add_addresses,
		.add_admin = add_admin,
		.get_tls = get_tls,
		.get_local_socket = get_local_socket,
		.get_control_socket = get_control_socket,
		.arg = d,
	};

	d->status = status_new(&parts);
}

static const struct control_hooks control_hooks = { .reload = main_reload };

void main_make_control(struct daemon *d)
{
	const struct control_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.status = d->status,
		.registration = d->registration,
		.log = d->log,
		.conf = d->conf,
	};

	d->control = control_new(&parts, &control_hooks, d);
}

void main_make_metrics(struct daemon *d)
{
	const struct metrics_parts parts = {
		.loop = d->loop,
		.mcp = d->mcp,
		.conf = d->conf,
		.health = d->health,
		.registration = d->registration,
		.otlp = d->otlp,
		.courier = d->courier,
		.get_tls = get_tls,
		.arg = d,
	};

	d->metrics = metrics_new(&parts);
}
