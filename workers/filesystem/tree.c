/* Tool code_tree, alias directory_tree: directories level by level, so that a tree that is cut is cut
 * evenly.
 *
 * Nodes stand in one array in the order in which they are found; that is the queue as well, and the
 * children of a node are neighbours. Directories are opened by their path below the start. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/filesystem/attributes.h"
#include "workers/filesystem/choice.h"
#include "workers/filesystem/ignore.h"
#include "workers/filesystem/room.h"
#include "workers/filesystem/shortlist.h"
#include "workers/filesystem/start.h"
#include "workers/filesystem/tools.h"

struct code_tree_args {
	const char *path;
	int64_t max_depth;
	int64_t max_entries;
	struct str_list exclude_patterns;
	bool respect_gitignore;
};

static const struct param code_tree_params[] = {
	PARAM(code_tree_args, path, .def_str = ".", .doc = "Directory."),
	PARAM(code_tree_args, max_depth, RANGE(1, 32), .def_int = 4, .doc = "How deep."),
	PARAM(code_tree_args, max_entries, RANGE(1, 50000), .def_int = 2000,
		.doc = "Stop after this many entries."),
	PARAM(code_tree_args, exclude_patterns, AT_MOST(100),
		.doc = "Globs to leave out, matched against the path relative to path."),
	PARAM(code_tree_args, respect_gitignore, .def_bool = true,
		.doc = "Leave out what .gitignore files exclude."),
	{ 0 },
};

enum {
	ENTRY_BYTES = 60,       /* around a name, in text and structured content, … */
	LEVEL_BYTES = 2,        /* … for each level of its depth */
	JSON_ENTRY_BYTES = 160, /* the same for JSON with its indentation, twice */
	JSON_LEVEL_BYTES = 40,
	LIST_BYTES = 16 * 1024 * 1024, /* of the names of one directory */
	MAX_DEPTH = 32,
};

struct node {
	char *name; /* NULL: the start */
	mode_t type;
	size_t parent;
	int64_t depth; /* of the start: 0 */
	size_t first;  /* its children, among all nodes */
	size_t n;
	bool is_entered;  /* it is known what is in it */
	json_t *children; /* when it was entered: borrowed */
	struct ignore *own_rules;
	const struct ignore *rules;
};

struct tree {
	struct call *call;
	const struct code_tree_args *args;
	struct start start;
	struct choice choice;
	struct room room;
	bool as_json; /* the text of directory_tree */
	struct node *nodes;
	size_t n;
	size_t nodes_size;
	size_t rule_bytes;
	size_t n_seen;
	bool is_full; /* no more entries may be added */
	bool is_cut;  /* there were more */
	bool is_deep; /* there are some below max_depth */
};

/* A record of the shortlist. */
struct found {
	uint32_t type;
	char name[];
};

static void tree_done(struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		free(tree->nodes[i].name);
		ignore_free(tree->nodes[i].own_rules);
	}
	free(tree->nodes);
	start_done(&tree->start);
	choice_done(&tree->choice);
}

static int compare_found(const void *a, const void *b)
{
	const struct found *left = a;
	const struct found *right = b;

	return strcmp(left->name, right->name);
}

static void add_node(struct tree *tree, struct node node)
{
	if (tree->n == tree->nodes_size) {
		tree->nodes_size = tree->nodes_size ? tree->nodes_size * 2 : 64;
		tree->nodes = alloc_resize(tree->nodes, tree->nodes_size, sizeof(*tree->nodes));
	}
	tree->nodes[tree->n++] = node;
}

/* The path of node `i` from the start, with `name` behind it. */
static void node_path(const struct tree *tree, size_t i, const char *name, struct strbuf *ret)
{
	const char *names[MAX_DEPTH + 1];
	size_t n = 0;

	for (; i > 0 && n < N_ELEMENTS(names); i = tree->nodes[i].parent)
		names[n++] = tree->nodes[i].name;
	strbuf_cut(ret, 0);
	while (n > 0)
		strbuf_addf(ret, "%s%s", ret->len > 0 ? "/" : "", names[--n]);
	if (*name)
		strbuf_addf(ret, "%s%s", ret->len > 0 ? "/" : "", name);
}

/* Reading a directory */

/* False: it is gone, or of a kind that is not shown. */
static bool find_type(int dir_fd, const struct dirent *dirent, mode_t *ret)
{
	struct stat st;

	*ret = (mode_t)DTTOIF(dirent->d_type);
	if (dirent->d_type == DT_UNKNOWN) {
		if (fstatat(dir_fd, dirent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		*ret = st.st_mode & S_IFMT;
	}
	return *ret == S_IFDIR || *ret == S_IFREG || *ret == S_IFLNK;
}

static void add_name(struct tree *tree, size_t i, int dir_fd, const struct dirent *dirent,
	struct shortlist *list)
{
	const char *name = dirent->d_name;
	auto_strbuf path = { 0 };
	auto_strbuf record = { 0 };
	struct walk_entry entry = { .name = name };
	struct found found = { 0 };

	if (streq(name, ".") || streq(name, "..") || !find_type(dir_fd, dirent, &entry.type))
		return;
	tree->n_seen++;
	node_path(tree, i, name, &path);
	entry.path = strbuf_get(&path);
	if (ignore_has(tree->nodes[i].rules, entry.path, entry.type == S_IFDIR) ||
		choice_excludes(&tree->choice, &entry))
		return;
	found.type = entry.type;
	strbuf_add(&record, &found, sizeof(found));
	strbuf_adds(&record, name);
	shortlist_add(list, record.data, record.len + 1);
}

/* 0 or -errno; -ECANCELED: the call has to stop. Takes over `fd`. */
static int read_names(struct tree *tree, size_t i, int fd, struct shortlist *list)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *dirent;
	int r = dir ? 0 : -errno;

	if (!dir) {
		(void)fd_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, dirent = readdir(dir))) {
		add_name(tree, i, dirfd(dir), dirent, list);
		call_progress(tree->call, (double)tree->n_seen, 0, NULL);
		r = call_stopped(tree->call) ? -ECANCELED : 0;
	}
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	return r;
}

static void read_rules(struct tree *tree, struct node *node, int fd, size_t path_len)
{
	const struct ignore *above = node->name ? tree->nodes[node->parent].rules : NULL;

	node->rules = above;
	if (!tree->args->respect_gitignore)
		return;
	node->own_rules = ignore_read(above, path_len, fd, &tree->rule_bytes);
	if (node->own_rules)
		node->rules = node->own_rules;
}

static bool take_room(struct tree *tree, const char *name, int64_t depth)
{
	if (tree->as_json)
		return room_take(
			&tree->room, name, JSON_ENTRY_BYTES + JSON_LEVEL_BYTES * (size_t)depth);
	return room_take(&tree->room, name, ENTRY_BYTES + LEVEL_BYTES * (size_t)depth);
}

/* Adds the children that were found, as far as there is room for them. */
static void add_children(struct tree *tree, size_t i, const struct shortlist *list)
{
	const int64_t depth = tree->nodes[i].depth + 1;

	tree->nodes[i].is_entered = true;
	tree->nodes[i].first = tree->n;
	for (size_t k = 0; k < list->n; k++) {
		const struct found *found = shortlist_get(list, k);

		if (!take_room(tree, found->name, depth)) {
			tree->is_full = true;
			tree->is_cut = true;
			return;
		}
		add_node(tree, (struct node){
				       .name = alloc_str(found->name),
				       .type = found->type,
				       .parent = i,
				       .depth = depth,
			       });
		tree->nodes[i].n++;
	}
}

/* Looks into node `i`, at least whether there is anything. 0 or -errno. */
static int enter(struct tree *tree, size_t i)
{
	const size_t left = (size_t)tree->args->max_entries - (tree->n - 1);
	const bool is_too_deep = tree->nodes[i].depth == tree->args->max_depth;
	const bool only_looks = is_too_deep || left == 0;
	auto_(shortlist_done) struct shortlist list = { 0 };
	auto_strbuf path = { 0 };
	int fd;
	int r;

	shortlist_init(&list, compare_found, only_looks ? 1 : left, LIST_BYTES);
	node_path(tree, i, "", &path);
	fd = walk_open(tree->start.fd, strbuf_get(&path), O_RDONLY | O_DIRECTORY | O_NOCTTY);
	if (fd < 0)
		return fd;
	read_rules(tree, &tree->nodes[i], fd, path.len);
	r = read_names(tree, i, fd, &list);
	if (r < 0)
		return r;
	shortlist_sort(&list);
	if (!only_looks) {
		tree->is_cut |= list.is_cut;
		add_children(tree, i, &list);
		return 0;
	}
	tree->nodes[i].is_entered = list.n == 0;
	tree->is_deep |= is_too_deep && list.n > 0;
	tree->is_cut |= !is_too_deep && list.n > 0;
	return 0;
}

static bool may_enter(const struct node *node)
{
	return !node->name || (node->type == S_IFDIR && !streq(node->name, ".git"));
}

/* 0, or negative: the call has failed. Directories that cannot be read are shown without children. */
static int grow(struct tree *tree)
{
	char how_far[64];

	add_node(tree, (struct node){ .type = S_IFDIR });
	for (size_t i = 0; i < tree->n && !tree->is_full; i++) {
		int r = may_enter(&tree->nodes[i]) ? enter(tree, i) : 0;

		/* Once it is cut, what else there is makes no difference. */
		tree->is_full |= tree->is_cut;
		if (r == -ECANCELED) {
			(void)snprintf(
				how_far, sizeof(how_far), "%zu entries were found", tree->n - 1);
			(void)call_fail_stopped(tree->call, how_far);
			return -1;
		}
		if (r < 0 && i == 0) {
			(void)paths_fail(tree->call, tree->args->path, r);
			return -1;
		}
	}
	return 0;
}

/* Showing */

static const char *type_name(mode_t type)
{
	return attributes_type(&(const struct stat){ .st_mode = type });
}

/* All nodes below the start as nested arrays: parents stand before their children. */
static json_t *make_json(struct tree *tree)
{
	json_t *all = json_array();

	tree->nodes[0].children = all;
	for (size_t i = 1; i < tree->n; i++) {
		struct node *node = &tree->nodes[i];
		json_t *json = json_pack("{s:o, s:s}", "name", paths_json(node->name), "type",
			type_name(node->type));

		if (node->is_entered) {
			node->children = json_array();
			(void)json_object_set_new(json, "children", node->children);
		}
		(void)json_array_append_new(tree->nodes[node->parent].children, json);
	}
	return all;
}

static void add_line(const struct node *node, struct strbuf *out)
{
	strbuf_addf(out, "%*s", (int)(2 * node->depth), "");
	paths_show(out, node->name);
	if (node->type == S_IFDIR)
		strbuf_adds(out, node->is_entered ? "/\n" : "/ …\n");
	else
		strbuf_adds(out, node->type == S_IFLNK ? "@\n" : "\n");
}

/* Each node before its children, without recursion: `next` says for each level how far it is. */
static void add_outline(const struct tree *tree, struct strbuf *out)
{
	size_t next[MAX_DEPTH + 1];
	size_t end[MAX_DEPTH + 1];
	size_t level = 0;

	next[0] = tree->nodes[0].first;
	end[0] = next[0] + tree->nodes[0].n;
	for (;;) {
		const struct node *node;

		if (next[level] == end[level]) {
			if (level-- == 0)
				return;
			continue;
		}
		node = &tree->nodes[next[level]++];
		add_line(node, out);
		if (node->n > 0) {
			level++;
			next[level] = node->first;
			end[level] = node->first + node->n;
		}
	}
}

static void add_text(struct tree *tree, struct strbuf *text)
{
	paths_show(text, start_path(&tree->start, ""));
	strbuf_adds(text, strbuf_get(text)[text->len - 1] == '/' ? "\n" : "/\n");
	add_outline(tree, text);
	if (tree->is_cut)
		strbuf_addf(text,
			"… cut after %zu entries. Ask with a greater max_entries (at most 50000), or "
			"for one of the directories.",
			tree->n - 1);
	else if (tree->is_deep)
		strbuf_addf(text,
			"… there is more below level %lld. Ask with a greater max_depth (at most 32), "
			"or for one of the directories.",
			(long long)tree->args->max_depth);
	else
		strbuf_cut(text, text->len - 1);
}

/* JSON as the reference server has it. Only a node can say there that the tree is cut. */
static void add_json_text(const struct tree *tree, json_t *json, struct strbuf *text)
{
	char *dumped;

	if (tree->is_cut || tree->is_deep)
		(void)json_array_append_new(
			json, json_pack("{s:s, s:s}", "name",
				      "… there is more: ask for a directory", "type", "truncated"));
	dumped = json_dumps(json, JSON_INDENT(2));
	strbuf_adds(text, dumped ? dumped : "");
	free(dumped);
}

static int answer(struct tree *tree)
{
	json_t *json = make_json(tree);
	auto_strbuf text = { 0 };

	if (tree->as_json)
		add_json_text(tree, json, &text);
	else
		add_text(tree, &text);
	return call_result(tree->call,
		json_pack("{s:o, s:o, s:I, s:b}", "path", paths_json(start_path(&tree->start, "")),
			"tree", json, "entries", (json_int_t)(tree->n - 1), "truncated",
			tree->is_cut || tree->is_deep),
		strbuf_get(&text), text.len);
}

static int code_tree(struct call *call, const void *args)
{
	const struct code_tree_args *a = args;
	auto_(tree_done) struct tree tree = {
		.call = call,
		.args = a,
		.room = room_of(call),
		.as_json = call_is_alias(call, "directory_tree"),
	};

	if (!choice_read(call, "exclude_patterns", NULL, &a->exclude_patterns, &tree.choice) ||
		!start_open(call, a->path, false, &tree.start) || grow(&tree) < 0)
		return 0;
	return answer(&tree);
}

const struct tool filesystem_tree_tools[] = {
	TOOL(code_tree, "Directory tree", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "The tree under a directory: level by level, so that a cut tree is even. "
		       "Symlinks are shown, not followed; .git is not entered.",
		.out = "path string, tree {name string, type string, children? any[]}[], "
		       "entries integer, truncated boolean"),
	{ 0 },
};
