/* See resource_meta.h. */
#include "supervisor/front/resource_meta.h"

#include "shared/alloc.h"
#include "shared/jx.h"
#include "shared/uri.h"

static const char realm[] = "mcp-fleet";
static const char *const endpoint_paths[] = { "/mcp", "/sse" };

/* Where a client goes on to without being asked; a token for us has no use for it. */
static const char not_offered[] = "offline_access";

/* --- endpoints ----------------------------------------------------------------------------------- */

/* "/mcp", or "/git/mcp" for any name that a domain may have: whoever has shown no credential yet does not learn which
 * there are. */
static bool is_endpoint(const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *domain = NULL;
	bool known = false;

	for (size_t i = 0; slash && i < N_ELEMENTS(endpoint_paths); i++)
		known |= streq(slash, endpoint_paths[i]);
	if (!known || slash == path)
		return known;
	domain = alloc_mem(path + 1, (size_t)(slash - path) - 1);
	return conf_is_domain_name(domain);
}

static void add_audience(struct conf_strs *list, char *text)
{
	list->items = alloc_resize(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = text;
}

/* The parts of auth.resource, whose path is "" where it has none. False: it is not set. */
static bool split_resource(const struct conf *conf, struct span *ret_base, struct span *ret_path)
{
	const char *text = conf->auth.resource;
	struct uri_target parts;

	if (!*text || uri_split(text, strlen(text), &parts) < 0)
		return false;
	*ret_base = (struct span){ .at = text,
		.len = (size_t)(parts.authority.at + parts.authority.len - text) };
	*ret_path = parts.path;
	if (span_is(parts.path, "/") && !parts.query.at)
		ret_path->len = 0;
	return true;
}

void resource_add_audiences(const struct conf *conf, struct conf_strs *ret)
{
	const struct conf_strs *audience = &conf->auth.audience;
	struct span base;
	struct span path;

	for (size_t i = 0; i < audience->n; i++)
		add_audience(ret, alloc_str(audience->items[i]));
	if (audience->n > 0 || !split_resource(conf, &base, &path))
		return;
	if (path.len > 0) {
		add_audience(ret, alloc_str(conf->auth.resource));
		return;
	}
	add_audience(ret, alloc_mem(base.at, base.len));
	add_audience(ret, alloc_printf("%.*s/", (int)base.len, base.at));
	for (size_t i = 0; i < N_ELEMENTS(endpoint_paths); i++) {
		add_audience(
			ret, alloc_printf("%.*s%s", (int)base.len, base.at, endpoint_paths[i]));
		for (size_t k = 0; k < conf->n_domains; k++)
			add_audience(ret, alloc_printf("%.*s/%s%s", (int)base.len, base.at,
						  conf->domains[k].name, endpoint_paths[i]));
	}
}

/* --- the resource of a place --------------------------------------------------------------------- */

static void add_authorization_servers(const struct conf *conf, json_t *list)
{
	const struct conf_strs *servers = &conf->auth.authorization_servers;

	for (size_t i = 0; i < servers->n; i++)
		(void)json_array_append_new(list, json_string(servers->items[i]));
	if (servers->n == 0 && conf_is_url(conf->auth.issuer))
		(void)json_array_append_new(list, json_string(conf->auth.issuer));
}

static bool has_meta(const struct conf *conf)
{
	return *conf->auth.issuer &&
	       (conf->auth.authorization_servers.n > 0 || conf_is_url(conf->auth.issuer));
}

/* Scheme and host by which this server is known: "https://fleet.example.org". False: nobody has said. */
static bool add_base(
	const struct conf *conf, const struct resource_place *place, struct strbuf *out)
{
	struct uri_authority authority;
	struct span base;
	struct span path;

	if (split_resource(conf, &base, &path)) {
		strbuf_add(out, base.at, base.len);
		return true;
	}
	if (!place->host.at || uri_split_authority(place->host.at, place->host.len, &authority) < 0)
		return false;
	strbuf_adds(out, place->is_https ? "https://" : "http://");
	strbuf_add(out, place->host.at, place->host.len);
	return true;
}

/* The path of the resource of a place; false: there is no resource. */
static bool add_path(
	const struct conf *conf, const struct resource_place *place, struct strbuf *out)
{
	struct span base;
	struct span own = { 0 };

	if (split_resource(conf, &base, &own) && own.len > 0)
		strbuf_add(out, own.at, own.len);
	else
		strbuf_adds(out, place->path);
	return !*place->path || is_endpoint(place->path) || span_is(own, place->path);
}

static json_t *offered_scopes(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->auth.scopes.n; i++) {
		const char *scope = conf->auth.scopes.items[i].scope;

		if (!streq(scope, not_offered))
			(void)json_array_append_new(list, json_string(scope));
	}
	return list;
}

bool resource_add_meta(
	const struct conf *conf, const struct resource_place *place, struct strbuf *out)
{
	auto_strbuf resource = { 0 };
	json_auto_t *meta = NULL;
	json_auto_t *scopes = NULL;
	json_t *servers;

	if (!has_meta(conf) || !add_base(conf, place, &resource) ||
		!add_path(conf, place, &resource))
		return false;
	meta = json_pack("{s:s, s:[], s:[s], s:s}", "resource", resource.data,
		"authorization_servers", "bearer_methods_supported", "header", "resource_name",
		realm);
	servers = json_object_get(meta, "authorization_servers");
	add_authorization_servers(conf, servers);
	scopes = offered_scopes(conf);
	if (json_array_size(scopes) > 0)
		(void)json_object_set(meta, "scopes_supported", scopes);
	jx_dump(out, meta);
	return true;
}

/* --- challenges ---------------------------------------------------------------------------------- */

static bool may_be_quoted(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* A parameter with a quoted text; what must not stand in one becomes '. */
static void add_parameter(
	struct strbuf *out, const char *separator, const char *name, const char *value)
{
	strbuf_addf(out, "%s%s=\"", separator, name);
	for (; *value; value++) {
		if (may_be_quoted(*value))
			strbuf_addc(out, *value);
		else
			strbuf_addc(out, '\'');
	}
	strbuf_addc(out, '"');
}

/* Where the metadata of a place are; false: there are none. */
static bool add_meta_url(
	const struct conf *conf, const struct resource_place *place, struct strbuf *out)
{
	struct resource_place whole = *place;

	if (!has_meta(conf) || !add_base(conf, place, out))
		return false;
	strbuf_adds(out, RESOURCE_META_PATH);
	if (!is_endpoint(place->path))
		whole.path = "";
	return add_path(conf, &whole, out);
}

void resource_add_challenge(const struct conf *conf, const struct resource_place *place,
	const struct resource_challenge *challenge, struct strbuf *out)
{
	auto_strbuf url = { 0 };
	bool has_url = add_meta_url(conf, place, &url);

	strbuf_adds(out, "Bearer");
	if (!has_url && !challenge->error)
		return;
	add_parameter(out, " ", "realm", realm);
	if (has_url)
		add_parameter(out, ", ", "resource_metadata", url.data);
	if (challenge->scope && *challenge->scope)
		add_parameter(out, ", ", "scope", challenge->scope);
	if (challenge->error)
		add_parameter(out, ", ", "error", challenge->error);
	if (challenge->error && challenge->description)
		add_parameter(out, ", ", "error_description", challenge->description);
}

/* --- the route ----------------------------------------------------------------------------------- */

static bool on_meta(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	struct conf *const *conf = arg;
	auto_strbuf path = { 0 };
	auto_strbuf body = { 0 };
	struct resource_place place = { .is_https = ask->origin->is_https,
		.host = ask->request->host };

	if (uri_decode_path(ask->request->uri.path, &path) < 0) {
		http_conn_refuse(conn, 404, "no such path");
		return false;
	}
	place.path = path.data + strlen(RESOURCE_META_PATH);
	if (streq(place.path, "/"))
		place.path = "";
	if (!resource_add_meta(*conf, &place, &body)) {
		http_conn_refuse(conn, 404,
			"there are no metadata of this path: tokens are not taken, or it is no endpoint");
		return false;
	}
	const struct http_reply reply = { .status = 200,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len };

	http_conn_answer(conn, &reply);
	return false;
}

void resource_meta_get_routes(struct conf *const *conf, struct http_route ret[RESOURCE_META_ROUTES])
{
	ret[0] = (struct http_route){
		.path = RESOURCE_META_PATH,
		.methods = HTTPD_GET,
		.is_prefix = true,
		.zone = GUARD_ZONE_OPEN,
		.head = on_meta,
		.arg = (void *)(uintptr_t)conf,
	};
}
