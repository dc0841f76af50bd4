/* See conf_value.h. */
#include "supervisor/conf_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/strbuf.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* From large to small. */
static const struct unit duration_units[] = {
	{ "d", INT64_C(86400000) },
	{ "h", INT64_C(3600000) },
	{ "m", INT64_C(60000) },
	{ "s", INT64_C(1000) },
	{ "ms", INT64_C(1) },
};

static const struct unit size_units[] = {
	{ "", INT64_C(1) },
	{ "B", INT64_C(1) },
	{ "kB", INT64_C(1000) },
	{ "MB", INT64_C(1000000) },
	{ "GB", INT64_C(1000000000) },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
};

/* The digits at *at, which is moved behind them. */
static int take_digits(const char **at, int64_t *ret)
{
	int64_t value = 0;

	if (!ascii_is_digit(**at))
		return -EINVAL;
	for (; ascii_is_digit(**at); (*at)++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, **at - '0', &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int conf_parse_count(const char *text, int64_t *ret)
{
	int64_t value = 0;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret = value;
	return 0;
}

int conf_parse_size(const char *text, int64_t *ret)
{
	int64_t value = 0;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	for (size_t i = 0; i < N_ELEMENTS(size_units); i++) {
		if (!streq(text, size_units[i].name))
			continue;
		if (__builtin_mul_overflow(value, size_units[i].factor, &value))
			return -ERANGE;
		*ret = value;
		return 0;
	}
	return -EINVAL;
}

/* The unit at *at, looked for from `from` on; its index, or -1. A unit ends where a digit or the text
 * ends it, so "m" is not found in "ms". */
static int take_duration_unit(const char **at, int from)
{
	size_t len = strcspn(*at, "0123456789");

	for (int i = from; i < (int)N_ELEMENTS(duration_units); i++) {
		if (strlen(duration_units[i].name) == len &&
			strncmp(*at, duration_units[i].name, len) == 0) {
			*at += len;
			return i;
		}
	}
	return -1;
}

int conf_parse_duration(const char *text, int64_t *ret_ms)
{
	int64_t sum = 0;
	int next = 0;

	do {
		int64_t value = 0;
		int r = take_digits(&text, &value);
		int unit;

		if (r < 0)
			return r;
		unit = take_duration_unit(&text, next);
		if (unit < 0)
			return -EINVAL;
		next = unit + 1;
		if (__builtin_mul_overflow(value, duration_units[unit].factor, &value) ||
			__builtin_add_overflow(sum, value, &sum))
			return -ERANGE;
	} while (*text);
	*ret_ms = sum;
	return 0;
}

int conf_parse_seconds(const char *text, int64_t *ret_ms)
{
	int64_t ms = 0;
	int r = take_digits(&text, &ms);

	if (r < 0)
		return r;
	if (__builtin_mul_overflow(ms, 1000, &ms))
		return -ERANGE;
	if (*text == '.') {
		int64_t factor = 100;

		for (text++; ascii_is_digit(*text) && factor > 0; text++, factor /= 10) {
			if (__builtin_add_overflow(ms, (*text - '0') * factor, &ms))
				return -ERANGE;
		}
		if (factor == 100)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

char *conf_format_size(int64_t bytes)
{
	static const struct unit units[] = { { "GiB", INT64_C(1) << 30 },
		{ "MiB", INT64_C(1) << 20 }, { "KiB", INT64_C(1) << 10 } };

	for (size_t i = 0; bytes && i < N_ELEMENTS(units); i++) {
		if (bytes % units[i].factor == 0)
			return alloc_printf(
				"%lld%s", (long long)(bytes / units[i].factor), units[i].name);
	}
	return alloc_printf("%lld", (long long)bytes);
}

char *conf_format_duration(int64_t ms)
{
	auto_strbuf text = { 0 };

	if (ms == 0)
		return alloc_str("0s");
	for (size_t i = 0; i < N_ELEMENTS(duration_units); i++) {
		int64_t n = ms / duration_units[i].factor;

		if (n)
			strbuf_addf(&text, "%lld%s", (long long)n, duration_units[i].name);
		ms -= n * duration_units[i].factor;
	}
	return strbuf_take(&text);
}

/* "[::1]:8000" → "::1", "127.0.0.1:8000" → "127.0.0.1"; *ret_port is behind the colon. NULL for
 * another form. */
static char *take_host(const char *text, bool *ret_v6, const char **ret_port)
{
	bool v6 = text[0] == '[';
	const char *host = v6 ? text + 1 : text;
	const char *end = v6 ? strchr(host, ']') : strchr(host, ':');
	const char *colon = end && v6 ? end + 1 : end;

	if (!end || *colon != ':')
		return NULL;
	*ret_v6 = v6;
	*ret_port = colon + 1;
	return alloc_mem(host, (size_t)(end - host));
}

int conf_parse_address(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
	const char *port_text = NULL;
	bool v6 = false;
	auto_free char *host = take_host(text, &v6, &port_text);
	struct sockaddr_storage addr = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;
	int64_t port = 0;

	if (!host || conf_parse_count(port_text, &port) < 0 || port > UINT16_MAX)
		return -EINVAL;
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
			return -EINVAL;
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		if (inet_pton(AF_INET, streq(host, "localhost") ? "127.0.0.1" : host,
			    &in->sin_addr) != 1)
			return -EINVAL;
	}
	*ret_addr = addr;
	*ret_len = v6 ? sizeof(*in6) : sizeof(*in);
	return 0;
}

int conf_parse_listen(const char *text, enum conf_scheme *ret_scheme,
	struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
	static const struct {
		const char *text;
		enum conf_scheme scheme;
	} schemes[] = { { "http://", CONF_SCHEME_HTTP }, { "https://", CONF_SCHEME_HTTPS } };
	enum conf_scheme scheme = CONF_SCHEME_NONE;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		size_t len = strlen(schemes[i].text);

		if (strncmp(text, schemes[i].text, len) != 0)
			continue;
		scheme = schemes[i].scheme;
		text += len;
		break;
	}
	r = conf_parse_address(text, ret_addr, ret_len);
	if (r == 0)
		*ret_scheme = scheme;
	return r;
}

char *conf_format_address(const struct sockaddr_storage *addr)
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool v6 = addr->ss_family == AF_INET6;
	const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
			       : (const void *)&((const struct sockaddr_in *)addr)->sin_addr;

	(void)inet_ntop(addr->ss_family, bytes, host, sizeof(host));
	return alloc_printf(v6 ? "[%s]:%u" : "%s:%u", host, conf_port_of(addr));
}

bool conf_is_loopback(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)addr)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(in6))
			return in6->s6_addr[12] == IN_LOOPBACKNET;
		return IN6_IS_ADDR_LOOPBACK(in6);
	}
	if (addr->ss_family != AF_INET)
		return false;
	return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

unsigned conf_port_of(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	if (addr->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)addr)->sin_port);
	return 0;
}
