/* mcp-fleetctl key list. See key_private.h. */
#include "ctl/key_private.h"
#include "ctl/output.h"
#include "shared/alloc.h"
#include "shared/amount.h"

struct limit {
	const char *name;
	int64_t value;
};

enum { LIMITS = 6 };

static void get_limits(const struct keys_file_key *key, struct limit ret[LIMITS])
{
	const struct limit limits[LIMITS] = {
		{ "rate", key->rate },
		{ "burst", key->burst },
		{ "sessions", key->sessions },
		{ "streams", key->streams },
		{ "calls", key->calls },
		{ "bytes_rate", key->bytes_rate },
	};

	memcpy(ret, limits, sizeof(limits));
}

static bool is_over(int64_t end_s, int64_t now_s)
{
	return end_s != 0 && end_s <= now_s;
}

/* --- as a table -------------------------------------------------------------------------------- */

static void add_list(struct table *table, const struct keys_file_list *list)
{
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < list->n; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", list->items[i]);
	table_add(table, list->n ? COLOR_NONE : COLOR_DIM, list->n ? strbuf_get(&text) : "all");
}

static void add_limits(struct table *table, const struct keys_file_key *key)
{
	struct limit limits[LIMITS];
	auto_strbuf text = { 0 };

	get_limits(key, limits);
	for (size_t i = 0; i < LIMITS; i++) {
		/* The last is in bytes. */
		bool is_size = i == LIMITS - 1;
		auto_free char *text_of =
			is_size ? amount_format_size(limits[i].value)
				: alloc_printf("%lld", (long long)limits[i].value);

		if (limits[i].value == 0)
			continue;
		strbuf_addf(&text, "%s%s %s", text.len ? ", " : "", limits[i].name, text_of);
	}
	table_add(
		table, text.len ? COLOR_NONE : COLOR_DIM, text.len ? strbuf_get(&text) : "common");
}

static void add_end(struct table *table, const struct keys_file_key *key, int64_t now_s)
{
	char text[KEYS_FILE_TIME_SIZE];

	keys_file_print_time(key->expires_s, text);
	if (key->expires_s == 0)
		table_add(table, COLOR_DIM, "never");
	else if (is_over(key->expires_s, now_s))
		table_addf(table, COLOR_BAD, "%s (expired)", text);
	else
		table_add(
			table, key->expires_s - now_s < KEY_SOON_S ? COLOR_WARN : COLOR_NONE, text);
}

static void add_more(struct table *table, const struct keys_file_key *key, int64_t now_s)
{
	auto_strbuf text = { 0 };
	char until[KEYS_FILE_TIME_SIZE];

	if (key->is_admin)
		strbuf_adds(&text, "admin");
	for (size_t i = 0; i < key->certificates.n; i++)
		strbuf_addf(&text, "%scertificate %s", text.len ? ", " : "",
			key->certificates.items[i]);
	if (key->has_rotated && key->rotated_until_s > now_s) {
		keys_file_print_time(key->rotated_until_s, until);
		strbuf_addf(&text, "%sthe key before it until %s", text.len ? ", " : "", until);
	}
	table_add(table, COLOR_NONE, strbuf_get(&text));
}

static void print_table(const struct ctl *ctl, const struct keys_file *file, int64_t now_s)
{
	static const struct column columns[] = { { "NAME", false }, { "ID", false },
		{ "DOMAINS", false }, { "TOOLS", false }, { "LIMITS", false }, { "EXPIRES", false },
		{ "MORE", false } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));

	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		table_add(table, COLOR_NONE, key->name);
		table_add(table, COLOR_DIM, key->has_hash ? key->id : "no key");
		add_list(table, &key->domains);
		add_list(table, &key->tools);
		add_limits(table, key);
		add_end(table, key, now_s);
		add_more(table, key, now_s);
	}
	table_print(ctl, table, out_columns());
}

/* --- as JSON ----------------------------------------------------------------------------------- */

static json_t *json_of_list(const struct keys_file_list *list)
{
	json_t *json = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(json, json_string(list->items[i]));
	return json;
}

static json_t *json_of_time(int64_t s)
{
	char text[KEYS_FILE_TIME_SIZE];

	if (s == 0)
		return json_null();
	keys_file_print_time(s, text);
	return json_string(text);
}

json_t *key_make_json(const struct keys_file_key *key, int64_t now_s)
{
	struct limit limits[LIMITS];
	json_t *json = json_pack("{s:s, s:s, s:b, s:b}", "name", key->name, "id", key->id,
		"has_key", (int)key->has_hash, "admin", (int)key->is_admin);

	(void)json_object_set_new(json, "certificates", json_of_list(&key->certificates));
	(void)json_object_set_new(json, "domains", json_of_list(&key->domains));
	(void)json_object_set_new(json, "tools", json_of_list(&key->tools));
	get_limits(key, limits);
	for (size_t i = 0; i < LIMITS; i++)
		(void)json_object_set_new(json, limits[i].name,
			limits[i].value ? json_integer(limits[i].value) : json_null());
	(void)json_object_set_new(json, "created", json_of_time(key->created_s));
	(void)json_object_set_new(json, "expires", json_of_time(key->expires_s));
	(void)json_object_set_new(json, "expired", json_boolean(is_over(key->expires_s, now_s)));
	(void)json_object_set_new(json, "rotated_until",
		json_of_time(key->has_rotated && key->rotated_until_s > now_s ? key->rotated_until_s
									      : 0));
	return json;
}

void key_print_list(const struct ctl *ctl, const struct key_store *store, int64_t now_s)
{
	json_t *keys;

	if (!ctl->is_json) {
		if (store->file->n > 0)
			print_table(ctl, store->file, now_s);
		else
			out_note("%s: %s", store->path,
				store->is_new ? "there is no such file"
					      : "there are no keys in it");
		return;
	}
	keys = json_array();
	for (size_t i = 0; i < store->file->n; i++)
		(void)json_array_append_new(keys, key_make_json(&store->file->keys[i], now_s));
	out_json(json_pack("{s:o, s:o}", "path", out_text(store->path), "keys", keys));
}
