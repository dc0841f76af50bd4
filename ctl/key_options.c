/* What the options of mcp-fleetctl key add say of a key. See key_private.h. */
#include <errno.h>
#include <stddef.h>

#include "ctl/key_private.h"
#include "shared/alloc.h"
#include "shared/amount.h"
#include "shared/quote.h"

/* One name, or one glob. */
static int add_item(
	struct keys_file_list *list, const char *option, const char *item, struct fail *fail)
{
	char shown[QUOTE_SIZE];

	if (!keys_file_is_item(item))
		return fail_set(fail, -EINVAL,
			"--%s: %s is none: each is 1 to %d bytes of UTF-8 without control characters",
			option, quote(shown, item), KEYS_FILE_MAX_ITEM);
	if (list->n == KEYS_FILE_MAX_ITEMS)
		return fail_set(
			fail, -EINVAL, "--%s: at most %d of them", option, KEYS_FILE_MAX_ITEMS);
	keys_file_list_add(list, item);
	return 0;
}

/* Globs with commas between. */
static int read_globs(const struct ctl_args *args, const char *option, struct keys_file_list *list,
	struct fail *fail)
{
	const char *at = args_get(args, option);
	int r = 0;

	while (at && r == 0) {
		size_t len = strcspn(at, ",");
		auto_free char *item = alloc_mem(at, len);

		r = add_item(list, option, item, fail);
		at = at[len] ? at + len + 1 : NULL;
	}
	return r;
}

static int read_limit(
	const struct ctl_args *args, const char *option, unsigned *ret, struct fail *fail)
{
	const char *text = args_get(args, option);
	int64_t value = 0;

	if (!text)
		return 0;
	if (amount_parse_count(text, &value) < 0 || value < 1 || value > KEYS_FILE_MAX_LIMIT)
		return fail_set(fail, -EINVAL,
			"--%s: a whole number from 1 to %d; leave it out for what holds for all keys",
			option, KEYS_FILE_MAX_LIMIT);
	*ret = (unsigned)value;
	return 0;
}

static int read_bytes_rate(const struct ctl_args *args, int64_t *ret, struct fail *fail)
{
	const char *text = args_get(args, "bytes-rate");
	int64_t value = 0;

	if (!text)
		return 0;
	if (amount_parse_size(text, &value) < 0 || value < 1 || value > KEYS_FILE_MAX_BYTES_RATE)
		return fail_set(
			fail, -EINVAL, "--bytes-rate: " AMOUNT_FORM_SIZE ", which is the most");
	*ret = value;
	return 0;
}

static int read_limits(const struct ctl_args *args, struct keys_file_key *key, struct fail *fail)
{
	const struct {
		const char *option;
		unsigned *value;
	} limits[] = {
		{ "rate", &key->rate },
		{ "burst", &key->burst },
		{ "sessions", &key->sessions },
		{ "streams", &key->streams },
		{ "calls", &key->calls },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_ELEMENTS(limits); i++)
		r = read_limit(args, limits[i].option, limits[i].value, fail);
	return r == 0 ? read_bytes_rate(args, &key->bytes_rate, fail) : r;
}

static int read_certificates(
	const struct ctl_args *args, struct keys_file_list *list, struct fail *fail)
{
	const char *name;
	int r = 0;

	for (size_t i = 0; r == 0 && (name = args_get_nth(args, "certificate", i)); i++)
		r = add_item(list, "certificate", name, fail);
	return r;
}

int key_read_end(const char *text, int64_t now_s, int64_t *ret_s, struct fail *fail)
{
	auto_free char *midnight = alloc_printf("%sT00:00:00Z", text);
	int64_t ms = 0;
	int64_t s = 0;

	if (amount_parse_duration(text, &ms) == 0 && ms / 1000 <= KEYS_FILE_MAX_TIME - now_s)
		s = now_s + ms / 1000;
	else if (keys_file_read_time(text, &s) < 0 && keys_file_read_time(midnight, &s) < 0)
		return fail_set(fail, -EINVAL,
			"--expires: a duration such as 90d or 12h, a date in UTC such as 2027-01-31, or an "
			"instant such as 2027-01-31T12:00:00Z, until the year 9999");
	if (s <= now_s)
		return fail_set(fail, -EINVAL, "--expires: it must be to come");
	*ret_s = s;
	return 0;
}

int key_read_options(
	const struct ctl_args *args, int64_t now_s, struct keys_file_key *key, struct fail *fail)
{
	const char *end = args_get(args, "expires");
	int r = read_globs(args, "domains", &key->domains, fail);

	if (r == 0)
		r = read_globs(args, "tools", &key->tools, fail);
	if (r == 0)
		r = read_limits(args, key, fail);
	if (r == 0)
		r = read_certificates(args, &key->certificates, fail);
	if (r == 0 && end)
		r = key_read_end(end, now_s, &key->expires_s, fail);
	if (r == 0 && args_has(args, "no-key") && key->certificates.n == 0)
		r = fail_set(fail, -EINVAL,
			"--no-key leaves no way in: name certificates with --certificate");
	key->is_admin = args_has(args, "admin");
	return r;
}
