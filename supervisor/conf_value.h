/* The forms in which values are written in settings, both ways. Pure functions of their texts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/cleanup.h"

/* What CONF_FORM_… say is what the parsers take; for messages. */
#define CONF_FORM_COUNT "a whole number"
#define CONF_FORM_SIZE "a size such as 512, 64KiB, 4MiB or 1GiB"
#define CONF_FORM_DURATION "a duration with its unit, such as 250ms, 15s, 5m, 1h30m or 2d"
#define CONF_FORM_ADDRESS                                                                          \
	"an IP address or localhost, and a port, such as 127.0.0.1:8000 or [::1]:8000"

#define CONF_FORM_LISTEN CONF_FORM_ADDRESS ", maybe with http:// or https:// before it"

/* Digits only, no sign, no blanks. All: 0, -EINVAL for another form, -ERANGE beyond int64_t. */
int conf_parse_count(const char *text, int64_t *ret) must_check;

/* Digits and B, kB, MB, GB (decimal), KiB, MiB, GiB, or nothing (bytes). */
int conf_parse_size(const char *text, int64_t *ret) must_check;

/* Digits and unit, units from large to small: 2d, 1h30m, 1m500ms. A bare number is -EINVAL. */
int conf_parse_duration(const char *text, int64_t *ret_ms) must_check;

/* Seconds with an optional fraction of up to three digits ("0.05") as milliseconds. */
int conf_parse_seconds(const char *text, int64_t *ret_ms) must_check;

/* The shortest text that the parsers read as this value: yours to free. */
char *conf_format_size(int64_t bytes) must_check;
char *conf_format_duration(int64_t ms) must_check;

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
