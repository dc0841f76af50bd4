/* See http_accept.h. */
#include "supervisor/front/http_accept.h"

/* How exactly a range fits, and nothing of it. */
enum fit {
	FIT_NOT,
	FIT_ANY,   /* any type at all */
	FIT_TYPE,  /* any subtype */
	FIT_EXACT, /* with parameters too: we have none to compare */
};

static struct span trim(struct span text)
{
	while (text.len > 0 && (*text.at == ' ' || *text.at == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Cuts off what stands before the next `stop` that is not inside of quotes; *rest is what follows. */
static struct span cut(struct span *rest, char stop)
{
	struct span piece = { .at = rest->at };
	bool is_quoted = false;
	size_t i;

	for (i = 0; i < rest->len && (is_quoted || rest->at[i] != stop); i++) {
		if (rest->at[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && rest->at[i] == '\\' && i + 1 < rest->len)
			i++;
	}
	piece.len = i;
	i += i < rest->len;
	*rest = (struct span){ .at = rest->at + i, .len = rest->len - i };
	return trim(piece);
}

static enum fit fit_of(struct span range, const char *type)
{
	size_t main_len = strcspn(type, "/") + 1;

	if (span_is(range, "*/*"))
		return FIT_ANY;
	if (span_is_nocase(range, type))
		return FIT_EXACT;
	if (range.len == main_len + 1 && range.at[main_len] == '*' &&
		strncasecmp(range.at, type, main_len) == 0)
		return FIT_TYPE;
	return FIT_NOT;
}

/* "q=0", "q=0.0": refused. Any other weight is one. */
static bool is_refusal(struct span param)
{
	struct span name = cut(&param, '=');
	struct span weight = trim(param);

	if (!span_is_nocase(name, "q") || weight.len == 0 || *weight.at != '0')
		return false;
	for (size_t i = 1; i < weight.len; i++)
		if (weight.at[i] != '0' && !(i == 1 && weight.at[i] == '.'))
			return false;
	return true;
}

struct judgement {
	const char *type;
	enum fit fit;
	bool is_accepted;
};

static void judge_range(struct judgement *judgement, struct span element)
{
	struct span rest = element;
	enum fit fit = fit_of(cut(&rest, ';'), judgement->type);
	bool is_accepted = true;

	if (fit == FIT_NOT || fit < judgement->fit)
		return;
	while (rest.len > 0)
		is_accepted &= !is_refusal(cut(&rest, ';'));
	/* The same range twice: one that accepts is enough. */
	judgement->is_accepted = is_accepted || (fit == judgement->fit && judgement->is_accepted);
	judgement->fit = fit;
}

bool http_accepts(const struct http1_request *req, const char *type)
{
	struct judgement judgement = { .type = type };
	bool has_accept = false;

	for (size_t i = 0; i < req->n_fields; i++) {
		struct span rest = req->fields[i].value;

		if (!span_is_nocase(req->fields[i].name, "accept"))
			continue;
		has_accept = true;
		while (rest.len > 0)
			judge_range(&judgement, cut(&rest, ','));
	}
	return !has_accept || judgement.is_accepted;
}

bool http_is_type(struct span content_type, const char *type)
{
	struct span rest = content_type;

	return content_type.at && span_is_nocase(cut(&rest, ';'), type);
}
