/* Who we are at the gateway; see registrar.h.
 *
 * The address that the gateway connects to is what a fleet is to it. So that is our instance, and a lost state
 * file changes nothing. Two cases need more:
 *   - An address like 127.0.0.1 told to a gateway on another machine is everybody's: the machine is part of
 *     the instance then. It cannot work, but may not harm the fleet for which that address is right.
 *   - State that was copied to another machine with another address is of two fleets from then on. The copy is
 *     the one that finds itself elsewhere: it begins anew, and what the other one has is somebody else's. */
#include <stdio.h>
#include <sys/utsname.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "workers/registrar/registrar.h"
#include "workers/registrar/slug.h"

enum { MACHINE_MAX_BYTES = 256 };

/* machine-id(5), in containers without one the host's name. */
static void mark_machine(char ret[KEEP_ID_SIZE])
{
	auto_strbuf text = { 0 };
	char mark[SECRET_MARK_SIZE];
	struct utsname names;

	if (fd_read_file("/etc/machine-id", MACHINE_MAX_BYTES, &text) < 0 || text.len < 2) {
		strbuf_cut(&text, 0);
		strbuf_adds(&text, uname(&names) == 0 ? names.nodename : "");
	}
	secret_mark("machine", strbuf_get(&text), mark);
	memcpy(ret, mark, KEEP_ID_SIZE - 1);
	ret[KEEP_ID_SIZE - 1] = '\0';
}

/* Does it mean whatever machine reads it? `url` as slug_url() writes it. */
static bool is_loopback(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host)
		return false;
	host += 3;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	return (len == 9 && strncasecmp(host, "localhost", len) == 0) ||
	       (len == 5 && strncmp(host, "[::1]", len) == 0) || strncmp(host, "127.", 4) == 0;
}

static void make_instance(
	const struct registrar *registrar, const char *machine, char ret[KEEP_ID_SIZE])
{
	auto_free char *address = slug_url(registrar->public_url);
	bool is_everybodys = is_loopback(address) && registrar->url && !is_loopback(registrar->url);
	auto_free char *whole =
		is_everybodys ? alloc_printf("%s %s", address, machine) : alloc_str(address);
	char mark[SECRET_MARK_SIZE];

	secret_mark("instance", whole, mark);
	memcpy(ret, mark, PLAN_INSTANCE_CHARS);
	ret[PLAN_INSTANCE_CHARS] = '\0';
}

static void forget_the_other(struct registrar *registrar)
{
	struct domain *domain;

	log_warn(
		"'%s' comes from another machine: what that one has registered is not ours and stays "
		"as it is",
		registrar->settings.state_file);
	registrar->keep.former[0] = '\0';
	registrar->keep.server_id[0] = '\0';
	TAILQ_FOREACH(domain, &registrar->domains, next)
		domain_forget(domain);
}

static void change(
	struct registrar *registrar, const char *instance, bool is_elsewhere, bool is_new)
{
	struct keep *keep = &registrar->keep;

	if (is_elsewhere)
		forget_the_other(registrar);
	else if (!is_new)
		memcpy(keep->former, keep->instance, sizeof(keep->former));
	memcpy(keep->instance, instance, sizeof(keep->instance));
}

static void write_tag(char *tag, size_t size, const char *instance)
{
	(void)snprintf(tag, size, *instance ? PLAN_TAG "-%s" : "%s", instance);
}

void instance_choose(struct registrar *registrar, bool is_new)
{
	struct keep *keep = &registrar->keep;
	char instance[KEEP_ID_SIZE] = "";
	char machine[KEEP_ID_SIZE];

	mark_machine(machine);
	if (is_new) {
		keep->former[0] = '\0';
		keep->server_id[0] = '\0';
	}
	if (registrar->url && registrar->public_url) {
		make_instance(registrar, machine, instance);
		if (!streq(instance, keep->instance))
			change(registrar, instance, *keep->host && !streq(keep->host, machine),
				is_new);
		memcpy(keep->host, machine, sizeof(machine));
	}
	write_tag(registrar->instance_tag, sizeof(registrar->instance_tag), keep->instance);
	write_tag(registrar->former_tag, sizeof(registrar->former_tag), keep->former);
}
