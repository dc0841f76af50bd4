/* What holds now: settings, an operator's order over them, and the files that they name; see registrar.h. */
#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/jx.h"
#include "shared/log.h"
#include "workers/registrar/precheck.h"
#include "workers/registrar/registrar.h"
#include "workers/registrar/slug.h"

/* A text of the order, else the settings' one. */
static const char *choose(
	const struct registrar *registrar, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(registrar->keep.order, name));

	return text && *text ? text : otherwise;
}

static void set_text(char **text, char *new_text)
{
	free(*text);
	*text = new_text;
}

/* --- the state file ------------------------------------------------------------------------------- */

static void load_keep(struct registrar *registrar)
{
	const char *path = registrar->settings.state_file;
	struct fail fail = { 0 };
	int r;

	if (registrar->is_keep_loaded)
		return;
	registrar->is_keep_loaded = true;
	r = *path ? keep_load(path, &registrar->keep, &registrar->domains, &fail) : -ENOENT;
	if (r < 0 && r != -ENOENT)
		log_warn("%s; beginning anew", fail.text);
	if (!*registrar->keep.salt)
		keep_random(registrar->keep.salt);
}

void target_save(struct registrar *registrar)
{
	const char *path = registrar->settings.state_file;
	struct fail fail = { 0 };
	int r;

	if (!registrar->has_settings || !*path)
		return;
	json_decref(registrar->keep.report);
	registrar->keep.report = report_make(registrar);
	r = keep_save(path, &registrar->keep, &registrar->domains, &fail);
	if (r < 0 && !registrar->is_keep_failing)
		log_warn("%s; after a restart more is asked than needed, and orders are forgotten",
			fail.text);
	registrar->is_keep_failing = r < 0;
}

static void forget_all(struct registrar *registrar)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &registrar->domains, next) {
		domain_forget(domain);
		domain_set(domain, DOMAIN_UNREGISTERED, NULL, NULL);
	}
	server_forget(registrar);
	registrar->contact = CONTACT_UNKNOWN;
	registrar->last_contact[0] = '\0';
	set_text(&registrar->error, NULL);
	set_text(&registrar->remedy, NULL);
}

/* What was confirmed at another gateway says nothing about this one. True: it is another one. */
static bool forget_other_gateway(struct registrar *registrar)
{
	struct keep *keep = &registrar->keep;

	if (!registrar->url || (keep->gateway && streq(keep->gateway, registrar->url)))
		return false;
	if (keep->gateway)
		forget_all(registrar);
	set_text(&keep->gateway, alloc_str(registrar->url));
	return true;
}

/* --- settings and order --------------------------------------------------------------------------- */

static int check_tags(const struct settings *settings, struct fail *fail)
{
	int r = 0;

	for (size_t i = 0; i < settings->tags.n && r == 0; i++)
		r = precheck_tag(settings->tags.items[i], fail);
	return r;
}

static void update_urls(struct registrar *registrar)
{
	const char *url = choose(registrar, "gateway", registrar->settings.url);
	const char *public_url = registrar->settings.public_url;
	struct fail fail = { 0 };

	set_text(&registrar->url, NULL);
	set_text(&registrar->public_url, NULL);
	set_text(&registrar->settings_error, NULL);
	set_text(&registrar->target_error, NULL);
	if (*url && settings_check_url(url, &registrar->url, &fail) < 0)
		registrar->settings_error =
			alloc_printf("the gateway's URL cannot be used: %s", fail.text);
	if (!*public_url)
		registrar->target_error = alloc_str("public_url is not set");
	else if (settings_check_url(public_url, &registrar->public_url, &fail) < 0)
		registrar->target_error = alloc_printf("public_url cannot be used: %s", fail.text);
	else if (check_tags(&registrar->settings, &fail) < 0)
		registrar->target_error = alloc_str(fail.text);
}

static void note_configured(struct registrar *registrar)
{
	struct domain *domain;

	for (size_t i = 0; i < registrar->settings.domains.n; i++)
		(void)domains_get(&registrar->domains, registrar->settings.domains.items[i]);
	TAILQ_FOREACH(domain, &registrar->domains, next)
		domain->is_configured = list_has(&registrar->settings.domains, domain->name);
}

void target_update(struct registrar *registrar)
{
	const struct settings *settings = &registrar->settings;
	json_t *ordered;

	load_keep(registrar);
	ordered = json_object_get(registrar->keep.order, "verify");
	update_urls(registrar);
	set_text(&registrar->token_file,
		alloc_str(choose(registrar, "token_file", settings->token_file)));
	set_text(&registrar->server_name,
		alloc_str(json_is_true(registrar->keep.unregistered)
				  ? ""
				  : choose(registrar, "server", settings->server)));
	instance_choose(registrar, forget_other_gateway(registrar));
	note_configured(registrar);
	registrar->verify = json_is_boolean(ordered) ? json_is_true(ordered) : settings->verify;
	if (!registrar->verify && registrar->url)
		log_warn(
			"the gateway's certificate is not checked (verify is off): whoever is between us and "
			"the gateway can read its token");
}

static bool has_name(json_t *list, const char *name)
{
	json_t *each;
	size_t i;

	json_array_foreach(list, i, each)
		if (streq(json_string_value(each), name))
			return true;
	return false;
}

bool target_selects(const struct registrar *registrar, const char *domain)
{
	json_t *ordered = json_object_get(registrar->keep.order, "domains");
	json_t *unregistered = registrar->keep.unregistered;

	if (json_is_true(unregistered) || has_name(unregistered, domain))
		return false;
	if (registrar->keep.order)
		return json_array_size(ordered) == 0 || has_name(ordered, domain);
	return registrar->settings.domains_filter.n == 0 ||
	       list_has(&registrar->settings.domains_filter, domain);
}

/* --- secrets -------------------------------------------------------------------------------------- */

static int load_secret(
	const char *path, bool one_line, const char *what, char **ret, struct fail *fail)
{
	bool is_open = false;
	int r;

	secret_free(*ret);
	*ret = NULL;
	if (!*path)
		return 0;
	r = secret_read(path, one_line, ret, &is_open, fail);
	return r < 0 ? fail_prefix(fail, "%s '%s' cannot be used: ", what, path) : 0;
}

static void mark_secret(
	const struct registrar *registrar, const char *secret, char ret[SECRET_MARK_SIZE])
{
	if (secret)
		secret_mark(registrar->keep.salt, secret, ret);
	else
		ret[0] = '\0';
}

int target_load_secrets(struct registrar *registrar, struct fail *fail)
{
	const struct settings *settings = &registrar->settings;
	bool was_open = registrar->token.is_open;
	struct fail peer_fail = { 0 };
	int r = load_secret(
		settings->peer_key_file, true, "the key's file", &registrar->peer_key, &peer_fail);

	if (r == 0)
		r = load_secret(settings->peer_ca_file, false, "the CA's file", &registrar->peer_ca,
			&peer_fail);
	update_urls(registrar);
	if (r < 0 && !registrar->target_error)
		registrar->target_error = alloc_str(peer_fail.text);
	mark_secret(registrar, registrar->peer_key, registrar->key_mark);
	mark_secret(registrar, registrar->peer_ca, registrar->ca_mark);
	r = token_load(&registrar->token, registrar->token_file, fail);
	if (registrar->token.is_open && !was_open)
		log_warn(
			"the token's file '%s' is readable by others than its owner: give it mode 0600",
			registrar->token.path);
	return r;
}

void target_done(struct registrar *registrar)
{
	secret_free(registrar->peer_key);
	secret_free(registrar->peer_ca);
	token_done(&registrar->token);
	free(registrar->url);
	free(registrar->public_url);
	free(registrar->token_file);
	free(registrar->server_name);
	free(registrar->settings_error);
	free(registrar->target_error);
	settings_done(&registrar->settings);
	keep_done(&registrar->keep);
}

/* --- one domain ----------------------------------------------------------------------------------- */

char *target_gateway_name(const struct registrar *registrar, const char *domain)
{
	return alloc_printf(
		"%s%s", registrar->has_settings ? registrar->settings.name_prefix : "", domain);
}

static bool is_streamable(const struct registrar *registrar)
{
	return registrar->has_settings && streq(registrar->settings.transport, "streamable");
}

char *target_url(const struct registrar *registrar, const char *domain)
{
	return alloc_printf("%s/%s/%s", registrar->public_url ? registrar->public_url : "", domain,
		is_streamable(registrar) ? "mcp" : "sse");
}

static json_t *make_tags(const struct registrar *registrar)
{
	json_t *tags = json_pack("[s, s]", PLAN_TAG, registrar->instance_tag);

	for (size_t i = 0; i < registrar->settings.tags.n; i++)
		if (!has_name(tags, registrar->settings.tags.items[i]))
			(void)json_array_append_new(
				tags, json_string(registrar->settings.tags.items[i]));
	return tags;
}

static enum plan_wish choose_wish(const struct registrar *registrar, const struct domain *domain,
	const struct target_peer *peer)
{
	if (!domain->is_configured || !target_selects(registrar, domain->name))
		return WISH_REMOVE;
	if (!domain->is_told || !domain->is_ready || peer->error)
		return WISH_KEEP;
	return WISH_HAVE;
}

/* Of all that can be wanted otherwise. */
static void make_mark(
	const struct registrar *registrar, const struct domain *domain, struct target_peer *peer)
{
	const struct plan_want *want = &peer->want;
	auto_strbuf text = { 0 };

	strbuf_addf(&text, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n", peer->gateway_name, peer->shown_url,
		want->transport, want->visibility, want->description, registrar->key_mark,
		registrar->ca_mark, domain->tools_mark);
	jx_dump(&text, peer->tags);
	secret_mark(registrar->keep.salt, text.data, peer->mark);
}

static void check_peer(
	const struct registrar *registrar, const struct domain *domain, struct target_peer *peer)
{
	struct fail fail = { 0 };

	if (registrar->target_error)
		peer->error = alloc_str(registrar->target_error);
	else if (domain->is_ready && precheck_peer(peer->gateway_name, peer->want.description,
					     domain->tools, &fail) < 0)
		peer->error = alloc_str(fail.text);
}

void target_peer_make(
	const struct registrar *registrar, const struct domain *domain, struct target_peer *ret)
{
	const struct confirmed *confirmed = &domain->confirmed;

	*ret = (struct target_peer){
		.gateway_name = target_gateway_name(registrar, domain->name),
		.shown_url = target_url(registrar, domain->name),
		.tags = make_tags(registrar),
	};
	ret->slug = slug_make(ret->gateway_name);
	ret->url = slug_url(ret->shown_url);
	ret->want = (struct plan_want){
		.name = domain->name,
		.gateway_name = ret->gateway_name,
		.slug = ret->slug,
		.url = ret->url,
		.transport = is_streamable(registrar) ? "STREAMABLEHTTP" : "SSE",
		.visibility = registrar->settings.visibility,
		.description = domain->description ? domain->description : "",
		.tags = ret->tags,
		.has_key = registrar->peer_key,
		.has_ca = registrar->peer_ca,
		.n_tools = (int64_t)json_array_size(domain->tools),
		.confirmed_mark = confirmed->mark,
		.confirmed_id = confirmed->id,
		.confirmed_shown = confirmed->shown,
		.confirmed_tools = confirmed->n_tools,
		.confirmed_version = confirmed->version,
	};
	check_peer(registrar, domain, ret);
	make_mark(registrar, domain, ret);
	ret->want.wish = choose_wish(registrar, domain, ret);
}

void target_peer_done(struct target_peer *peer)
{
	free(peer->gateway_name);
	free(peer->slug);
	free(peer->url);
	free(peer->shown_url);
	json_decref(peer->tags);
	free(peer->error);
	*peer = (struct target_peer){ 0 };
}
