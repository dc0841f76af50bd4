/* See finding.h. */
#include "ctl/finding.h"

#include <stdarg.h>

#include "ctl/output.h"
#include "shared/strbuf.h"
#include "shared/utf8.h"

static const struct kind {
	const char *name;
	const char *mark;
	enum color color;
} kinds[] = {
	[FINDING_OK] = { "ok", "✓", COLOR_GOOD },
	[FINDING_WARN] = { "warn", "!", COLOR_WARN },
	[FINDING_FAIL] = { "fail", "✗", COLOR_BAD },
	[FINDING_SKIP] = { "skip", "-", COLOR_DIM },
};

void findings_init(struct findings *findings)
{
	*findings = (struct findings){ .items = json_array() };
}

void findings_done(struct findings *findings)
{
	json_decref(findings->items);
	*findings = (struct findings){ 0 };
}

/* JSON takes UTF-8 only, and a path or the name of a process may be anything. */
static json_t *json_of(const char *text)
{
	auto_strbuf repaired = { 0 };

	if (!text)
		return json_null();
	utf8_repair(&repaired, text, strlen(text));
	return json_string(strbuf_get(&repaired));
}

void finding_add(struct findings *findings, enum finding_result result, const char *check,
	const char *subject, const char *remedy, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	findings->n[result]++;
	(void)json_array_append_new(
		findings->items, json_pack("{s:s, s:o, s:s, s:o, s:o}", "check", check, "subject",
					 json_of(subject), "result", kinds[result].name, "text",
					 json_of(strbuf_get(&text)), "remedy", json_of(remedy)));
}

static const struct kind *kind_of(const json_t *item)
{
	const char *name = json_string_value(json_object_get(item, "result"));

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (streq(kinds[i].name, name))
			return &kinds[i];
	return &kinds[FINDING_SKIP];
}

static void print_one(const struct ctl *ctl, const json_t *item)
{
	const struct kind *kind = kind_of(item);
	const char *subject = json_string_value(json_object_get(item, "subject"));
	const char *remedy = json_string_value(json_object_get(item, "remedy"));
	auto_strbuf line = { 0 };

	out_clean(&line, json_string_value(json_object_get(item, "check")));
	if (subject) {
		strbuf_addc(&line, ' ');
		out_clean(&line, subject);
	}
	strbuf_adds(&line, ": ");
	out_clean(&line, json_string_value(json_object_get(item, "text")));
	out_line(ctl, kind->color, "%s %s", kind->mark, strbuf_get(&line));
	if (!remedy)
		return;
	strbuf_cut(&line, 0);
	out_clean(&line, remedy);
	out_line(ctl, COLOR_NONE, "    %s", strbuf_get(&line));
}

void findings_print(const struct ctl *ctl, const struct findings *findings)
{
	const unsigned *n = findings->n;

	if (ctl->is_json) {
		out_json(json_pack("{s:O, s:i, s:i, s:i, s:i}", "findings", findings->items, "ok",
			(int)n[FINDING_OK], "warnings", (int)n[FINDING_WARN], "failures",
			(int)n[FINDING_FAIL], "skipped", (int)n[FINDING_SKIP]));
		return;
	}
	for (size_t i = 0; i < json_array_size(findings->items); i++)
		print_one(ctl, json_array_get(findings->items, i));
	out_line(ctl, n[FINDING_FAIL] > 0 ? COLOR_BAD : COLOR_GOOD,
		"%u right, %u warning%s, %u failure%s, %u not looked at", n[FINDING_OK],
		n[FINDING_WARN], n[FINDING_WARN] == 1 ? "" : "s", n[FINDING_FAIL],
		n[FINDING_FAIL] == 1 ? "" : "s", n[FINDING_SKIP]);
}
