/* See dns_message.h. A pointer of name compression must lead further back than the one before, so every
 * name ends. */
#include "workers/network/dns_message.h"

#include <arpa/inet.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "shared/utf8.h"

enum {
	CLASS_IN = 1,
	FLAG_IS_ANSWER = 0x8000,
	MAX_NAME_BYTES = 254, /* labels with their lengths, without the root */
	POINTER = 0xc0,
};

struct reader {
	const uint8_t *bytes;
	size_t len; /* of the message */
	size_t at;
	size_t end; /* of what is read now */
};

const char *const dns_type_names[] = { "A", "AAAA", "CNAME", "MX", "NS", "TXT", "SOA", "SRV", "PTR",
	"CAA", NULL };

static bool read_number(struct reader *reader, size_t bytes, uint32_t *ret)
{
	uint32_t number = 0;

	if (bytes > reader->end - reader->at)
		return false;
	for (; bytes > 0; bytes--)
		number = number << 8 | reader->bytes[reader->at++];
	*ret = number;
	return true;
}

/* One byte as in a zone file. */
static void add_byte(struct strbuf *out, uint8_t byte, const char *escaped)
{
	if (byte < ' ' || byte >= 0x7f)
		strbuf_addf(out, "\\%03u", byte);
	else if (strchr(escaped, byte))
		strbuf_addf(out, "\\%c", byte);
	else
		strbuf_addc(out, (char)byte);
}

static bool read_label(
	struct reader *reader, size_t *at, size_t end, struct strbuf *out, size_t *used)
{
	size_t len = reader->bytes[*at];

	if (len >= 64 || len > end - *at - 1 || len + 1 > MAX_NAME_BYTES - *used)
		return false;
	if (*used > 0)
		strbuf_addc(out, '.');
	*used += len + 1;
	for (size_t i = 1; i <= len; i++)
		add_byte(out, reader->bytes[*at + i], ". \\\"");
	*at += len + 1;
	return true;
}

static bool read_name(struct reader *reader, struct strbuf *out)
{
	size_t at = reader->at;
	size_t lowest = at;
	size_t end = reader->end;
	bool has_jumped = false;
	size_t used = 0;

	while (at < end && reader->bytes[at] != 0) {
		if (reader->bytes[at] < POINTER) {
			if (!read_label(reader, &at, end, out, &used))
				return false;
			continue;
		}
		if (end - at < 2)
			return false;
		if (!has_jumped)
			reader->at = at + 2;
		has_jumped = true;
		at = (size_t)(reader->bytes[at] & ~POINTER) << 8 | reader->bytes[at + 1];
		if (at >= lowest)
			return false;
		lowest = at;
		end = reader->len;
	}
	if (at >= end)
		return false;

	if (!has_jumped)
		reader->at = at + 1;
	if (used == 0)
		strbuf_addc(out, '.');
	return true;
}

static bool skip_name(struct reader *reader)
{
	auto_strbuf name = { 0 };

	return read_name(reader, &name);
}

static bool add_address(struct reader *reader, int family, size_t bytes, struct strbuf *out)
{
	char text[INET6_ADDRSTRLEN];

	if (reader->end - reader->at != bytes)
		return false;
	strbuf_adds(out, inet_ntop(family, reader->bytes + reader->at, text, sizeof(text)));
	reader->at += bytes;
	return true;
}

static bool add_a(struct reader *reader, struct strbuf *out)
{
	return add_address(reader, AF_INET, 4, out);
}

static bool add_aaaa(struct reader *reader, struct strbuf *out)
{
	return add_address(reader, AF_INET6, 16, out);
}

/* `n` numbers, each with a blank behind it. */
static bool add_numbers(struct reader *reader, size_t n, size_t bytes, struct strbuf *out)
{
	uint32_t number = 0;

	for (; n > 0; n--) {
		if (!read_number(reader, bytes, &number))
			return false;
		strbuf_addf(out, "%u ", number);
	}

	return true;
}

static bool add_mx(struct reader *reader, struct strbuf *out)
{
	return add_numbers(reader, 1, 2, out) && read_name(reader, out);
}

static bool add_srv(struct reader *reader, struct strbuf *out)
{
	return add_numbers(reader, 3, 2, out) && read_name(reader, out);
}

static bool add_soa(struct reader *reader, struct strbuf *out)
{
	if (!read_name(reader, out))
		return false;
	strbuf_addc(out, ' ');
	if (!read_name(reader, out))
		return false;
	strbuf_addc(out, ' ');
	if (!add_numbers(reader, 5, 4, out))
		return false;
	strbuf_cut(out, out->len - 1);
	return true;
}

/* The strings of a TXT record are one text that was too long for one string. */
static bool add_txt(struct reader *reader, struct strbuf *out)
{
	auto_strbuf text = { 0 };
	uint32_t len = 0;

	do {
		if (!read_number(reader, 1, &len) || len > reader->end - reader->at)
			return false;
		strbuf_add(&text, reader->bytes + reader->at, len);
		reader->at += len;
	} while (reader->at < reader->end);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0')
			text.data[i] = '\xff'; /* becomes U+FFFD */

	utf8_repair(out, strbuf_get(&text), text.len);
	return true;
}

static bool add_caa(struct reader *reader, struct strbuf *out)
{
	uint32_t len = 0;

	if (!add_numbers(reader, 1, 1, out) || !read_number(reader, 1, &len) || len == 0 ||
		len > reader->end - reader->at)
		return false;
	for (; len > 0; len--)
		add_byte(out, reader->bytes[reader->at++], " \\\"");
	strbuf_adds(out, " \"");
	while (reader->at < reader->end)
		add_byte(out, reader->bytes[reader->at++], "\\\"");
	strbuf_addc(out, '"');
	return true;
}

static const struct type {
	uint16_t number;
	const char *name;
	bool (*add)(struct reader *reader, struct strbuf *out);
} types[] = {
	{ 1, "A", add_a },
	{ 2, "NS", read_name },
	{ 5, "CNAME", read_name },
	{ 6, "SOA", add_soa },
	{ 12, "PTR", read_name },
	{ 15, "MX", add_mx },
	{ 16, "TXT", add_txt },
	{ 28, "AAAA", add_aaaa },
	{ 33, "SRV", add_srv },
	{ 257, "CAA", add_caa },
};

int dns_type_find(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(types); i++)
		if (streq(types[i].name, name))
			return types[i].number;

	return 0;
}

const char *dns_rcode_name(unsigned rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE" };

	return rcode < N_ELEMENTS(names) ? names[rcode] : NULL;
}

static const struct type *find_type(uint32_t number)
{
	for (size_t i = 0; i < N_ELEMENTS(types); i++)
		if (types[i].number == number)
			return &types[i];

	return NULL;
}

static void keep(struct dns_message *message, const struct type *type, uint32_t ttl,
	struct strbuf *name, struct strbuf *data)
{
	struct dns_record *record;

	if (message->n_records == DNS_MAX_RECORDS) {
		message->is_cut = true;
		return;
	}
	if (!message->records)
		message->records = alloc_resize(NULL, DNS_MAX_RECORDS, sizeof(*message->records));
	record = &message->records[message->n_records++];
	record->type = type->name;
	record->ttl = ttl;
	record->name = strbuf_take(name);
	record->data = strbuf_take(data);
}

static bool read_record(struct reader *reader, struct dns_message *message)
{
	auto_strbuf name = { 0 };
	auto_strbuf data = { 0 };
	const struct type *type;
	uint32_t number = 0;
	uint32_t class = 0;
	uint32_t ttl = 0;
	uint32_t len = 0;

	if (!read_name(reader, &name) || !read_number(reader, 2, &number) ||
		!read_number(reader, 2, &class) || !read_number(reader, 4, &ttl) ||
		!read_number(reader, 2, &len) || len > reader->end - reader->at)
		return false;

	type = find_type(number);
	if (!type || class != CLASS_IN) {
		reader->at += len;
		return true;
	}
	reader->end = reader->at + len;
	if (!type->add(reader, &data) || reader->at != reader->end)
		return false;
	reader->end = reader->len;
	keep(message, type, ttl & INT32_MAX, &name, &data);
	return true;
}

int dns_message_parse(const void *bytes, size_t len, struct dns_message *ret)
{
	struct reader reader = { .bytes = bytes, .len = len, .end = len };
	uint32_t flags = 0;
	uint32_t n_questions = 0;
	uint32_t n_answers = 0;
	uint32_t rest = 0;

	if (!read_number(&reader, 2, &rest) || !read_number(&reader, 2, &flags) ||
		!read_number(&reader, 2, &n_questions) || !read_number(&reader, 2, &n_answers) ||
		!read_number(&reader, 4, &rest) || !(flags & FLAG_IS_ANSWER))
		return -EBADMSG;

	ret->rcode = flags & 0xf;
	for (; n_questions > 0; n_questions--)
		if (!skip_name(&reader) || !read_number(&reader, 4, &rest))
			return -EBADMSG;
	for (; n_answers > 0; n_answers--)
		if (!read_record(&reader, ret))
			return -EBADMSG;

	return 0;
}

void dns_message_done(struct dns_message *message)
{
	for (size_t i = 0; i < message->n_records; i++) {
		free(message->records[i].name);
		free(message->records[i].data);
	}
	free(message->records);
	*message = (struct dns_message){ 0 };
}
