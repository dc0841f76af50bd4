/* See http_accept.h. */
#include "supervisor/front/http_accept.h"

enum { HTTP_WEIGHT_MAX = 1000 };

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

/* "q=0.25" in thousandths: 250. -1: no weight; what is none in form counts as none. */
static int weight_of(struct span param)
{
	struct span name = cut(&param, '=');
	struct span text = trim(param);
	int unit = 100;
	int weight;

	if (!span_is_nocase(name, "q") || text.len == 0 || text.len > 5 ||
		(text.len > 1 && text.at[1] != '.') || (*text.at != '0' && *text.at != '1'))
		return -1;
	weight = (*text.at - '0') * HTTP_WEIGHT_MAX;
	for (size_t i = 2; i < text.len; i++, unit /= 10) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		weight += (text.at[i] - '0') * unit;
	}
	return weight > HTTP_WEIGHT_MAX ? -1 : weight;
}

struct judgement {
	const char *type;
	enum fit fit;
	int weight; /* of the most exact range that fits */
};

static void judge_range(struct judgement *judgement, struct span element)
{
	struct span rest = element;
	enum fit fit = fit_of(cut(&rest, ';'), judgement->type);
	int weight = HTTP_WEIGHT_MAX;

	if (fit == FIT_NOT || fit < judgement->fit)
		return;
	while (rest.len > 0) {
		int given = weight_of(cut(&rest, ';'));

		weight = given >= 0 && given < weight ? given : weight;
	}
	/* The same range twice: the greater weight is enough. */
	if (fit > judgement->fit || weight > judgement->weight)
		judgement->weight = weight;
	judgement->fit = fit;
}

static struct judgement judge(const struct http1_request *req, const char *type)
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
	if (!has_accept)
		judgement.weight = HTTP_WEIGHT_MAX;
	return judgement;
}

bool http_accepts(const struct http1_request *req, const char *type)
{
	return judge(req, type).weight > 0;
}

bool http_prefers(const struct http1_request *req, const char *type, const char *other)
{
	struct judgement first = judge(req, type);
	struct judgement second = judge(req, other);

	return first.weight > second.weight ||
	       (first.weight == second.weight && first.weight > 0 && first.fit > second.fit);
}

bool http_is_type(struct span content_type, const char *type)
{
	struct span rest = content_type;

	return content_type.at && span_is_nocase(cut(&rest, ';'), type);
}
