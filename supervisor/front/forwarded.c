/* See forwarded.h. */
#include "supervisor/front/forwarded.h"

#include "shared/alloc.h"

void forwarded_trust_init(struct forwarded_trust *trust, char *const *texts, size_t n)
{
	*trust = (struct forwarded_trust){ 0 };
	if (n == 0)
		return;
	trust->nets = alloc_resize(NULL, n, sizeof(*trust->nets));
	for (size_t i = 0; i < n; i++)
		if (ipnet_parse(texts[i], &trust->nets[trust->n]) == 0)
			trust->n++;
}

void forwarded_trust_done(struct forwarded_trust *trust)
{
	free(trust->nets);
	*trust = (struct forwarded_trust){ 0 };
}

bool forwarded_trust_has(const struct forwarded_trust *trusted, const struct client_addr *addr)
{
	if (client_addr_is_none(addr))
		return false;
	for (size_t i = 0; i < trusted->n; i++)
		if (ipnet_has(&trusted->nets[i], addr->ip))
			return true;
	return false;
}

/* The last element of a comma-separated list, without blanks; *rest is what stands before it. */
static struct span cut_last(struct span *rest)
{
	struct span element;
	size_t at = rest->len;

	while (at > 0 && rest->at[at - 1] != ',')
		at--;
	element = (struct span){ .at = rest->at + at, .len = rest->len - at };
	rest->len = at > 0 ? at - 1 : 0;
	while (element.len > 0 && (*element.at == ' ' || *element.at == '\t')) {
		element.at++;
		element.len--;
	}
	while (element.len > 0 &&
		(element.at[element.len - 1] == ' ' || element.at[element.len - 1] == '\t'))
		element.len--;
	return element;
}

/* One field, from its right end. True: the walk goes on with the field before it. */
static bool walk_field(
	struct span value, const struct forwarded_trust *trusted, struct client_addr *client)
{
	while (value.len > 0) {
		struct client_addr hop;

		if (client_addr_parse(cut_last(&value), &hop) < 0 || client_addr_is_none(&hop))
			return false;
		*client = hop;
		if (!forwarded_trust_has(trusted, &hop))
			return false;
	}
	return true;
}

void forwarded_find_client(const struct client_addr *peer, bool peer_is_https,
	const struct http1_request *req, const struct forwarded_trust *trusted,
	struct client_origin *ret)
{
	bool goes_on = true;
	bool has_proto = false;

	*ret = (struct client_origin){ .addr = *peer, .is_https = peer_is_https };
	if (!forwarded_trust_has(trusted, peer))
		return;
	ret->is_proxied = true;
	for (size_t i = req->n_fields; i > 0; i--) {
		const struct http1_field *field = &req->fields[i - 1];
		struct span value = field->value;

		if (goes_on && span_is_nocase(field->name, "x-forwarded-for"))
			goes_on = walk_field(value, trusted, &ret->addr);
		if (has_proto || !span_is_nocase(field->name, "x-forwarded-proto"))
			continue;
		has_proto = true;
		value = cut_last(&value);
		if (span_is_nocase(value, "https"))
			ret->is_https = true;
		else if (span_is_nocase(value, "http"))
			ret->is_https = false;
	}
}
