/* See secrets.h. */
#include "ctl/secrets.h"

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/strbuf.h"

enum { MIN_RANDOM = 20 };

/* Anywhere in a name. */
static const char *const name_parts[] = { "TOKEN", "SECRET", "PASSW", "PASSPHRASE", "APIKEY",
	"CREDENTIAL", "BEARER", "COOKIE", "PRIVATE", "AUTHORIZATION", "SIGNATURE" };

/* As a word of a name: between _ and other signs, or small and capital letters. */
static const char *const name_words[] = { "KEY", "KEYS", "PASS", "PWD", "PAT", "PIN", "DSN", "AUTH",
	"OAUTH", "JWT", "SID", "SESSION", "CERT", "PW" };

static const char *const value_prefixes[] = { "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
	"glpat-", "sk-", "sk_", "rk_", "pk_", "xoxb-", "xoxp-", "xoxa-", "xapp-", "AKIA", "ASIA",
	"AIza", "ya29.", "eyJ", "hf_", "npm_", "pypi-", "dop_v1_", "SG.", "tvly-", "ntn_",
	"secret_", "lin_api_", "figd_", "whsec_", "shpat_", "r8_", "gsk_", "xai-", "-----BEGIN ",
	"Bearer ", "bearer ", "Basic ", "Token ", "token " };

/* API_KEY, apiKey and api-key become "_API_KEY_". */
static void add_words(struct strbuf *out, const char *name)
{
	char last = '_';

	strbuf_addc(out, '_');
	for (const char *c = name; *c; c++) {
		bool is_capital = *c >= 'A' && *c <= 'Z';

		if (is_capital && last >= 'a' && last <= 'z')
			strbuf_addc(out, '_');
		if (ascii_is_letter(*c))
			strbuf_addf(out, "%c", *c & ~0x20); /* capital */
		else if (ascii_is_digit(*c))
			strbuf_addc(out, *c);
		else
			strbuf_addc(out, '_');
		last = *c;
	}
	strbuf_addc(out, '_');
}

static bool is_name(const char *name)
{
	auto_strbuf words = { 0 };

	add_words(&words, name);
	for (size_t i = 0; i < N_ELEMENTS(name_parts); i++) {
		if (strstr(words.data, name_parts[i]))
			return true;
	}
	for (size_t i = 0; i < N_ELEMENTS(name_words); i++) {
		auto_free char *word = alloc_printf("_%s_", name_words[i]);

		if (strstr(words.data, word))
			return true;
	}
	return strstr(words.data, "_API_KEY") != NULL;
}

/* Letters and digits mixed, long, and no word of a language or path of a file. */
static bool is_random(const char *text, size_t len)
{
	size_t n_digits = 0;
	size_t n_letters = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (ascii_is_digit(c))
			n_digits++;
		else if (ascii_is_letter(c))
			n_letters++;
		else if (c == '\0' || !strchr("_-+=", c))
			return false;
	}
	return len >= MIN_RANDOM && n_digits >= 3 && n_letters >= 3;
}

/* scheme://user:password@host */
static bool has_password(const char *value)
{
	const char *authority = strstr(value, "://");
	size_t len;
	const char *at;

	if (!authority)
		return false;
	authority += 3;
	len = strcspn(authority, "/?#");
	at = memchr(authority, '@', len);
	return at && memchr(authority, ':', (size_t)(at - authority));
}

bool secret_is_value(const char *value)
{
	for (size_t i = 0; i < N_ELEMENTS(value_prefixes); i++) {
		size_t len = strlen(value_prefixes[i]);

		if (strncmp(value, value_prefixes[i], len) == 0 && value[len])
			return true;
	}
	return has_password(value) || is_random(value, strlen(value));
}

bool secret_is(const char *name, const char *value)
{
	return is_name(name) || secret_is_value(value);
}

bool secret_is_argument(const char *before, const char *argument)
{
	size_t len = strcspn(argument, "=:");
	auto_free char *name = alloc_mem(argument, len);

	if (argument[len] && strspn(argument + len + 1, " ") < strlen(argument + len + 1)) {
		const char *value = argument + len + 1;

		value += strspn(value, " ");
		if (strncmp(value, "//", 2) == 0) /* a URL */
			return secret_is_url(argument);
		return secret_is(name, value);
	}
	if (before && *before == '-' && !strchr(before, '=') && *argument != '-' && is_name(before))
		return true;
	return secret_is_value(argument);
}

static bool has_secret_parameter(const char *query)
{
	while (*query) {
		size_t len = strcspn(query, "&#");
		auto_free char *parameter = alloc_mem(query, len);
		char *equals = strchr(parameter, '=');

		if (equals)
			*equals = '\0';
		if (equals && secret_is(parameter, equals + 1))
			return true;
		query += len;
		if (*query == '#')
			break;
		query += *query == '&';
	}
	return false;
}

bool secret_is_url(const char *url)
{
	const char *path = strstr(url, "://");
	const char *query = strchr(url, '?');

	if (has_password(url) || (query && has_secret_parameter(query + 1)))
		return true;
	path = path ? path + 3 + strcspn(path + 3, "/?#") : "";
	while (*path == '/') {
		size_t len = strcspn(++path, "/?#");
		auto_free char *segment = alloc_mem(path, len);

		if (secret_is_value(segment))
			return true;
		path += len;
	}
	return false;
}
