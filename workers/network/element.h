/* What HTML's elements mean for a reader. */
#pragma once

enum element_kind {
	EL_OTHER, /* inline, without a meaning for us */
	EL_BASE,
	EL_BLOCK,
	EL_BODY,
	EL_BR,
	EL_CELL,
	EL_CODE,
	EL_EMPHASIS,
	EL_HEAD,
	EL_HEADING,
	EL_IMAGE,
	EL_ITEM,
	EL_LINK,
	EL_LIST,
	EL_MAIN,
	EL_NAV,
	EL_PRE,
	EL_QUOTE,
	EL_ROW,
	EL_RULE,
	EL_SKIP, /* with all that is in it */
	EL_STRIKE,
	EL_STRONG,
	EL_TABLE,
	EL_TERM,
	EL_TITLE,
	EL_KINDS,
};

/* `name` in lower case. */
enum element_kind element_find(const char *name);
