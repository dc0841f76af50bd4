/* See status_door.h. */
#include "ctl/status_door.h"

#include "ctl/member.h"
#include "ctl/output.h"

/* "name   text" in a colour; the text may be foreign. */
static void print(const struct ctl *ctl, enum color color, const char *name, const char *text)
{
	auto_strbuf shown = { 0 };

	out_clean(&shown, text);
	out_line(ctl, color, "%-15s %s", name, strbuf_get(&shown));
}

static void print_certificate(const struct ctl *ctl, const json_t *tls)
{
	const json_t *days = json_object_get(tls, "days_left");
	int64_t left = member_int(tls, "days_left");
	enum color color = COLOR_NONE;
	auto_strbuf text = { 0 };

	if (!json_is_object(tls))
		return;
	strbuf_addf(
		&text, "%s, serial %s", member_text(tls, "subject"), member_text(tls, "serial"));
	if (json_is_integer(days) && left < 0)
		strbuf_adds(&text, ", has ended");
	else if (json_is_integer(days))
		strbuf_addf(&text, ", %lld days left", (long long)left);
	if (json_is_integer(days) && left < STATUS_CERTIFICATE_SOON_DAYS) {
		color = left < 0 ? COLOR_BAD : COLOR_WARN;
		strbuf_adds(&text, ": renew it, then mcp-fleetctl reload");
	}
	print(ctl, color, "certificate", strbuf_get(&text));
}

static void print_keys(const struct ctl *ctl, const json_t *status)
{
	const json_t *keys = json_object_get(status, "keys");
	const char *fault = member_text(keys, "fault");
	auto_strbuf text = { 0 };

	if (!json_is_object(keys))
		return;
	strbuf_addf(&text, "%lld in %s", (long long)member_int(keys, "count"),
		member_text(status, "keys_path"));
	if (*fault)
		strbuf_addf(&text, "; its last change is not taken: %s", fault);
	print(ctl, *fault ? COLOR_WARN : COLOR_NONE, "keys", strbuf_get(&text));
}

/* {name: how often} as "name 3, name 4"; nothing where nothing happened. */
static void print_counts(const struct ctl *ctl, const char *title, json_t *counts)
{
	auto_strbuf text = { 0 };
	const char *name;
	json_t *n;

	json_object_foreach(counts, name, n)
		if (json_integer_value(n) > 0)
			strbuf_addf(&text, "%s%s %lld", text.len > 0 ? ", " : "", name,
				(long long)json_integer_value(n));
	if (text.len > 0)
		print(ctl, COLOR_WARN, title, strbuf_get(&text));
}

void status_door_print(const struct ctl *ctl, const json_t *status)
{
	print_certificate(ctl, json_object_get(status, "tls"));
	print_keys(ctl, status);
	print_counts(ctl, "limits reached", json_object_get(status, "limits"));
	print_counts(ctl, "refused", json_object_get(status, "refusals"));
}
