/* See number.h. */
#include "ctl/number.h"

#include "shared/ascii.h"

bool number_read(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (!ascii_is_digit(*text) || value > max / 10 || digit > max - value * 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

bool number_read_seconds(const char *text, int64_t max_s, int64_t *ret_ms)
{
	int64_t ms = 0;
	int64_t scale = 1000;

	if (!ascii_is_digit(*text))
		return false;
	for (; ascii_is_digit(*text) && ms <= max_s * 1000; text++)
		ms = ms * 10 + (*text - '0') * INT64_C(1000);
	if (*text == '.')
		for (text++; ascii_is_digit(*text) && scale > 1; text++) {
			scale /= 10;
			ms += (*text - '0') * scale;
		}
	if (*text || ms <= 0 || ms > max_s * 1000)
		return false;
	*ret_ms = ms;
	return true;
}
