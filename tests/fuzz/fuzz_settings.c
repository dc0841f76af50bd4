/* Any bytes as a settings file: either a whole set that keeps its promises, or one line of words. Two
 * texts with a line "%%" between them are merged as well, like fleet.yaml and a drop-in. */
#include <errno.h>
#include <jansson.h>

#include "supervisor/conf.h"
#include "supervisor/conf_yaml.h"
#include "tests/fuzz/fuzz.h"

static char *no_environment(const char *name)
{
	return NULL;
}

static void check_words(const struct fail *fail, int r)
{
	CHECK(r < 0 && fail->code == r);
	CHECK(fail->text[0] != '\0');
	for (const char *c = fail->text; *c; c++)
		CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_domain(const struct conf_domain *domain)
{
	json_t *settings;

	CHECK(!domain->native == (domain->command.n > 0));
	CHECK(domain->processes_min >= 1 && domain->processes_max >= domain->processes_min);
	CHECK(domain->restart_cap_ms >= domain->restart_first_ms);
	CHECK(!domain->native == !domain->settings_json);
	if (!domain->native)
		return;
	settings = json_loads(domain->settings_json, 0, NULL);
	CHECK(json_is_object(settings));
	CHECK(!json_object_get(settings, "roots") == (domain->roots.n == 0));
	json_decref(settings);
}

static void check_conf(const struct conf *conf)
{
	struct conf_diff diff;

	CHECK(conf->n_listeners >= 1 && conf->n_domains >= 1);
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *listener = &conf->listeners[i];

		CHECK(conf_may_listen_on(conf, &listener->sockaddr));
		CHECK(!listener->domain || conf_find_domain(conf, listener->domain));
	}
	CHECK(conf->tools.max_result_bytes < conf->limits.session_queue_bytes);
	for (size_t i = 0; i < conf->n_domains; i++) {
		CHECK(i == 0 || strcmp(conf->domains[i - 1].name, conf->domains[i].name) < 0);
		check_domain(&conf->domains[i]);
	}
	conf_diff(conf, conf, &diff);
	CHECK(diff.keys.n == 0 && diff.n_domains == 0);
	conf_diff_done(&diff);
}

static void check_load(const char *bytes, size_t len)
{
	static const char *const roots[] = { "/" };
	const struct conf_sources src = { .roots = roots, .n_roots = 1, .get_env = no_environment };
	auto_(conf_freep) struct conf *conf = NULL;
	struct fail fail = { 0 };
	int r = conf_load_text(&src, "fuzz.yaml", bytes, len, &conf, &fail);

	if (r < 0) {
		CHECK(!conf);
		check_words(&fail, r);
		return;
	}
	check_conf(conf);
}

static size_t count_nodes(const struct conf_node *node, unsigned depth)
{
	size_t n = 1;

	CHECK(depth <= CONF_YAML_MAX_DEPTH && node->n <= (size_t)2 * CONF_YAML_MAX_ITEMS);
	CHECK(!node->text == (node->kind != CONF_NODE_TEXT));
	for (size_t i = 0; i < node->n; i++)
		n += count_nodes(node->items[i], depth + 1);
	return n;
}

static void check_merge(const char *bytes, size_t len)
{
	const char *mark = memmem(bytes, len, "\n%%\n", 4);
	size_t first = mark ? (size_t)(mark - bytes) : 0;
	auto_(conf_node_freep) struct conf_node *base = NULL;
	auto_(conf_node_freep) struct conf_node *over = NULL;
	size_t n;

	if (!mark || conf_yaml_read("a", bytes, first, &base, NULL) < 0 ||
		conf_yaml_read("b", mark + 4, len - first - 4, &over, NULL) < 0)
		return;
	n = count_nodes(base, 0) + count_nodes(over, 0);
	conf_node_merge(base, TAKE(over));
	CHECK(count_nodes(base, 0) < n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *bytes = fuzz_copy(data, size);

	check_load(bytes, size);
	check_merge(bytes, size);
	return 0;
}
