/* See keys_file.h. */
#include "shared/keys_file.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/utf8.h"

/* --- the struct -------------------------------------------------------------------------------- */

struct keys_file *keys_file_new(void)
{
	return alloc_zero(sizeof(struct keys_file));
}

static void list_done(struct keys_file_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

static void key_done(struct keys_file_key *key)
{
	free(key->name);
	list_done(&key->certificates);
	list_done(&key->domains);
	list_done(&key->tools);
}

void keys_file_free(struct keys_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->n; i++)
		key_done(&file->keys[i]);
	free(file->keys);
	free(file);
}

struct keys_file_key *keys_file_find(const struct keys_file *file, const char *name)
{
	for (size_t i = 0; i < file->n; i++)
		if (streq(file->keys[i].name, name))
			return &file->keys[i];
	return NULL;
}

struct keys_file_key *keys_file_find_id(const struct keys_file *file, const char *id)
{
	for (size_t i = 0; i < file->n; i++)
		if (streq(file->keys[i].id, id))
			return &file->keys[i];
	return NULL;
}

struct keys_file_key *keys_file_find_certificate(const struct keys_file *file, const char *name)
{
	for (size_t i = 0; i < file->n; i++)
		for (size_t k = 0; k < file->keys[i].certificates.n; k++)
			if (streq(file->keys[i].certificates.items[k], name))
				return &file->keys[i];
	return NULL;
}

struct keys_file_key *keys_file_add(struct keys_file *file)
{
	/* Powers of two: as many keys as the file says, each once. */
	if ((file->n & (file->n - 1)) == 0)
		file->keys =
			alloc_resize(file->keys, file->n ? 2 * file->n : 1, sizeof(*file->keys));
	file->keys[file->n] = (struct keys_file_key){ 0 };
	return &file->keys[file->n++];
}

void keys_file_remove(struct keys_file *file, struct keys_file_key *key)
{
	size_t at = (size_t)(key - file->keys);

	key_done(key);
	file->n--;
	memmove(key, key + 1, (file->n - at) * sizeof(*key));
}

void keys_file_list_add(struct keys_file_list *list, const char *item)
{
	list->items = alloc_resize(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = alloc_str(item);
}

/* --- values ------------------------------------------------------------------------------------ */

bool keys_file_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > KEYS_FILE_MAX_NAME ||
		(!ascii_is_letter(name[0]) && !ascii_is_digit(name[0])))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_letter(name[i]) && !ascii_is_digit(name[i]) &&
			!strchr("._@+-", name[i]))
			return false;
	return true;
}

bool keys_file_is_item(const char *item)
{
	size_t len = strlen(item);

	if (len == 0 || len > KEYS_FILE_MAX_ITEM || !utf8_valid(item, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)item[i] < ' ' || item[i] == '\x7f')
			return false;
	return true;
}

/* The number that `n` digits are. */
static int number_of(const char *digits, size_t n)
{
	int number = 0;

	for (size_t i = 0; i < n; i++)
		number = number * 10 + (digits[i] - '0');
	return number;
}

int keys_file_read_time(const char *text, int64_t *ret_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char again[KEYS_FILE_TIME_SIZE];
	struct tm tm = { 0 };
	int64_t s;

	for (size_t i = 0; i < sizeof(form); i++)
		if (form[i] == 'd' ? !ascii_is_digit(text[i]) : text[i] != form[i])
			return -EINVAL;
	tm.tm_year = number_of(text, 4) - 1900;
	tm.tm_mon = number_of(text + 5, 2) - 1;
	tm.tm_mday = number_of(text + 8, 2);
	tm.tm_hour = number_of(text + 11, 2);
	tm.tm_min = number_of(text + 14, 2);
	tm.tm_sec = number_of(text + 17, 2);
	s = timegm(&tm);
	/* Not the 31st of June, which timegm() takes for the first of July. */
	keys_file_print_time(s, again);
	if (s < 0 || !streq(again, text))
		return -EINVAL;
	*ret_s = s;
	return 0;
}

void keys_file_print_time(int64_t s, char ret[KEYS_FILE_TIME_SIZE])
{
	time_t seconds = (time_t)s;
	struct tm tm;

	if (s < 0 || s > KEYS_FILE_MAX_TIME || !gmtime_r(&seconds, &tm) ||
		strftime(ret, KEYS_FILE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		ret[0] = '\0';
}

/* --- writing ----------------------------------------------------------------------------------- */

static void print_text(struct strbuf *out, const char *member, const char *text)
{
	strbuf_addf(out, ", \"%s\": ", member);
	strbuf_add_json(out, text, strlen(text));
}

static void print_hash(struct strbuf *out, const uint8_t *hash)
{
	strbuf_adds(out, "\"hash\": \"sha256:");
	for (size_t i = 0; i < KEY_TEXT_HASH_BYTES; i++)
		strbuf_addf(out, "%02x", hash[i]);
	strbuf_addc(out, '"');
}

static void print_list(struct strbuf *out, const char *member, const struct keys_file_list *list)
{
	if (list->n == 0)
		return;
	strbuf_addf(out, ", \"%s\": [", member);
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			strbuf_adds(out, ", ");
		strbuf_add_json(out, list->items[i], strlen(list->items[i]));
	}
	strbuf_addc(out, ']');
}

static void print_number(struct strbuf *out, const char *member, int64_t number)
{
	if (number)
		strbuf_addf(out, ", \"%s\": %lld", member, (long long)number);
}

static void print_instant(struct strbuf *out, const char *member, int64_t s)
{
	char text[KEYS_FILE_TIME_SIZE];

	keys_file_print_time(s, text);
	print_text(out, member, text);
}

static void print_limits(struct strbuf *out, const struct keys_file_key *key)
{
	print_number(out, "rate", key->rate);
	print_number(out, "burst", key->burst);
	print_number(out, "sessions", key->sessions);
	print_number(out, "streams", key->streams);
	print_number(out, "calls", key->calls);
	print_number(out, "bytes_rate", key->bytes_rate);
}

static void print_key(struct strbuf *out, const struct keys_file_key *key)
{
	char until[KEYS_FILE_TIME_SIZE];

	strbuf_addf(out, "{\"name\": \"%s\"", key->name);
	print_text(out, "id", key->id);
	if (key->has_hash) {
		strbuf_adds(out, ", ");
		print_hash(out, key->hash);
	}
	print_list(out, "certificates", &key->certificates);
	print_list(out, "domains", &key->domains);
	print_list(out, "tools", &key->tools);
	if (key->is_admin)
		strbuf_adds(out, ", \"admin\": true");
	print_limits(out, key);
	print_instant(out, "created", key->created_s);
	if (key->expires_s)
		print_instant(out, "expires", key->expires_s);
	if (key->has_rotated) {
		keys_file_print_time(key->rotated_until_s, until);
		strbuf_adds(out, ", \"rotated\": {");
		print_hash(out, key->rotated_hash);
		print_text(out, "until", until);
		strbuf_addc(out, '}');
	}
	strbuf_addc(out, '}');
}

void keys_file_print(const struct keys_file *file, struct strbuf *out)
{
	strbuf_addf(out, "{\"version\": %d, \"keys\": [", KEYS_FILE_VERSION);
	for (size_t i = 0; i < file->n; i++) {
		strbuf_adds(out, i ? ",\n" : "\n");
		print_key(out, &file->keys[i]);
	}
	strbuf_adds(out, file->n ? "\n]}\n" : "]}\n");
}
