/* Tool number_convert_base. */
#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "workers/utils/answer.h"
#include "workers/utils/tools.h"

enum { MIN_BASE = 2, MAX_BASE = 36, MAX_DIGITS = 1024 };

struct number_convert_base_args {
	const char *value;
	int64_t from_base;
	int64_t to_base;
};

static const struct param number_convert_base_params[] = {
	PARAM(number_convert_base_args, value, .required = true, RANGE(1, MAX_DIGITS),
		.doc = "Digits, with a sign or none; 0x, 0o, 0b may stand before those of base 16, 8, 2."),
	PARAM(number_convert_base_args, from_base, RANGE(MIN_BASE, MAX_BASE), .def_int = 10,
		.doc = "Base of value."),
	PARAM(number_convert_base_args, to_base, .required = true, RANGE(MIN_BASE, MAX_BASE),
		.doc = "Base of the result."),
	{ 0 },
};

static void bn_freep(BIGNUM **bn)
{
	BN_free(*bn);
}

/* libcrypto's calls fail here only for want of memory. */
static void must(int ok)
{
	if (!ok)
		abort();
}

/* MAX_BASE and more: no digit. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A') + 10 : MAX_BASE;
}

/* x, o and b are no digits of the bases that they announce. */
static const char *skip_prefix(const char *digits, int64_t base)
{
	int letter = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : 0;

	return letter && digits[0] == '0' && (digits[1] | 0x20) == letter ? digits + 2 : digits;
}

/* NULL: read; else the character that is no digit (or the end, where a digit is missing). */
static const char *read_digits(const char *digits, int64_t base, BIGNUM *ret)
{
	if (!*digits)
		return digits;
	for (; *digits; digits++) {
		unsigned value = digit_value(*digits);

		if (value >= (unsigned)base)
			return digits;
		must(BN_mul_word(ret, (BN_ULONG)base));
		must(BN_add_word(ret, value));
	}
	return NULL;
}

static void add_digits(struct strbuf *out, BIGNUM *number, int64_t base)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char digits[MAX_DIGITS * 6]; /* base 36 to base 2: less than log2(36) = 5.2 for each */
	size_t at = sizeof(digits);

	do
		digits[--at] = letters[BN_div_word(number, (BN_ULONG)base)];
	while (!BN_is_zero(number));
	strbuf_add(out, digits + at, sizeof(digits) - at);
}

static int number_convert_base(struct call *call, const void *args)
{
	const struct number_convert_base_args *a = args;
	auto_(bn_freep) BIGNUM *number = BN_new();
	auto_strbuf out = { 0 };
	bool negative = a->value[0] == '-';
	const char *digits = a->value + (negative || a->value[0] == '+');
	const char *wrong;

	must(number != NULL);
	digits = skip_prefix(digits, a->from_base);
	wrong = read_digits(digits, a->from_base, number);
	if (wrong)
		return call_fail(call, "invalid_argument",
			"'value': character %d is no digit of base %d. Correct it, or from_base.",
			(int)(wrong - a->value) + 1, (int)a->from_base);
	if (negative && !BN_is_zero(number))
		strbuf_addc(&out, '-');
	add_digits(&out, number, a->to_base);
	return call_result_text(call, &out);
}

const struct tool number_tools[] = {
	TOOL(number_convert_base, "Convert between bases",
		.doc = "Convert an integer of any size between bases 2 to 36.",
		.out = "success boolean, result string", .hints = TOOL_PURE),
	{ 0 },
};
