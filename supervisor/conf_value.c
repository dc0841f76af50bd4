/* See conf_value.h. */
#include "supervisor/conf_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "shared/alloc.h"
#include "shared/amount.h"

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

	if (!host || amount_parse_count(port_text, &port) < 0 || port > UINT16_MAX)
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
