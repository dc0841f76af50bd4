/* See yaml_scalar.h. */
#include "workers/utils/yaml_scalar.h"

#include <ctype.h>

#include "workers/utils/number.h"

enum { MAX_BASE_DIGITS = 1024 };

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == len && memcmp(*words, text, len) == 0)
			return true;
	return false;
}

static size_t count_digits(const char *text, size_t len, const char *digits)
{
	size_t n = 0;

	while (n < len && text[n] && strchr(digits, text[n]))
		n++;
	return n;
}

/* 0x1F, 0o17 as decimal digits. */
static bool add_prefixed(const char *text, size_t len, struct strbuf *out)
{
	struct failure fail;
	struct number n = { 0 };
	auto_free char *digits = NULL;
	bool hex = len > 2 && text[1] == 'x';

	if (len < 3 || len > MAX_BASE_DIGITS + 2 || text[0] != '0' || (!hex && text[1] != 'o'))
		return false;
	if (count_digits(text + 2, len - 2, hex ? "0123456789abcdefABCDEF" : "01234567") < len - 2)
		return false;
	if (number_set_digits(&n, text + 2, len - 2, hex ? 16 : 8, &fail) < 0)
		return false;
	digits = number_text(&n);
	number_done(&n);
	strbuf_adds(out, digits);
	return true;
}

/* The parts of a decimal number; each may have no digits. */
struct decimal {
	bool negative;
	bool has_point;
	const char *whole, *fraction, *exponent; /* the exponent with its e and sign */
	size_t n_whole, n_fraction, n_exponent;
};

static bool split_decimal(const char *text, size_t len, struct decimal *ret)
{
	static const char digits[] = "0123456789";
	const char *end = text + len;

	*ret = (struct decimal){ .negative = len && *text == '-' };
	if (len && (*text == '-' || *text == '+'))
		text++;
	ret->whole = text;
	ret->n_whole = count_digits(text, (size_t)(end - text), digits);
	text += ret->n_whole;
	ret->has_point = text < end && *text == '.';
	if (ret->has_point) {
		ret->fraction = ++text;
		ret->n_fraction = count_digits(text, (size_t)(end - text), digits);
		text += ret->n_fraction;
	}
	if (ret->n_whole + ret->n_fraction == 0)
		return false;
	ret->exponent = text;
	if (text < end && (*text == 'e' || *text == 'E')) {
		size_t sign = text + 1 < end && (text[1] == '+' || text[1] == '-');
		size_t n = count_digits(text + 1 + sign, (size_t)(end - text) - 1 - sign, digits);

		if (n == 0)
			return false;
		ret->n_exponent = 1 + sign + n;
	}
	return ret->exponent + ret->n_exponent == end;
}

/* JSON wants a digit before and behind the point, and no zeros before a number. */
static void add_decimal(struct strbuf *out, const struct decimal *d)
{
	const char *whole = d->whole;
	size_t n = d->n_whole;

	while (n > 1 && *whole == '0') {
		whole++;
		n--;
	}
	if (d->negative)
		strbuf_addc(out, '-');
	if (n)
		strbuf_add(out, whole, n);
	else
		strbuf_addc(out, '0');
	if (d->n_fraction) {
		strbuf_addc(out, '.');
		strbuf_add(out, d->fraction, d->n_fraction);
	} else if (d->has_point) {
		strbuf_adds(out, ".0");
	}
	strbuf_add(out, d->exponent, d->n_exponent);
}

enum yaml_kind yaml_resolve(const char *text, size_t len, struct strbuf *out)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const not_finite[] = { ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF",
		"-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN", NULL };
	struct decimal decimal;

	if (is_one_of(text, len, nulls)) {
		strbuf_adds(out, "null");
		return YAML_KIND_NULL;
	}
	if (is_one_of(text, len, trues) || is_one_of(text, len, falses)) {
		strbuf_adds(out, is_one_of(text, len, trues) ? "true" : "false");
		return YAML_KIND_BOOL;
	}
	if (is_one_of(text, len, not_finite))
		return YAML_KIND_NOT_FINITE;
	if (add_prefixed(text, len, out))
		return YAML_KIND_INT;
	if (!split_decimal(text, len, &decimal))
		return YAML_KIND_STR;
	add_decimal(out, &decimal);
	return decimal.has_point || decimal.n_exponent ? YAML_KIND_FLOAT : YAML_KIND_INT;
}

/* Plain texts begin with a letter; words that mean something in YAML 1.1 are quoted. What the syntax
 * forbids besides (": ", " #", line breaks) the emitter sees itself. */
bool yaml_is_plain_text(const char *text, size_t len)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n", NULL };
	char lower[8];

	if (len == 0 || (!isalpha((unsigned char)text[0]) && !((unsigned char)text[0] & 0x80)))
		return false;
	if (len >= sizeof(lower))
		return true;
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower((unsigned char)text[i]);
	return !is_one_of(lower, len, words);
}
