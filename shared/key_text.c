/* See key_text.h. */
#include "shared/key_text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include "shared/base64.h"

enum { SECRET_BYTES = 32 };

static const char prefix[] = "mcpf_";
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

/* Up to 256 bytes come whole or not at all; without them there is no key. */
static void take_random(void *ret, size_t len)
{
	if (getrandom(ret, len, 0) != (ssize_t)len)
		abort();
}

void key_text_make_id(char ret[KEY_TEXT_ID_SIZE])
{
	uint8_t bytes[KEY_TEXT_ID_CHARS];

	take_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		ret[i] = id_letters[bytes[i] % 32];
	ret[KEY_TEXT_ID_CHARS] = '\0';
}

bool key_text_is_id(const char *id)
{
	return strlen(id) == KEY_TEXT_ID_CHARS && strspn(id, id_letters) == KEY_TEXT_ID_CHARS;
}

void key_text_make(const char *id, char ret[KEY_TEXT_SIZE])
{
	auto_strbuf text = { 0 };
	uint8_t secret[SECRET_BYTES];

	take_random(secret, sizeof(secret));
	(void)strbuf_reserve(&text, KEY_TEXT_CHARS); /* so that it is never copied while it grows */
	strbuf_addf(&text, "%s%s_", prefix, id);
	base64_encode(BASE64_URL, secret, sizeof(secret), &text);
	memcpy(ret, strbuf_get(&text), KEY_TEXT_SIZE);
	explicit_bzero(text.data, text.size);
	explicit_bzero(secret, sizeof(secret));
}

bool key_text_get_id(const char *text, size_t len, char ret_id[KEY_TEXT_ID_SIZE])
{
	const char *id = text + sizeof(prefix) - 1;

	if (len != KEY_TEXT_CHARS || memcmp(text, prefix, sizeof(prefix) - 1) != 0 ||
		id[KEY_TEXT_ID_CHARS] != '_')
		return false;
	memcpy(ret_id, id, KEY_TEXT_ID_CHARS);
	ret_id[KEY_TEXT_ID_CHARS] = '\0';
	return key_text_is_id(ret_id);
}

int key_text_hash(const char *text, size_t len, uint8_t ret[KEY_TEXT_HASH_BYTES])
{
	unsigned n = 0;

	return EVP_Digest(text, len, ret, &n, EVP_sha256(), NULL) == 1 && n == KEY_TEXT_HASH_BYTES
		       ? 0
		       : -ENOTSUP;
}

bool key_text_hash_equal(const uint8_t a[KEY_TEXT_HASH_BYTES], const uint8_t b[KEY_TEXT_HASH_BYTES])
{
	return CRYPTO_memcmp(a, b, KEY_TEXT_HASH_BYTES) == 0;
}
