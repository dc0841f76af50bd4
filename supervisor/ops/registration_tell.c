/* What the registrar is told: its settings, and each domain that has changed since it was told. */
#include "shared/alloc.h"
#include "supervisor/conf_dump.h"
#include "supervisor/fleet/store.h"
#include "supervisor/ops/registration_private.h"

static void set_text(json_t *json, const char *name, const char *text)
{
	(void)json_object_set_new(json, name, json_string(text));
}

static void add_where_we_are(const struct registration *reg, json_t *json)
{
	const struct conf_gateway *gateway = &reg->parts.conf->gateway;
	auto_strbuf url = { 0 };
	auto_free char *state = reg->parts.state_dir
					? alloc_printf("%s/registration.json", reg->parts.state_dir)
					: NULL;

	strbuf_adds(&url, gateway->public_url);
	if (url.len == 0)
		reg->parts.add_url(reg->parts.arg, &url);
	set_text(json, "public_url", strbuf_get(&url));
	set_text(json, "state_file", state ? state : "");
}

static json_t *make_settings(const struct registration *reg)
{
	const struct conf *conf = reg->parts.conf;
	const struct conf_gateway *gateway = &conf->gateway;
	json_t *names = json_array();
	json_t *json = json_object();

	set_text(json, "url", gateway->url);
	set_text(json, "token_file", gateway->token_file);
	set_text(json, "auth_header", gateway->auth_header);
	set_text(json, "ca_file", gateway->ca_file);
	set_text(json, "client_cert", gateway->client_cert);
	set_text(json, "client_key", gateway->client_key);
	(void)json_object_set_new(json, "verify", json_boolean(gateway->verify));
	add_where_we_are(reg, json);
	set_text(json, "transport", gateway->transport == CONF_GATEWAY_SSE ? "sse" : "streamable");
	set_text(json, "name_prefix", gateway->name_prefix);
	set_text(json, "visibility", gateway->visibility);
	(void)json_object_set_new(json, "tags", conf_dump_texts(&gateway->tags));
	(void)json_object_set_new(json, "domains_filter", conf_dump_texts(&gateway->domains));
	set_text(json, "server", gateway->server);
	(void)json_object_set_new(json, "interval_ms", json_integer(gateway->interval_ms));
	set_text(json, "peer_key_file", gateway->key_file);
	set_text(json, "peer_ca_file", gateway->peer_ca_file);
	for (size_t i = 0; i < conf->n_domains; i++)
		(void)json_array_append_new(names, json_string(conf->domains[i].name));
	(void)json_object_set_new(json, "domains", names);
	return json;
}

void registration_tell_settings(struct registration *reg)
{
	json_auto_t *json = make_settings(reg);
	auto_free char *text = json_dumps(json, JSON_COMPACT);

	if (text)
		aide_tell(reg->aide, "registrar/settings", text);
}

/* The items of a page's list, behind those of the pages before. */
static void add_page(void *arg, const char *page)
{
	struct strbuf *out = arg;
	struct jspan text;
	struct jspan tools;

	if (jspan_check(page, strlen(page), &text, NULL) < 0)
		return;
	tools = jspan_member(text, "tools", NULL);
	if (jspan_type(tools) != JSPAN_ARRAY || tools.len <= 2)
		return;
	if (out->data[out->len - 1] != '[')
		strbuf_addc(out, ',');
	strbuf_add(out, tools.at + 1, tools.len - 2);
}

static const char *why_not_ready(const struct domain_stats *stats, size_t n_tools)
{
	if (!domain_state_is_up(stats->state))
		return *stats->last_death ? stats->last_death : domain_state_name(stats->state);
	return n_tools > 0 ? "" : "it lists no tools";
}

static void tell_domain(struct registration *reg, const char *name, const char *reason,
	const char *summary, const struct endpoint *endpoint)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "{\"name\":");
	strbuf_add_json(&text, name, strlen(name));
	strbuf_addf(&text, ",\"is_ready\":%s,\"reason\":", *reason ? "false" : "true");
	strbuf_add_json(&text, reason, strlen(reason));
	strbuf_adds(&text, ",\"description\":");
	strbuf_add_json(&text, summary, strlen(summary));
	strbuf_adds(&text, ",\"tools\":[");
	if (endpoint)
		endpoint_each_page(endpoint, CATALOG_TOOLS, add_page, &text);
	strbuf_adds(&text, "]}");
	aide_tell(reg->aide, "registrar/domain", text.data);
}

/* True: it is to be told, and counts as told now. */
static bool note_told(struct registration *reg, const char *name, uint64_t hash)
{
	struct told *told = NULL;

	for (size_t i = 0; i < reg->n_told && !told; i++)
		if (streq(reg->told[i].name, name))
			told = &reg->told[i];
	if (told && told->hash == hash)
		return false;
	if (!told && reg->n_told == REGISTRATION_MAX_KNOWN)
		return true;
	if (!told) {
		told = &reg->told[reg->n_told++];
		told->name = alloc_str(name);
	}
	told->hash = hash;
	return true;
}

void registration_forget_told(struct registration *reg)
{
	while (reg->n_told > 0)
		free(reg->told[--reg->n_told].name);
}

/* One that comes again is told again, whatever it was before. */
void registration_forget_removed(struct registration *reg)
{
	size_t i = 0;

	while (i < reg->n_told) {
		if (conf_find_domain(reg->parts.conf, reg->told[i].name)) {
			i++;
			continue;
		}
		free(reg->told[i].name);
		reg->told[i] = reg->told[--reg->n_told];
	}
}

static void look_at_domain(void *arg, struct domain *domain)
{
	struct registration *reg = arg;
	struct catalog *catalog = mcp_get_catalog(reg->parts.mcp);
	const char *name = domain_get_name(domain);
	const struct endpoint *endpoint = catalog_endpoint(catalog, name);
	const char *summary = catalog_get_summary(catalog, name);
	uint64_t version = endpoint ? endpoint_get_version(endpoint, CATALOG_TOOLS) : 0;
	struct domain_stats stats;
	const char *reason;
	uint64_t hash;

	domain_get_stats(domain, &stats);
	if (stats.state == DOMAIN_STOPPED) /* the fleet ends: what is registered stays so */
		return;
	reason = why_not_ready(&stats, endpoint ? endpoint_count_tools(endpoint) : 0);
	hash = store_fingerprint(STORE_FINGERPRINT_START ^ version, reason);
	hash = store_fingerprint(hash, summary);
	if (domain_is_new(domain) || !note_told(reg, name, hash))
		return;
	tell_domain(reg, name, reason, summary, endpoint);
}

void registration_tell(void *arg)
{
	struct registration *reg = arg;

	if (aide_is_ready(reg->aide) && !reg->is_stopping)
		fleet_each(mcp_get_fleet(reg->parts.mcp), look_at_domain, reg);
}
