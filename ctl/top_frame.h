/* What `top` prints of a view: a text for a screen or a pipe, or JSON. */
#pragma once

#include "ctl/load.h"
#include "ctl/verb.h"
#include "shared/strbuf.h"

struct top_frame {
	size_t columns, rows; /* 0: not on a screen, nothing is cut */
	int64_t interval_ms;
	int64_t silent_ms; /* the daemon has told nothing for so long; 0: it tells */
	enum load_order order;
};

/* Appends lines; not more than `rows`. */
void top_frame_render(const struct ctl *ctl, const json_t *status, const struct load_view *view,
	const struct top_frame *frame, struct strbuf *out);

/* One snapshot; what is not known is null. */
json_t *top_frame_json(const json_t *status, const struct load_view *view);
