/* mcp-fleetctl check: whether settings are right, as the daemon's loader says. */
#include <errno.h>
#include <limits.h>

#include "ctl/output.h"
#include "ctl/settings.h"
#include "shared/alloc.h"

static void print_json(const struct settings_verdict *verdict)
{
	bool has_place = verdict->file != NULL;

	out_json(json_pack("{s:b, s:s, s:s?, s:o, s:o}", "ok", verdict->is_ok, "text",
		verdict->text, "file", verdict->file, "line",
		has_place ? json_integer(verdict->line) : json_null(), "column",
		has_place ? json_integer(verdict->column) : json_null()));
}

static int run_check(const struct ctl *ctl, const struct ctl_args *args)
{
	auto_free char *used = alloc_str(args_at(args, 0));
	auto_(settings_verdict_done) struct settings_verdict verdict = { 0 };
	auto_strbuf words = { 0 };
	struct fail fail = { 0 };

	/* To look at the default one does no harm, as long as it is said. */
	if (!used && settings_find_file(ctl, &used, NULL, &fail) < 0)
		out_note("%s; the default file is checked", fail.text);
	if (settings_check(used, NULL, &verdict, &fail) < 0)
		return ctl_fail(ctl, &fail);
	if (ctl->is_json) {
		print_json(&verdict);
		return verdict.is_ok ? CTL_DONE : CTL_FAILED;
	}
	if (!verdict.is_ok) {
		(void)fail_set(&fail, -EINVAL, "%s", verdict.text);
		return ctl_fail(ctl, &fail);
	}
	out_clean(&words, verdict.text);
	out_line(ctl, COLOR_GOOD, "%s", strbuf_get(&words));
	return CTL_DONE;
}

const struct verb verb_check = {
	.name = "check",
	.args = "[FILE]",
	.summary = "check the settings",
	.help = "They are read by the daemon's own loader: what it takes, the daemon takes. Without FILE it is\n"
		"the file that the running daemon uses, else the default one. Needs no running daemon.",
	.word = CTL_WORD_FILE,
	.max_args = 1,
	.run = run_check,
};
