/* Tokens: the courier fetches the keys of the door that judges them. */
#include <errno.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/main_private.h"

enum {
	HTTP_OK = 200,
	FETCH_MS = 15 * 1000,
};

/* A fetch under way. */
struct errand {
	struct daemon *daemon;
	uint64_t number;
};

static void on_keys(void *arg, const struct courier_answer *answer, const struct fail *fail)
{
	auto_free struct errand *errand = arg;
	struct token_door *tokens = errand->daemon->tokens;
	auto_free char *words = NULL;

	if (!answer && fail->code == -ESHUTDOWN)
		return;
	if (!answer) {
		token_door_miss_keys(tokens, errand->number, fail->text);
	} else if (answer->status != HTTP_OK) {
		words = alloc_printf("auth.jwks_url was answered with status %d", answer->status);
		token_door_miss_keys(tokens, errand->number, words);
	} else {
		token_door_take_keys(
			tokens, errand->number, answer->body, answer->body_len, answer->max_age_s);
	}
}

static void fetch_keys(void *arg, uint64_t number, const char *url, const char *ca_file)
{
	struct daemon *d = arg;
	struct errand *errand = alloc_zero(sizeof(*errand));
	const struct courier_fetch ask = {
		.url = url,
		.ca_file = ca_file,
		.accept = "application/jwk-set+json, application/json",
		.max_bytes = JWKS_MAX_BYTES,
		.timeout_ms = FETCH_MS,
	};

	*errand = (struct errand){ .daemon = d, .number = number };
	courier_fetch(d->courier, &ask, on_keys, errand);
}

void main_make_tokens(struct daemon *d)
{
	d->tokens = token_door_new(d->loop, fetch_keys, d);
}
