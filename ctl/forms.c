/* See forms.h. */
#include "ctl/forms.h"

#include <errno.h>

#include "ctl/ask.h"
#include "ctl/secrets.h"
#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/quote.h"

enum { MAX_EXPANDED = 1024 * 1024 };

static bool is_name(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!ascii_is_letter(*c) && *c != '_' && (c == text || !ascii_is_digit(*c)))
			return false;
	}
	return *text != '\0';
}

/* --- variables --- */

static const char *get_env(const struct forms *forms, const char *name)
{
	return forms->get_env ? forms->get_env(name) : getenv(name);
}

static int add_variable(const struct forms *forms, const char *name, const char *def,
	struct strbuf *out, bool *ret_secret, struct fail *fail)
{
	const char *value = get_env(forms, name);

	if ((!value || !*value) && def)
		value = def;
	if (!value)
		return fail_set(fail, -EINVAL,
			"the variable %.100s is not set: set it for this call, or write its value "
			"into the file",
			name);
	strbuf_adds(out, value);
	*ret_secret |= secret_is(name, value);
	return 0;
}

/* --- inputs --- */

static json_t *find_input(const struct forms *forms, const char *id)
{
	size_t i;
	json_t *input;

	json_array_foreach(forms->inputs, i, input) {
		const char *other = json_string_value(json_object_get(input, "id"));

		if (other && streq(other, id))
			return input;
	}
	return NULL;
}

static const char *text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* An option is a text, or {label, value}. */
static const char *option_value(json_t *option)
{
	return json_is_object(option) ? text_of(option, "value") : json_string_value(option);
}

static bool is_option(json_t *options, const char *answer)
{
	size_t i;
	json_t *option;

	json_array_foreach(options, i, option) {
		const char *value = option_value(option);

		if (value && streq(value, answer))
			return true;
	}
	return false;
}

static void add_options(struct strbuf *out, json_t *options)
{
	size_t i;
	json_t *option;

	json_array_foreach(options, i, option) {
		const char *value = option_value(option);

		if (value)
			strbuf_addf(out, "%s%s", i ? ", " : "", value);
	}
}

static int check_answer(json_t *input, const char *id, const char *answer, struct fail *fail)
{
	json_t *options = json_object_get(input, "options");
	auto_strbuf list = { 0 };
	char shown[QUOTE_SIZE];

	if (!json_is_array(options) || is_option(options, answer))
		return 0;
	add_options(&list, options);
	return fail_set(fail, -EINVAL, "the input %s must be one of: %.600s", quote(shown, id),
		strbuf_get(&list));
}

static int ask(json_t *input, const char *id, bool is_secret, char **ret, struct fail *fail)
{
	const char *words = text_of(input, "description");
	const char *def = text_of(input, "default");
	json_t *options = json_object_get(input, "options");
	auto_strbuf question = { 0 };
	auto_free char *answer = NULL;
	int r;

	strbuf_adds(&question, words ? words : id);
	if (json_is_array(options)) {
		strbuf_adds(&question, " (");
		add_options(&question, options);
		strbuf_addc(&question, ')');
	}
	if (def && *def)
		strbuf_addf(&question, " [%s]", is_secret ? "********" : def);
	r = ask_line(strbuf_get(&question), is_secret, &answer, fail);
	if (r < 0)
		return r;
	*ret = !*answer && def ? alloc_str(def) : TAKE(answer);
	return 0;
}

static int find_answer(
	struct forms *forms, json_t *input, const char *id, bool is_secret, struct fail *fail)
{
	const char *def = text_of(input, "default");
	const char *type = text_of(input, "type");
	auto_free char *answer = NULL;
	char shown[QUOTE_SIZE];
	int r = 0;

	if (type && streq(type, "command"))
		return fail_set(fail, -EINVAL,
			"the input %s is the result of a command of the editor: give it with --input "
			"%.100s=VALUE",
			quote(shown, id), id);
	if (input && forms->can_ask)
		r = ask(input, id, is_secret, &answer, fail);
	else if (def && !is_secret)
		answer = alloc_str(def);
	else
		return fail_set(fail, -EINVAL,
			"the input %s has no value: give --input %.100s=VALUE", quote(shown, id),
			id);
	if (r == 0)
		r = check_answer(input, id, answer, fail);
	if (r == 0)
		(void)json_object_set_new_nocheck(forms->given, id, json_string_nocheck(answer));
	return r;
}

static int add_input(struct forms *forms, const char *id, struct strbuf *out, bool *ret_secret,
	struct fail *fail)
{
	json_t *input = find_input(forms, id);
	bool is_secret = json_is_true(json_object_get(input, "password"));
	const char *answer = text_of(forms->given, id);
	int r = answer ? check_answer(input, id, answer, fail)
		       : find_answer(forms, input, id, is_secret, fail);

	if (r < 0)
		return r;
	answer = text_of(forms->given, id);
	strbuf_adds(out, answer);
	*ret_secret |= is_secret || secret_is(id, answer);
	return 0;
}

/* --- everything --- */

static int add_workspace(
	const struct forms *forms, bool only_name, struct strbuf *out, struct fail *fail)
{
	const char *slash;

	if (!forms->workspace)
		return fail_set(fail, -EINVAL,
			"${workspaceFolder} is used: say which folder that is with --workspace DIR");
	slash = strrchr(forms->workspace, '/');
	strbuf_adds(out, only_name && slash && slash[1] ? slash + 1 : forms->workspace);
	return 0;
}

/* `form` is what stands between the braces. -ENOENT: none of ours, it stays as it is. */
static int add_form(
	struct forms *forms, char *form, struct strbuf *out, bool *ret_secret, struct fail *fail)
{
	char *def = strstr(form, ":-");

	if (streq(form, "workspaceFolder") || streq(form, "workspaceRoot"))
		return add_workspace(forms, false, out, fail);
	if (streq(form, "workspaceFolderBasename"))
		return add_workspace(forms, true, out, fail);
	if (streq(form, "userHome")) {
		if (!forms->home)
			return fail_set(fail, -EINVAL, "${userHome} is used, and HOME is not set");
		strbuf_adds(out, forms->home);
		return 0;
	}
	if (streq(form, "pathSeparator") || streq(form, "/")) {
		strbuf_addc(out, '/');
		return 0;
	}
	if (strncmp(form, "input:", 6) == 0)
		return add_input(forms, form + 6, out, ret_secret, fail);
	if (strncmp(form, "env:", 4) == 0)
		return add_variable(forms, form + 4, NULL, out, ret_secret, fail);
	if (def) {
		*def = '\0';
		def += 2;
	}
	if (!is_name(form))
		return -ENOENT;
	/* Programs like mcp-remote find such a form in their arguments and look into their own environment. */
	if (!def && json_object_get(forms->own_env, form))
		return -ENOENT;
	return add_variable(forms, form, def, out, ret_secret, fail);
}

int forms_expand(struct forms *forms, const char *text, struct strbuf *out, bool *ret_secret,
	struct fail *fail)
{
	for (;;) {
		const char *open = strstr(text, "${");
		const char *close = open ? strchr(open, '}') : NULL;
		auto_free char *form = NULL;
		int r;

		if (!close) {
			strbuf_adds(out, text);
			return 0;
		}
		strbuf_add(out, text, (size_t)(open - text));
		form = alloc_mem(open + 2, (size_t)(close - open) - 2);
		r = add_form(forms, form, out, ret_secret, fail);
		if (r == -ENOENT)
			strbuf_add(out, open, (size_t)(close + 1 - open));
		else if (r < 0)
			return r;
		if (out->len > MAX_EXPANDED)
			return fail_set(
				fail, -EINVAL, "with its forms put in it is longer than 1 MiB");
		text = close + 1;
	}
}
