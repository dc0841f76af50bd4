/* See element.h. Source: HTML Living Standard, section 4, and 16.2 for what is obsolete. */
#include "workers/network/element.h"

#include "shared/cleanup.h"

struct element {
	const char *name;
	enum element_kind kind;
};

/* Sorted by name. Elements of links to other media, and those whose content is for programs, are
 * skipped. */
/* clang-format off */
static const struct element elements[] = {
	{ "a", EL_LINK }, { "address", EL_BLOCK }, { "article", EL_MAIN }, { "aside", EL_BLOCK },
	{ "b", EL_STRONG }, { "base", EL_BASE }, { "blockquote", EL_QUOTE }, { "body", EL_BODY },
	{ "br", EL_BR }, { "canvas", EL_SKIP }, { "caption", EL_BLOCK }, { "center", EL_BLOCK },
	{ "code", EL_CODE }, { "dd", EL_ITEM }, { "del", EL_STRIKE }, { "details", EL_BLOCK },
	{ "dialog", EL_BLOCK }, { "dir", EL_LIST }, { "div", EL_BLOCK }, { "dl", EL_BLOCK },
	{ "dt", EL_TERM }, { "em", EL_EMPHASIS }, { "fieldset", EL_BLOCK },
	{ "figcaption", EL_BLOCK }, { "figure", EL_BLOCK }, { "footer", EL_BLOCK },
	{ "form", EL_BLOCK }, { "h1", EL_HEADING }, { "h2", EL_HEADING }, { "h3", EL_HEADING },
	{ "h4", EL_HEADING }, { "h5", EL_HEADING }, { "h6", EL_HEADING }, { "head", EL_HEAD },
	{ "header", EL_BLOCK }, { "hgroup", EL_BLOCK }, { "hr", EL_RULE }, { "i", EL_EMPHASIS },
	{ "iframe", EL_SKIP }, { "img", EL_IMAGE }, { "kbd", EL_CODE }, { "legend", EL_BLOCK },
	{ "li", EL_ITEM }, { "listing", EL_PRE }, { "main", EL_MAIN }, { "menu", EL_LIST },
	{ "nav", EL_NAV }, { "noembed", EL_SKIP }, { "noframes", EL_SKIP },
	{ "noscript", EL_SKIP }, { "ol", EL_LIST }, { "optgroup", EL_BLOCK },
	{ "option", EL_BLOCK }, { "p", EL_BLOCK }, { "plaintext", EL_PRE }, { "pre", EL_PRE },
	{ "s", EL_STRIKE }, { "samp", EL_CODE }, { "script", EL_SKIP }, { "search", EL_BLOCK },
	{ "section", EL_BLOCK }, { "strike", EL_STRIKE }, { "strong", EL_STRONG },
	{ "style", EL_SKIP }, { "summary", EL_BLOCK }, { "svg", EL_SKIP }, { "table", EL_TABLE },
	{ "td", EL_CELL }, { "template", EL_SKIP }, { "th", EL_CELL }, { "title", EL_TITLE },
	{ "tr", EL_ROW }, { "tt", EL_CODE }, { "ul", EL_LIST }, { "xmp", EL_PRE },
};
/* clang-format on */

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct element *)entry)->name);
}

enum element_kind element_find(const char *name)
{
	const struct element *element =
		bsearch(name, elements, N_ELEMENTS(elements), sizeof(elements[0]), compare_name);

	return element ? element->kind : EL_OTHER;
}
