/* How the page writes numbers, durations and latencies, and reads members of the status. Pure. */
#pragma once

#include <jansson.h>

#include "shared/histogram.h"
#include "shared/strbuf.h"

/* Members of an object; "" and 0 where there is none of that type. Texts are borrowed. */
const char *page_text(const json_t *object, const char *name);
bool page_has_number(const json_t *object, const char *name);
json_int_t page_number(const json_t *object, const char *name);
bool page_is_true(const json_t *object, const char *name);

/* "1,234,567" */
void page_add_count(struct strbuf *out, json_int_t n);

/* "under 1 s", "42 s", "7 min", "2 h 5 min", "3 d 4 h": coarse, as an age is read. */
void page_add_age(struct strbuf *out, json_int_t ms);

/* "31.5 MiB" */
void page_add_bytes(struct strbuf *out, json_int_t bytes);

/* Processor time: "0.04 s", "12.3 s", from a minute on as an age. */
void page_add_cpu(struct strbuf *out, json_int_t ms);

/* Within which time the part `share` of all calls was answered: "0.128 ms", "12 ms", "1.2 s"; "–" for none. */
void page_add_latency(struct strbuf *out, const struct histogram *latency, double share);

/* The member "latency" of a domain or process; what is no such list is empty. */
void page_load_latency(const json_t *object, struct histogram *ret);
