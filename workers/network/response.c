/* See response.h. */
#include "workers/network/response.h"

#include <string.h>
#include <strings.h>

#include "shared/span.h"

static const char blanks[] = " \t";

void response_done(struct response *response)
{
	strbuf_done(&response->head);
	strbuf_done(&response->body);
}

bool response_is_redirect(int status)
{
	return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

void response_add_line(struct response *response, const char *line, size_t len)
{
	static const char status_line[] = "HTTP/";

	while (len > 0 && strchr("\r\n \t", line[len - 1]) && line[len - 1])
		len--;
	if (len >= strlen(status_line) && memcmp(line, status_line, strlen(status_line)) == 0)
		strbuf_cut(&response->head, 0);
	if (len == 0 || memchr(line, '\0', len))
		return;

	strbuf_add(&response->head, line, len);
	/* A carriage return, say, would forge a line where fields are shown (RFC 9110, section 5.5). */
	for (char *at = response->head.data + response->head.len - len; len > 0; at++, len--)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	strbuf_addc(&response->head, '\0');
}

/* Words in a list with commas that are compressions. */
static size_t count_codings(const char *at, const char *end)
{
	static const char separators[] = ", \t\r\n";
	size_t n = 0;

	while (at < end) {
		struct span word = { .at = at };

		while (at < end && !(*at && strchr(separators, *at)))
			at++;
		word.len = (size_t)(at - word.at);
		n += word.len > 0 && !span_is_nocase(word, "chunked") &&
		     !span_is_nocase(word, "identity");
		at += at < end;
	}

	return n;
}

size_t response_line_codings(const char *line, size_t len)
{
	static const char *const names[] = { "Content-Encoding:", "Transfer-Encoding:" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		size_t skip = strlen(names[i]);

		if (len > skip && strncasecmp(line, names[i], skip) == 0)
			return count_codings(line + skip, line + len);
	}

	return 0;
}

/* The line at `at`, and where the next one begins. NULL: no more. */
static const char *next_line(const struct response *response, size_t *at)
{
	const char *line;

	if (*at >= response->head.len)
		return NULL;

	line = response->head.data + *at;
	*at += strlen(line) + 1;
	return line;
}

const char *response_reason(const struct response *response)
{
	size_t at = 0;
	const char *line = next_line(response, &at);

	if (!line)
		return "";

	line += strcspn(line, blanks);
	line += strspn(line, blanks);
	line += strcspn(line, blanks); /* the number */
	return line + strspn(line, blanks);
}

bool response_next_header(const struct response *response, size_t *cursor, const char **ret_name,
	size_t *ret_name_len, const char **ret_value)
{
	const char *line;

	if (*cursor == 0)
		(void)next_line(response, cursor);
	while ((line = next_line(response, cursor))) {
		size_t len = strcspn(line, ":");

		if (len == 0 || line[len] == '\0' || strcspn(line, blanks) < len)
			continue;
		*ret_name = line;
		*ret_name_len = len;
		*ret_value = line + len + 1 + strspn(line + len + 1, blanks);
		return true;
	}

	return false;
}

const char *response_header(const struct response *response, const char *name)
{
	const char *at;
	const char *value;
	size_t cursor = 0;
	size_t len = 0;

	while (response_next_header(response, &cursor, &at, &len, &value))
		if (len == strlen(name) && strncasecmp(at, name, len) == 0)
			return value;

	return NULL;
}
