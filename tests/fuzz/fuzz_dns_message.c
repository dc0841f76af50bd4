/* Answers of name servers: what is taken is text of one line (TXT: valid UTF-8), and not too much. */
#include <errno.h>
#include <strings.h>

#include "shared/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "workers/network/dns_message.h"
#include "workers/network/reverse.h"

static void check_line(const char *text)
{
	for (; *text; text++)
		CHECK(*text >= ' ' && *text < 0x7f);
}

/* A name of an address is the one name of that address, but for the case of letters. */
static void check_reverse(const char *name)
{
	struct sockaddr_storage address;
	char back[REVERSE_MAX_NAME + 1];

	if (!reverse_parse(name, &address))
		return;
	reverse_write(&address, back);
	CHECK(strlen(name) == strlen(back) && strcasecmp(name, back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *copy = fuzz_copy(data, size);
	struct dns_message message = { 0 };
	int r = dns_message_parse(copy, size, &message);

	CHECK(r == 0 || r == -EBADMSG);
	CHECK(message.n_records <= DNS_MAX_RECORDS);
	for (size_t i = 0; i < message.n_records; i++) {
		const struct dns_record *record = &message.records[i];

		CHECK(dns_type_find(record->type) > 0);
		CHECK(*record->name && strlen(record->name) <= (size_t)4 * 254);
		check_line(record->name);
		check_reverse(record->name);
		if (streq(record->type, "TXT"))
			CHECK(utf8_valid(record->data, strlen(record->data)));
		else
			check_line(record->data);
	}
	dns_message_done(&message);
	return 0;
}
