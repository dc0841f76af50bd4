/* The forms in which values are written in settings, both ways. Pure functions of their texts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/cleanup.h"

/* What the parsers take; for messages. */
#define CONF_FORM_ADDRESS                                                                          \
	"an IP address or localhost, and a port, such as 127.0.0.1:8000 or [::1]:8000"

#define CONF_FORM_LISTEN CONF_FORM_ADDRESS ", maybe with http:// or https:// before it"

/* Reads "127.0.0.1:8000", "[::1]:8000" or "localhost:8000". Port 0 is allowed (the kernel chooses).
 * No name is ever looked up. 0 or -EINVAL. */
int conf_parse_address(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len)
	must_check;

/* The same, with "http://" or "https://" before it, or nothing. */
enum conf_scheme {
	CONF_SCHEME_NONE,
	CONF_SCHEME_HTTP,
	CONF_SCHEME_HTTPS,
};

int conf_parse_listen(const char *text, enum conf_scheme *ret_scheme,
	struct sockaddr_storage *ret_addr, socklen_t *ret_len) must_check;

/* The address in its one canonical form ("127.0.0.1:8000"): yours to free. */
char *conf_format_address(const struct sockaddr_storage *addr) must_check;

bool conf_is_loopback(const struct sockaddr_storage *addr);

/* 0 for another family. */
unsigned conf_port_of(const struct sockaddr_storage *addr);
