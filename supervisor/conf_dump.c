/* See conf_dump.h. The keys come from the table of settings, so that a new one is there by itself. */
#include "supervisor/conf_dump.h"

#include "shared/alloc.h"
#include "shared/jx.h"
#include "supervisor/conf_decode.h"
#include "supervisor/conf_type.h"

/* "a.b.c" becomes a member of a member of a member. */
static void set_nested(json_t *object, const char *name, json_t *value)
{
	const char *dot;

	while ((dot = strchr(name, '.'))) {
		auto_free char *section = alloc_mem(name, (size_t)(dot - name));
		json_t *inner = json_object_get(object, section);

		if (!inner) {
			inner = json_object();
			(void)json_object_set_new(object, section, inner);
		}
		object = inner;
		name = dot + 1;
	}
	(void)json_object_set_new(object, name, value);
}

static void add_keys(json_t *object, const struct conf_scope *scope, const void *owner)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (conf_scope_has(scope, key) && conf_key_has_json(key))
			set_nested(object, conf_scope_name(scope, key), conf_key_json(key, owner));
	}
}

static json_t *dump_domain(const struct conf_domain *domain)
{
	json_t *object = json_object();
	struct conf_domain_scope ds;

	conf_domain_scope_init(&ds, domain->name, domain->native != NULL);
	add_keys(object, &ds.scope, domain);
	(void)json_object_set_new(object, "native", json_boolean(domain->native != NULL));
	(void)json_object_set_new(object, "remote", json_boolean(conf_domain_is_remote(domain)));
	return object;
}

json_t *conf_dump(const struct conf *conf, const char *state_dir)
{
	json_t *object = json_object();
	json_t *domains = json_object();

	(void)json_object_set_new(object, "path", jx_text(conf->path));
	(void)json_object_set_new(object, "transport",
		json_string(conf->transport == CONF_TRANSPORT_SSE ? "sse" : "stdio"));
	add_keys(object, &conf_scope_top, conf);
	(void)json_object_set_new(object, "local_socket", jx_text(conf->local_socket));
	(void)json_object_set_new(object, "control_socket", jx_text(conf->control_socket));
	(void)json_object_set_new(object, "state_dir", jx_text(state_dir));
	for (size_t i = 0; i < conf->n_domains; i++)
		(void)json_object_set_new(
			domains, conf->domains[i].name, dump_domain(&conf->domains[i]));
	(void)json_object_set_new(object, "domains", domains);
	return object;
}

json_t *conf_dump_texts(const struct conf_strs *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < texts->n; i++)
		(void)json_array_append_new(list, json_string(texts->items[i]));
	return list;
}

json_t *conf_dump_diff(const struct conf_diff *diff)
{
	static const char *const changes[] = { [CONF_DOMAIN_ADDED] = "added",
		[CONF_DOMAIN_REMOVED] = "removed",
		[CONF_DOMAIN_TUNED] = "tuned",
		[CONF_DOMAIN_REPLACED] = "replaced" };
	json_t *domains = json_array();

	for (size_t i = 0; i < diff->n_domains; i++)
		(void)json_array_append_new(
			domains, json_pack("{s:s, s:s}", "name", diff->domains[i].name, "change",
					 changes[diff->domains[i].change]));
	return json_pack("{s:o, s:o, s:o}", "changed", conf_dump_texts(&diff->keys), "domains",
		domains, "needs_restart", conf_dump_texts(&diff->restart));
}
