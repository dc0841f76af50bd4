/* Settings as an operator meets them: files, drop-ins, environment, command line, in a folder of
 * their own which is the current directory, so that messages name "fleet.yaml". */
#include "supervisor/conf.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "supervisor/conf_decode.h"
#include "supervisor/conf_type.h"

static char folder[] = "/tmp/test_conf.XXXXXX";
static char real_folder[PATH_MAX];
static const char *const *environment; /* pairs, NULL at the end; NULL: empty */

static char *fake_env(const char *name)
{
	for (const char *const *pair = environment; pair && *pair; pair += 2) {
		char *value;

		if (!streq(pair[0], name))
			continue;
		memcpy(&value, &pair[1], sizeof(value));
		return value;
	}
	return NULL;
}

static void write_bytes(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static int setup_folder(void **state)
{
	if (!mkdtemp(folder) || chdir(folder) < 0 || !realpath(".", real_folder))
		return -1;
	return mkdir("conf.d", 0755) || mkdir("one", 0755) || mkdir("two", 0755) ||
	       mkdir("bad\xff", 0755);
}

static int teardown_folder(void **state)
{
	return rmdir("bad\xff") || rmdir("two") || rmdir("one") || rmdir("conf.d") ||
	       unlink("fleet.yaml") || chdir("/") || rmdir(folder);
}

/* Every test starts with neither drop-ins nor environment. */
static int setup_test(void **state)
{
	environment = NULL;
	write_file("fleet.yaml", "");
	return 0;
}

static int teardown_test(void **state)
{
	DIR *dir = opendir("conf.d");
	const struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' || entry->d_name[1] == 'h')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	return closedir(dir);
}

static struct conf_sources sources(void)
{
	return (struct conf_sources){ .path = "fleet.yaml", .get_env = fake_env };
}

static struct conf *load(const struct conf_sources *src)
{
	struct conf *conf = NULL;
	struct fail fail = { 0 };

	if (conf_load(src, &conf, &fail) < 0)
		fail_msg("%s", fail.text);
	assert_non_null(conf);
	return conf;
}

static struct conf *load_text(const char *text)
{
	struct conf_sources src = sources();

	write_file("fleet.yaml", text);
	return load(&src);
}

static void expect_failure(const struct conf_sources *src, int error, const char *words)
{
	struct conf *conf = NULL;
	struct fail fail = { 0 };
	int r = conf_load(src, &conf, &fail);

	if (r >= 0)
		fail_msg("no error, expected: %s", words);
	assert_null(conf);
	assert_string_equal(fail.text, words);
	assert_int_equal(r, error);
	assert_int_equal(fail.code, error);
	/* Who wants no words gets the same answer. */
	assert_int_equal(conf_load(src, &conf, NULL), error);
}

/* The value of a key as JSON: "limits.sessions", "domains.git.queue". */
static char *value_of(const struct conf *conf, const char *path)
{
	const void *owner = conf;
	auto_free char *common = NULL;
	const struct conf_key *found = NULL;
	json_t *json;
	char *text;

	if (strncmp(path, "domains.", 8) == 0) {
		auto_free char *name = alloc_mem(path + 8, strcspn(path + 8, "."));

		owner = conf_find_domain(conf, name);
		assert_non_null(owner);
		common = alloc_printf("domains.*%s", path + 8 + strlen(name));
	}
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (streq(key->path, path) || (!found && common && streq(key->path, common)))
			found = key;
	}
	assert_non_null(found);
	json = conf_key_json(found, owner);
	text = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	return text;
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		const char *key;
		const char *json;
	} cases[] = {
		/* Nothing written, and sections whose keys are commented out. */
		{ "", "limits.sessions", "1000" },
		{ "# only a comment\n", "limits.sweep", "300000" },
		{ "---\n...\n", "sse.heartbeat", "15000" },
		{ "~\n", "drain", "10000" },
		{ "\xef\xbb\xbf"
		  "drain: 1s\n",
			"drain", "1000" },
		{ "limits:\ndomains:\n", "limits.connections", "4096" },
		{ "domains:\n  git:\n  utils:\n", "domains.git.queue", "4096" },
		{ "domains: {git: {processes: }}", "domains.git.processes.min", "1" },
		/* Numbers, sizes, durations, at the ends of their ranges. */
		{ "limits: {sessions: 1}", "limits.sessions", "1" },
		{ "limits: {sessions: 100000}", "limits.sessions", "100000" },
		{ "limits: {sessions: \"12\"}", "limits.sessions", "12" },
		{ "limits: {request_bytes: 64KiB}", "limits.request_bytes", "65536" },
		{ "limits: {request_bytes: 2048}", "limits.request_bytes", "2048" },
		{ "limits: {request_bytes: 5MB}", "limits.request_bytes", "5000000" },
		{ "limits: {session_idle: 1h30m}", "limits.session_idle", "5400000" },
		{ "limits: {session_idle: 30d}", "limits.session_idle", "2592000000" },
		{ "limits: {header_timeout: 250ms}", "limits.header_timeout", "250" },
		{ "sse: {heartbeat: 50ms}", "sse.heartbeat", "50" },
		{ "drain: 0s", "drain", "0" },
		/* Choices. */
		{ "log: {level: debug}", "log.level", "\"debug\"" },
		{ "log: {format: json}", "log.format", "\"json\"" },
		{ "tools: {aliases: off}", "tools.aliases", "\"off\"" },
		{ "tools: {aliases: \"listed\"}", "tools.aliases", "\"listed\"" },
		{ "auth: none", "auth.mode", "\"none\"" },
		/* Texts and lists. */
		{ "tools: {federation_prefix: sanctuary}", "tools.federation_prefix",
			"\"sanctuary\"" },
		{ "tools: {page_size: 10}", "tools.page_size", "10" },
		{ "domains: {git: {user_name: 007}}", "domains.git.user_name", "\"007\"" },
		{ "domains: {git: {user_name: J\xc3\xb6rg}}", "domains.git.user_name",
			"\"J\xc3\xb6rg\"" },
		{ "domains: {git: {protected_branches: []}}", "domains.git.protected_branches",
			"[]" },
		{ "domains: {git: {protected_branches: [a, b/c]}}",
			"domains.git.protected_branches", "[\"a\", \"b/c\"]" },
		{ "domains: {git: {allowed_protocols: [file]}}", "domains.git.allowed_protocols",
			"[\"file\"]" },
		{ "domains: {git: {enforce_protected: true}}", "domains.git.enforce_protected",
			"true" },
		{ "domains: {git: {tools: {allow: [\"git_*\"], deny: [git_push]}}}",
			"domains.git.tools.deny", "[\"git_push\"]" },
		{ "domains: {git: {command: []}}", "domains.git.command", "[]" },
		/* Defaults that differ, and defaults that are computed. */
		{ "", "domains.git.call_timeout", "60000" },
		{ "", "domains.utils.call_timeout", "5000" },
		{ "domains: {utils: {call_timeout: 1s}}", "domains.utils.call_timeout", "1000" },
		{ "", "domains.git.processes.max", "4" },
		{ "domains: {git: {processes: {min: 6}}}", "domains.git.processes.max", "6" },
		{ "domains: {git: {processes: {max: 2}}}", "domains.git.processes.max", "2" },
		{ "domains: {x: {command: [srv]}}", "domains.x.processes.max", "1" },
		{ "domains: {x: {command: [srv], isolation: session}}", "domains.x.processes.max",
			"64" },
		{ "domains: {x: {command: [srv], cwd: /srv}}", "domains.x.cwd", "\"/srv\"" },
		{ "domains: {git: {start: lazy, idle_stop: 5m}}", "domains.git.idle_stop",
			"300000" },
		{ "domains: {x: {command: [srv], processes: {max: 3}}}", "domains.x.processes.max",
			"3" },
		{ "domains: {x: {command: [srv, \"\"], concurrency: 8}}", "domains.x.command",
			"[\"srv\", \"\"]" },
		{ "domains: {x: {command: [srv], concurrency: 8}}", "domains.x.concurrency", "8" },
		{ "domains: {net: {command: [/srv/net]}}", "domains.net.command",
			"[\"/srv/net\"]" },
		{ "domains: {x: {url: \"https://h/mcp\"}}", "domains.x.url", "\"https://h/mcp\"" },
		{ "domains: {x: {url: \"https://h/mcp\"}}", "domains.x.concurrency", "16" },
		{ "domains: {x: {url: \"https://h/mcp\", concurrency: 1}}", "domains.x.concurrency",
			"1" },
		{ "domains: {x: {url: \"https://h/mcp\"}}", "domains.x.processes.max", "1" },
		{ "domains: {x: {url: \"https://h/mcp\", transport: sse}}", "domains.x.transport",
			"\"sse\"" },
		{ "", "domains.git.required", "true" },
		{ "domains: {git: {required: false}}", "domains.git.required", "false" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_(conf_freep) struct conf *conf = load_text(cases[i].text);
		auto_free char *json = value_of(conf, cases[i].key);

		if (!streq(json, cases[i].json))
			fail_msg("%s of '%s' is %s", cases[i].key, cases[i].text, json);
	}
}

struct bad_case {
	const char *text;
	const char *words;
};

static void check_bad(const struct bad_case *cases, size_t n)
{
	struct conf_sources src = sources();

	for (size_t i = 0; i < n; i++) {
		write_file("fleet.yaml", cases[i].text);
		expect_failure(&src, -EINVAL, cases[i].words);
	}
}

static void test_bad_yaml(void **state)
{
	static const struct bad_case cases[] = {
		{ "limits: {", "fleet.yaml:2:1: not YAML: while parsing a flow node, did not find "
			       "expected node content" },
		{ "a:\n\tb: 1\n",
			"fleet.yaml:2:1: not YAML: while scanning for the next token, found "
			"character that cannot start any token" },
		{ "drain: 'x\n", "fleet.yaml:2:1: not YAML: while scanning a quoted scalar, found "
				 "unexpected end of stream" },
		{ "drain: 1s\nlog: {level: \xff}\n",
			"fleet.yaml:2:14: invalid leading UTF-8 octet" },
		{ "a: \xed\xa0\x80\n", "fleet.yaml:1:4: invalid Unicode character" },
		{ "a: \xc3", "fleet.yaml:1:4: incomplete UTF-8 octet sequence" },
		{ "a: \x01\n", "fleet.yaml:1:4: control characters are not allowed" },
		{ "drain: \"\\0\"\n", "fleet.yaml:1:8: a NUL character is not allowed" },
		{ "log: &a {level: info}\n",
			"fleet.yaml:1:6: anchors and aliases (&, *) are not allowed here" },
		{ "log: *a\n", "fleet.yaml:1:6: anchors and aliases (&, *) are not allowed here" },
		{ "drain: !!str 5s\n", "fleet.yaml:1:8: tags (!) are not allowed here" },
		{ "log: !map {}\n", "fleet.yaml:1:6: tags (!) are not allowed here" },
		{ "drain: 1s\n---\ndrain: 2s\n",
			"fleet.yaml:2:1: a second document (---) is not allowed" },
		{ "drain: 1s\nlog: {}\ndrain: 2s\n",
			"fleet.yaml:3:1: the key 'drain' stands here a second time, the first is in "
			"line 1" },
		{ "[]", "fleet.yaml:1:1: settings are a mapping (key: value)" },
		{ "5s", "fleet.yaml:1:1: settings are a mapping (key: value)" },
		{ "? [a]\n: b\n", "fleet.yaml:1:3: a key must be a text" },
		{ "a: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
			"fleet.yaml:1:19: more than 16 levels of mappings and lists" },
	};

	check_bad(cases, N_ELEMENTS(cases));
}

static void test_bad_keys(void **state)
{
	static const struct bad_case cases[] = {
		{ "limits:\n  sesions: 5\n",
			"fleet.yaml:2:3: limits.sesions: unknown key; did you mean 'sessions'?" },
		{ "limit: {}\n", "fleet.yaml:1:1: limit: unknown key; did you mean 'limits'?" },
		{ "domain: {}\n", "fleet.yaml:1:1: domain: unknown key; did you mean 'domains'?" },
		{ "qqqqqqq: 1\n",
			"fleet.yaml:1:1: qqqqqqq: unknown key; known here are auth, tls, http, listen, "
			"local, control, gateway, admin, audit, otlp, limits, sse, drain, state_dir, log, tools, sandbox, domains" },
		{ "sse: {pings: 1s}\n", "fleet.yaml:1:7: sse.pings: unknown key; known here are "
					"heartbeat" },
		{ "limits.sessions: 5\n",
			"fleet.yaml:1:1: limits.sessions: unknown key; known here "
			"are auth, tls, http, listen, local, control, gateway, admin, audit, otlp, limits, sse, drain, state_dir, log, tools, "
			"sandbox, domains" },
		{ "domains: {git: {processes: {mix: 1}}}\n",
			"fleet.yaml:1:29: domains.git.processes.mix: unknown key; did you mean "
			"'min'?" },
		{ "domains: {utils: {feature_prefix: x}}\n",
			"fleet.yaml:1:19: domains.utils.feature_prefix: unknown key; known here are "
			"command, url, headers_file, ca_file, transport, env, env_file, cwd, isolation, start, idle_stop, required, concurrency, processes, "
			"queue, queue_bytes, start_timeout, cancel_grace, health, protocol, max_line, "
			"idle_shrink, restart, names, tools, sandbox, call_timeout" },
		{ "domains: {x: {command: [y], roots: [.]}}\n",
			"fleet.yaml:1:29: domains.x.roots: unknown key; did you mean 'tools'?" },
		{ "\"a\\nb\": 1\n",
			"fleet.yaml:1:1: a?b: unknown key; known here are auth, tls, http, listen, "
			"local, control, gateway, admin, audit, otlp, limits, sse, drain, state_dir, log, tools, sandbox, domains" },
	};

	check_bad(cases, N_ELEMENTS(cases));
}

static void test_bad_values(void **state)
{
	static const struct bad_case cases[] = {
		{ "limits: {sessions: 0}", "fleet.yaml:1:20: limits.sessions: 0 is out of range: "
					   "allowed are 1 to 100000" },
		{ "limits: {sessions: 99999999999999999999}",
			"fleet.yaml:1:20: limits.sessions: 99999999999999999999 is out of range: "
			"allowed are 1 to 100000" },
		{ "limits: {sessions: 1.5}",
			"fleet.yaml:1:20: limits.sessions: '1.5' is not a whole number" },
		{ "limits: {sessions: }", "fleet.yaml:1:10: limits.sessions: has no value: give a "
					  "whole number, or leave the key out" },
		{ "limits: {sessions: [1]}",
			"fleet.yaml:1:20: limits.sessions: a list is not a whole number" },
		{ "limits: {sessions: {}}",
			"fleet.yaml:1:20: limits.sessions: a mapping is not a whole number" },
		{ "limits: 5", "fleet.yaml:1:9: limits: '5' is not a mapping of keys and values" },
		{ "limits: {session_idle: 60}",
			"fleet.yaml:1:24: limits.session_idle: '60' is not a duration with its unit, "
			"such as 250ms, 15s, 5m, 1h30m or 2d" },
		{ "limits: {session_idle: 31d}",
			"fleet.yaml:1:24: limits.session_idle: 31d is out of "
			"range: allowed are 100ms to 30d" },
		{ "limits: {request_bytes: 4M}",
			"fleet.yaml:1:25: limits.request_bytes: '4M' is not a size such as 512, "
			"64KiB, 4MiB or 1GiB" },
		{ "limits: {request_bytes: 1}",
			"fleet.yaml:1:25: limits.request_bytes: 1 is out of "
			"range: allowed are 1KiB to 64MiB" },
		{ "log: {level: loud}", "fleet.yaml:1:14: log.level: 'loud' is not one of debug, "
					"info, notice, warning, error" },
		{ "auth: token",
			"fleet.yaml:1:7: auth: 'token' is not one of unset, none, required" },
		{ "tools: {aliases: false}",
			"fleet.yaml:1:18: tools.aliases: 'false' is not one of "
			"off, hidden, listed" },
		{ "tools: {federation_prefix: A.b}",
			"fleet.yaml:1:28: tools.federation_prefix: 'A.b' is not a small letter, then "
			"small letters, digits and _" },
		{ "tools: {federation_prefix: aaaaaaaaaabbbbbbbbbbccccccccccddd}",
			"fleet.yaml:1:28: tools.federation_prefix: 33 bytes are out of range: allowed "
			"are 0 to 32" },
		{ "tools: {federation_prefix: }",
			"fleet.yaml:1:9: tools.federation_prefix: has no value: give a text, or leave "
			"the key out" },
		{ "tools: {max_result_bytes: 8MiB}",
			"fleet.yaml:1:27: tools.max_result_bytes: tools.max_result_bytes (8MiB) must "
			"be below limits.session_queue_bytes (8MiB), or an answer could never be "
			"sent" },
		{ "limits: {session_queue_bytes: 1MiB}",
			"fleet.yaml:1:31: limits.session_queue_bytes: tools.max_result_bytes (6MiB) "
			"must be below limits.session_queue_bytes (1MiB), or an answer could never be "
			"sent" },
		{ "domains: {git: {required: yes}}",
			"fleet.yaml:1:27: domains.git.required: 'yes' is not true or false" },
		{ "domains: {git: {required: \"true\"}}",
			"fleet.yaml:1:27: domains.git.required: 'true' is not true or false" },
		{ "domains: {git: {protected_branches: main}}",
			"fleet.yaml:1:37: domains.git.protected_branches: 'main' is not a list of "
			"texts, such as [one, two]" },
		{ "domains: {git: {protected_branches: [-f]}}",
			"fleet.yaml:1:38: domains.git.protected_branches: '-f' is not a branch's "
			"name" },
		{ "domains: {git: {protected_branches: [[a]]}}",
			"fleet.yaml:1:38: domains.git.protected_branches: a list is not a text" },
		{ "domains: {git: {allowed_protocols: [http]}}",
			"fleet.yaml:1:37: domains.git.allowed_protocols: 'http' is not https, ssh or "
			"file" },
		{ "domains: {git: {allowed_protocols: [https, ssh, file, ssh]}}",
			"fleet.yaml:1:36: domains.git.allowed_protocols: 4 entries are out of range: "
			"allowed are 0 to 3" },
		{ "domains: {git: {user_name: \"a<b\"}}",
			"fleet.yaml:1:28: domains.git.user_name: 'a<b' is not one line without < and "
			">" },
		{ "domains: {git: {credentials_file: x}}",
			"fleet.yaml:1:35: domains.git.credentials_file: 'x' is not an absolute path" },
		{ "domains: {git: {tools: {allow: [\"a b\"]}}}",
			"fleet.yaml:1:33: domains.git.tools.allow: 'a b' is not a tool's name with * "
			"and ?" },
	};

	check_bad(cases, N_ELEMENTS(cases));
}

static void test_bad_domains(void **state)
{
	static const struct bad_case cases[] = {
		{ "domains: [git]", "fleet.yaml:1:10: domains: a mapping of names and settings is "
				    "expected, such as git: {}" },
		{ "domains: {}",
			"fleet.yaml:1:10: domains: no domain: leave the key out to have filesystem, "
			"git, network and utils" },
		{ "domains: {git: [a]}",
			"fleet.yaml:1:16: domains: git is not a mapping of keys and values" },
		{ "domains: {Git: {}}",
			"fleet.yaml:1:11: domains: 'Git' is not a domain's name: allowed are small "
			"letters, digits and -, a letter first, at most 32" },
		{ "domains: {aaaaaaaaaabbbbbbbbbbccccccccccddd: {}}",
			"fleet.yaml:1:11: domains: 'aaaaaaaaaabbbbbbbbbbccccccccccddd' is not a "
			"domain's name: allowed are small letters, digits and -, a letter first, at "
			"most 32" },
		{ "domains: {\"\": {}}",
			"fleet.yaml:1:11: domains: '' is not a domain's name: allowed are small "
			"letters, digits and -, a letter first, at most 32" },
		{ "domains: {mcp: {command: [x]}}",
			"fleet.yaml:1:11: domains: 'mcp' cannot be a domain: /mcp is an endpoint of "
			"the whole fleet" },
		{ "domains: {gti: {}}",
			"fleet.yaml:1:11: domains.gti: no command or url, and no worker of this name is "
			"built in; did you mean 'git'?" },
		{ "domains: {cortex: {}}",
			"fleet.yaml:1:11: domains.cortex: no command or url, and no worker of this name is "
			"built in (git, filesystem, network, utils are): give command: [PROGRAM, ARGUMENT], "
			"or url: URL" },
		{ "domains: {git: {url: \"http://h/\"}}",
			"fleet.yaml:1:17: domains.git: this worker is built in: give a remote server "
			"another name" },
		{ "domains: {x: {command: [y], url: \"http://h/\"}}",
			"fleet.yaml:1:29: domains.x: there is a command too: a domain is served by one "
			"of them" },
		{ "domains: {x: {url: \"ftp://h/\"}}",
			"fleet.yaml:1:20: domains.x.url: 'ftp://h/' is not http://HOST/PATH or "
			"https://HOST/PATH, without a user name" },
		{ "domains: {x: {command: [y], headers_file: /h}}",
			"fleet.yaml:1:43: domains.x.headers_file: there is no url that it could be for: "
			"leave it out" },
		{ "domains: {x: {command: [y], ca_file: /h}}",
			"fleet.yaml:1:38: domains.x.ca_file: there is no url that it could be for: leave "
			"it out" },
		{ "domains: {utils: {transport: sse}}",
			"fleet.yaml:1:30: domains.utils.transport: there is no url that it could be for: "
			"leave it out" },
		{ "domains: {x: {url: \"http://h/\", sandbox: strict}}",
			"domains.x.sandbox.profile: a domain with a url has a profile of "
			"its own: leave the key out, or say none to switch it off" },
		{ "domains: {git: {command: [x]}}",
			"fleet.yaml:1:17: domains.git: this worker is built in: give an external "
			"server another name" },
		{ "domains: {x: {command: \"srv --stdio\"}}",
			"fleet.yaml:1:24: domains.x.command: 'srv --stdio' is not a list of texts, "
			"such as [one, two]" },
		{ "domains: {x: {command: [\"\"]}}",
			"fleet.yaml:1:24: domains.x.command: the program's name is empty" },
		{ "domains: {x: {command: [./srv]}}",
			"fleet.yaml:1:24: domains.x.command: './srv' is neither an absolute path nor a "
			"name to look up in PATH" },
		{ "domains: {git: {processes: {min: 5, max: 4}}}",
			"fleet.yaml:1:42: domains.git.processes.max: 4 is below processes.min, which "
			"is 5" },
		{ "domains: {git: {concurrency: 2}}",
			"fleet.yaml:1:30: domains.git.concurrency: a worker that is built in serves "
			"one call at a time: raise processes.max instead" },
		{ "domains: {git: {isolation: session}}",
			"fleet.yaml:1:28: domains.git.isolation: a worker that is built in keeps "
			"nothing between calls: leave the key out, or say shared" },
		{ "domains: {git: {cwd: /srv}}",
			"fleet.yaml:1:22: domains.git.cwd: a worker that is built in has no use for it: "
			"leave the key out, or give roots" },
		{ "domains: {x: {command: [y], cwd: srv}}",
			"fleet.yaml:1:34: domains.x.cwd: 'srv' is not an absolute path" },
		{ "domains: {git: {protocol: modern}}",
			"fleet.yaml:1:27: domains.git.protocol: a worker that is built in has one "
			"protocol: leave the key out" },
		{ "domains: {git: {max_line: 1MiB}}",
			"fleet.yaml:1:27: domains.git.max_line: a worker that is built in has a "
			"limit of its own, which tools.max_result_bytes moves: leave the key out" },
		{ "domains: {git: {restart: {first: 10s, cap: 1s}}}",
			"fleet.yaml:1:44: domains.git.restart.cap: is below restart.first" },
		{ "domains: {git: {restart: {first: 1m}}}",
			"domains.git.restart.cap: is below restart.first" },
		{ "domains: {x: {command: [y], env: {1A: x}}}",
			"fleet.yaml:1:35: domains.x.env: '1A' is not a variable's name: letters, "
			"digits and _, no digit first" },
		{ "domains: {x: {command: [y], env: {A: }}}",
			"fleet.yaml:1:35: domains.x.env: A has no text as its value: write \"\" for an "
			"empty one" },
		{ "domains: {x: {command: [y], env: [A]}}",
			"fleet.yaml:1:34: domains.x.env: a list is not a mapping of names and values, "
			"such as {MODE: fast}" },
		{ "domains: {git: {roots: []}}",
			"fleet.yaml:1:24: domains.git.roots: 0 entries are "
			"out of range: allowed are 1 to 64" },
		{ "domains: {git: {roots: one}}",
			"fleet.yaml:1:24: domains.git.roots: 'one' is not a list of directories, such "
			"as [/srv/repos]" },
		{ "domains: {git: {roots: [none]}}",
			"fleet.yaml:1:25: domains.git.roots: 'none': No such file or directory" },
		{ "domains: {git: {roots: [fleet.yaml]}}",
			"fleet.yaml:1:25: domains.git.roots: 'fleet.yaml': Not a directory" },
		{ "domains: {git: {roots: [one, ./one]}}",
			"fleet.yaml:1:30: domains.git.roots: './one': this directory is in the list "
			"already" },
		{ "domains: {git: {roots: [{access: read}]}}",
			"fleet.yaml:1:25: domains.git.roots: no path: give a directory, or {path: "
			"DIRECTORY, access: read or write}" },
		{ "domains: {git: {roots: [{path: one, access: all}]}}",
			"fleet.yaml:1:45: domains.git.roots: 'all' is not an access: read or write" },
		{ "domains: {git: {roots: [{path: one, mode: r}]}}",
			"fleet.yaml:1:37: domains.git.roots: unknown key 'mode': known here are path, "
			"access" },
		{ "domains: {git: {roots: [[one]]}}",
			"fleet.yaml:1:25: domains.git.roots: a list is not a directory, or {path: "
			"DIRECTORY, access: read or write}" },
	};

	check_bad(cases, N_ELEMENTS(cases));
}

#define NOT_LOOPBACK                                                                               \
	" is not a loopback address, and nothing asks its clients who they are: listen on "        \
	"127.0.0.1 or [::1], make a key (mcp-fleetctl key add), set auth.issuer or "               \
	"tls.client_ca_file, or write auth: none at the top level if whoever can reach this "      \
	"address may use every tool"
#define NOT_ADDRESS                                                                                \
	" is not an IP address or localhost, and a port, such as 127.0.0.1:8000 or [::1]:8000, "   \
	"maybe with http:// or https:// before it"
#define NO_TLS(address)                                                                            \
	address " is not a loopback address, and keys and answers would go there without TLS: "    \
		"set tls.cert_file, or write http://" address " if the way there is safe"

static void test_bad_listeners(void **state)
{
	static const struct bad_case cases[] = {
		{ "listen: 127.0.0.1:80", "fleet.yaml:1:9: listen: '127.0.0.1:80' is not a list of "
					  "listeners: - address: 127.0.0.1:8000" },
		{ "listen: []",
			"fleet.yaml:1:9: listen: 0 entries are out of range: allowed are 1 to "
			"64" },
		{ "listen: [a]",
			"fleet.yaml:1:10: listen: 'a' is not a listener, such as {address: "
			"\"127.0.0.1:8000\"}" },
		{ "listen: [{domain: git}]",
			"fleet.yaml:1:10: listen: no address: give an IP address or localhost, and a "
			"port, such as 127.0.0.1:8000 or [::1]:8000, maybe with http:// or https:// "
			"before it" },
		{ "listen: [{address: \"localhost\"}]",
			"fleet.yaml:1:20: listen: 'localhost'" NOT_ADDRESS },
		{ "listen: [{address: [x]}]", "fleet.yaml:1:20: listen: a list" NOT_ADDRESS },
		{ "listen: [{address: \"[::1]:80\", tls: 1}]",
			"fleet.yaml:1:32: listen: unknown key 'tls': known here are address, domain" },
		{ "listen: [{address: \"[::1]:80\", domain: [git]}]",
			"fleet.yaml:1:40: listen: a list is not the name of a domain" },
		{ "listen:\n- address: \"[::1]:80\"\n  domain: web\n",
			"fleet.yaml:2:3: listen[0]: there is no domain 'web'" },
		{ "listen: [{address: \"localhost:80\"}, {address: \"127.0.0.1:80\"}]",
			"fleet.yaml:1:37: listen[1]: 127.0.0.1:80 is in the list already" },
		{ "listen: [{address: \"0.0.0.0:80\"}]",
			"fleet.yaml:1:10: listen[0]: 0.0.0.0:80" NOT_LOOPBACK },
		{ "auth: unset\nlisten: [{address: \"[::]:80\"}]",
			"fleet.yaml:2:10: listen[0]: [::]:80" NOT_LOOPBACK },
		{ "auth: none\nlisten: [{address: \"0.0.0.0:80\"}]",
			"fleet.yaml:2:10: listen[0]: " NO_TLS("0.0.0.0:80") },
		{ "listen: [{address: \"https://[::1]:80\"}]",
			"fleet.yaml:1:10: listen[0]: [::1]:80 is to be served with TLS: set "
			"tls.cert_file" },
		{ "auth: none\nadmin: {listen: \"0.0.0.0:80\"}",
			"admin.listen: " NO_TLS("0.0.0.0:80") },
		{ "tls: {key_file: /k}",
			"fleet.yaml:1:17: tls.key_file: without tls.cert_file it means nothing" },
		{ "tls: {client_ca_file: /k}",
			"fleet.yaml:1:23: tls.client_ca_file: certificates of clients need TLS: set "
			"tls.cert_file" },
		{ "tls: {cert_file: /c, client_certs: required}",
			"fleet.yaml:1:36: tls.client_certs: required needs the certificates that "
			"vouch for them: set tls.client_ca_file" },
		{ "tls: {cert_file: /c, client_crl_file: /l}",
			"fleet.yaml:1:39: tls.client_crl_file: without tls.client_ca_file it means "
			"nothing" },
		{ "http: {trusted_proxies: [127.0.0.1]}",
			"fleet.yaml:1:25: http.trusted_proxies: a proxy brings clients from anywhere, and "
			"nothing asks them who they are: make a key (mcp-fleetctl key add), set "
			"auth.issuer or tls.client_ca_file, or write auth: none at the top level if "
			"whoever can reach the proxy may use every tool" },
	};

	check_bad(cases, N_ELEMENTS(cases));
}

/* Behind a proxy loopback is no border: a credential is wanted there too, or it is written out that none is. */
static void test_proxies(void **state)
{
	auto_(conf_freep) struct conf *guarded =
		load_text("auth: required\nhttp: {trusted_proxies: [127.0.0.1]}");
	auto_(conf_freep) struct conf *open =
		load_text("auth: none\nhttp: {trusted_proxies: [10.0.0.0/8, \"::1\"]}");

	assert_int_equal(guarded->http.trusted_proxies.n, 1);
	assert_int_equal(open->http.trusted_proxies.n, 2);
}

static void test_listeners(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text("auth: none\n"
							"listen:\n"
							"- address: http://0.0.0.0:80\n"
							"- {address: \"[::1]:0\", domain: git}\n"
							"- {address: \"[::1]:0\", domain: \"\"}\n");

	assert_int_equal(conf->n_listeners, 3);
	assert_string_equal(conf->listeners[0].address, "0.0.0.0:80");
	assert_null(conf->listeners[0].domain);
	assert_string_equal(conf->listeners[1].domain, "git");
	assert_int_equal(conf->listeners[1].sockaddr.ss_family, AF_INET6);
	assert_null(conf->listeners[2].domain);
	assert_false(conf->listeners[0].tls);
}

static void test_tls_of_listeners(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text("auth: required\n"
							"tls: {cert_file: /c}\n"
							"listen:\n"
							"- address: 0.0.0.0:80\n"
							"- address: 127.0.0.1:81\n"
							"- address: https://127.0.0.1:82\n"
							"- address: http://0.0.0.0:83\n");
	static const bool expected[] = { true, false, true, false };

	assert_int_equal(conf->n_listeners, N_ELEMENTS(expected));
	for (size_t i = 0; i < N_ELEMENTS(expected); i++)
		assert_int_equal(conf->listeners[i].tls, expected[i]);
}

static void test_scopes(void **state)
{
	static const struct bad_case cases[] = {
		{ "auth: {scopes: [a]}", "fleet.yaml:1:16: auth.scopes: a list is not a mapping of "
					 "scopes, such as {\"fleet:git\": {domains: [git]}}" },
		{ "auth: {scopes: {\"a b\": {}}}",
			"fleet.yaml:1:17: auth.scopes: 'a b' is not a scope: 1 to 256 visible "
			"characters without \" and \\" },
		{ "auth: {scopes: {a: {tool: []}}}", "fleet.yaml:1:21: auth.scopes.a: unknown key "
						     "'tool': known here are domains, tools" },
		{ "auth: {scopes: {a: {tools: [\"ä\"]}}}",
			"fleet.yaml:1:29: auth.scopes.a.tools: 'ä' is not a name, with * and ?" },
	};
	auto_(conf_freep) struct conf *conf =
		load_text("auth: {scopes: {a: {domains: [git], tools: [git_*, x]}, b: {}}}");

	assert_int_equal(conf->auth.mode, CONF_AUTH_UNSET);
	assert_int_equal(conf->auth.scopes.n, 2);
	assert_string_equal(conf->auth.scopes.items[0].scope, "a");
	assert_string_equal(conf->auth.scopes.items[0].tools.items[1], "x");
	assert_int_equal(conf->auth.scopes.items[1].domains.n, 0);
	check_bad(cases, N_ELEMENTS(cases));
}

/* What must hold between the settings of tokens. */
static void test_tokens(void **state)
{
	static const struct bad_case cases[] = {
		{ "auth: {issuer: x, audience: [y]}",
			"fleet.yaml:1:16: auth.issuer: nothing can be checked without its keys: set "
			"auth.jwks_url, auth.jwks_file or auth.secret_file" },
		{ "auth: {secret_file: /s}",
			"fleet.yaml:1:21: auth.secret_file: tokens are taken only from the issuer that "
			"is set: set auth.issuer" },
		{ "auth: {issuer: x, audience: [y], secret_file: /s, jwks_url: \"https://x\"}",
			"fleet.yaml:1:61: auth.jwks_url: of auth.secret_file, auth.jwks_file and "
			"auth.jwks_url only one can be set: an issuer signs its tokens in one way" },
		{ "auth: {issuer: x, secret_file: /s}",
			"fleet.yaml:1:16: auth.issuer: a token for somebody else must not be taken: set "
			"auth.audience, or auth.resource to the address of this server" },
		{ "auth: {issuer: x, audience: [y], jwks_url: \"http://localhost.example.org\"}",
			"fleet.yaml:1:44: auth.jwks_url: whoever is between could give us other keys: "
			"https:// is wanted, http:// only on 127.0.0.1, [::1] and localhost" },
		{ "auth: {issuer: x, audience: [y], jwks_file: /s, jwks_ca_file: /c}",
			"fleet.yaml:1:63: auth.jwks_ca_file: without an auth.jwks_url of https:// it "
			"means nothing" },
	};
	static const char *const good[] = {
		"auth: {issuer: x, resource: \"https://x\", jwks_url: \"http://127.0.0.1:8/k\"}",
		"auth: {issuer: x, audience: [y], jwks_url: \"http://[::1]/k\"}",
		"auth: {issuer: x, audience: [y], jwks_url: \"https://x/k\", jwks_ca_file: /c}",
		"auth: {issuer: x, audience: [y], jwks_file: /s}",
		"auth: {audience: [y], scopes: {a: {}}}",
	};

	check_bad(cases, N_ELEMENTS(cases));
	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		conf_free(load_text(good[i]));
}

static void test_hosts_and_origins(void **state)
{
	static const char *const good[] = {
		"http: {allowed_hosts: [fleet.example, \"fleet.example:8443\", \"[::1]\", \"*\"]}",
		"http: {allowed_origins: [\"https://app.example\", \"http://app.example:3000\"]}",
		"http: {allowed_origins: [\"http://[::1]:80\", \"*\"]}",
	};
	static const char *const bad[] = {
		"http: {allowed_hosts: [\"https://fleet.example\"]}",
		"http: {allowed_hosts: [\"*.example\"]}",
		"http: {allowed_origins: [app.example]}",
		"http: {allowed_origins: [\"https://app.example/\"]}",
		"http: {allowed_origins: [\"https://app.example/x\"]}",
		"http: {allowed_origins: [\"https://app.example?x\"]}",
		"http: {allowed_origins: [\"https://u@app.example\"]}",
		"http: {allowed_origins: [\"https://*.example\"]}",
		"http: {allowed_origins: [\"null\"]}",
	};

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		conf_free(load_text(good[i]));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		const struct conf_sources sources = { 0 };
		struct conf *conf = NULL;
		struct fail fail = { 0 };

		if (conf_load_text(&sources, "fleet.yaml", bad[i], strlen(bad[i]), &conf, &fail) ==
			0)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(fail.text, "http.allowed_"));
	}
}

static void test_passed_sockets(void **state)
{
	static const struct sockaddr_storage local = { .ss_family = AF_UNIX };
	static const struct sockaddr_storage any = { .ss_family = AF_INET };
	auto_(conf_freep) struct conf *strict = load_text("");
	auto_(conf_freep) struct conf *open = load_text("auth: none");
	auto_(conf_freep) struct conf *keyed =
		load_text("auth: {issuer: x, audience: [y], secret_file: /s}");

	assert_true(conf_may_listen_on(strict, &local));
	assert_false(conf_may_listen_on(strict, &any));
	assert_true(conf_may_listen_on(strict, &strict->listeners[0].sockaddr));
	assert_true(conf_may_listen_on(open, &any));
	assert_true(conf_may_listen_on(keyed, &any));
	assert_true(conf_wants_credential(keyed));
	assert_false(conf_wants_credential(strict));
	assert_false(conf_wants_credential(open));
}

/* One that is not there wants none; whether there is one that cannot be looked at is not known. */
static void test_keys_file_that_cannot_be_looked_at(void **state)
{
	auto_free char *text = alloc_printf("auth: {keys_file: %s/loop.json}", real_folder);
	auto_(conf_freep) struct conf *conf = load_text(text);

	assert_false(conf_wants_credential(conf));
	assert_int_equal(symlink("loop.json", "loop.json"), 0); /* leads to itself */
	assert_true(conf_wants_credential(conf));
	assert_int_equal(unlink("loop.json"), 0);
}

static void test_built_in(void **state)
{
	struct conf_sources src = { .default_path = "absent/fleet.yaml", .get_env = fake_env };
	auto_(conf_freep) struct conf *conf = load(&src);

	assert_null(conf->path);
	assert_int_equal(conf->transport, CONF_TRANSPORT_STDIO);
	assert_int_equal(conf->n_listeners, 1);
	assert_string_equal(conf->listeners[0].address, "127.0.0.1:8000");
	assert_int_equal(conf->n_domains, 4);
	assert_string_equal(conf->domains[0].name, "filesystem");
	assert_int_equal(conf->domains[0].roots.n, 1);
	assert_string_equal(conf->domains[1].name, "git");
	assert_string_equal(conf->domains[1].native, "git");
	assert_int_equal(conf->domains[1].roots.n, 1);
	assert_string_equal(conf->domains[1].roots.items[0].path, real_folder);
	assert_true(conf->domains[1].roots.items[0].writable);
	assert_string_equal(conf->domains[2].name, "network");
	assert_int_equal(conf->domains[2].roots.n, 0);
	assert_string_equal(conf->domains[3].name, "utils");
}

/* The built-in default has no drop-ins either: they lie beside a settings file. */
static void test_default_path(void **state)
{
	struct conf_sources src = { .default_path = "fleet.yaml", .get_env = fake_env };
	auto_(conf_freep) struct conf *conf = NULL;

	write_file("fleet.yaml", "drain: 3s\n");
	write_file("conf.d/10.yaml", "limits: {sessions: 7}\n");
	conf = load(&src);
	assert_string_equal(conf->path, "fleet.yaml");
	assert_int_equal(conf->drain_ms, 3000);
	assert_int_equal(conf->limits.sessions, 7);
}

/* A service starts in /, and says nothing about roots. */
static void test_no_root_by_silence(void **state)
{
	static const char *const only_utils[] = { "utils" };
	static const char *const one_root[] = { "/" };
	struct conf_sources src = { .default_path = "/absent/fleet.yaml", .get_env = fake_env };
	auto_(conf_freep) struct conf *conf = NULL;

	assert_int_equal(chdir("/"), 0);
	expect_failure(&src, -EINVAL,
		"domains.filesystem.roots: not set, and the default, the current directory, is /: give "
		"directories here or with --root");
	src.domains = only_utils;
	src.n_domains = 1;
	conf = load(&src);
	conf_free(TAKE(conf));
	src.n_domains = 0;
	src.roots = one_root;
	src.n_roots = 1;
	conf = load(&src);
	assert_string_equal(conf->domains[0].roots.items[0].path, "/");
	assert_int_equal(chdir(folder), 0);
}

static void test_unreadable(void **state)
{
	struct conf_sources src = sources();
	auto_free char *large = alloc_zero(1024 * 1024 + 2);

	src.path = "absent.yaml";
	expect_failure(&src, -ENOENT, "absent.yaml: cannot be read: No such file or directory");
	src.path = "one";
	expect_failure(&src, -EISDIR, "one: cannot be read: Is a directory");
	src.path = "fleet.yaml";
	memset(large, '#', 1024 * 1024 + 1);
	write_file("fleet.yaml", large);
	expect_failure(&src, -EFBIG, "fleet.yaml: larger than 1 MiB");
}

/* More entries than are compared for duplicates, and a list as long as is allowed. */
static void test_many_entries(void **state)
{
	struct conf_sources src = sources();
	auto_strbuf text = { 0 };

	for (int i = 0; i < 1025; i++)
		strbuf_addf(&text, "k%d: 1\n", i);
	write_file("fleet.yaml", strbuf_get(&text));
	expect_failure(
		&src, -EINVAL, "fleet.yaml:1025:1: more than 1024 entries in one mapping or list");
	strbuf_cut(&text, 0);
	strbuf_adds(&text, "domains:\n");
	for (int i = 0; i < 65; i++)
		strbuf_addf(&text, "  d%d: {command: [x]}\n", i);
	write_file("fleet.yaml", strbuf_get(&text));
	expect_failure(&src, -EINVAL, "fleet.yaml:66:3: domains: more than 64 domains");
}

static void test_domains_are_sorted(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text(
		"domains: {utils: , zeta: {command: [z]}, alpha: {command: [a, -x], env: {A: 1, B: "
		"\"\"}}, git: }");

	assert_int_equal(conf->n_domains, 4);
	assert_string_equal(conf->domains[0].name, "alpha");
	assert_string_equal(conf->domains[1].name, "git");
	assert_string_equal(conf->domains[3].name, "zeta");
	assert_null(conf->domains[0].native);
	assert_null(conf->domains[0].settings_json);
	assert_int_equal(conf->domains[0].command.n, 2);
	assert_string_equal(conf->domains[0].env.items[0].name, "A");
	assert_string_equal(conf->domains[0].env.items[0].value, "1");
	assert_string_equal(conf->domains[0].env.items[1].value, "");
	assert_ptr_equal(conf_find_domain(conf, "zeta"), &conf->domains[3]);
	assert_null(conf_find_domain(conf, "beta"));
}

/* A changed file is a changed environment; what is wrong in it is told with both places. */
static void test_env_file(void **state)
{
	auto_free char *path = alloc_printf("%s/x.env", real_folder);
	auto_free char *text =
		alloc_printf("domains: {x: {command: [x], env: {A: 1}, env_file: %s}}", path);
	auto_free char *wrong = alloc_printf("fleet.yaml:1:%zu: domains.x.env_file: %s:1: not of "
					     "the form NAME=value",
		strlen("domains: {x: {command: [x], env: {A: 1}, env_file: ") + 1, path);
	auto_(conf_freep) struct conf *old = NULL;
	auto_(conf_freep) struct conf *new = NULL;
	struct conf_diff diff;

	write_file(path, "B=2\n");
	assert_int_equal(chmod(path, 0600), 0);
	old = load_text(text);
	assert_int_equal(old->domains[0].env.n, 2);
	assert_string_equal(old->domains[0].env.items[1].name, "B");
	assert_string_equal(old->domains[0].env.items[1].value, "2");
	write_file(path, "B=3\n");
	new = load_text(text);
	conf_diff(old, new, &diff);
	assert_int_equal(diff.n_domains, 1);
	assert_int_equal(diff.domains[0].change, CONF_DOMAIN_REPLACED);
	conf_diff_done(&diff);
	write_file(path, "B\n");
	check_bad(&(struct bad_case){ text, wrong }, 1);
	assert_int_equal(unlink(path), 0);
}

/* What mcp-fleet-remote is told, and where it may connect to. */
static void test_remote(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text(
		"domains: {x: {url: \"https://h.example/mcp?key=1\", headers_file: /etc/h, "
		"transport: streamable}, y: {url: \"http://[::1]:8080/sse\", restart: {park: 2s}}, z: {command: [z]}}");

	assert_string_equal(conf->domains[0].settings_json,
		"{\"url\":\"https://h.example/mcp?key=1\",\"headers_file\":\"/etc/h\","
		"\"ca_file\":\"\",\"transport\":\"streamable\"}");
	assert_true(conf_domain_is_remote(&conf->domains[0]));
	assert_false(conf_domain_is_remote(&conf->domains[2]));
	assert_int_equal(conf_domain_url_port(&conf->domains[0]), 443);
	assert_int_equal(conf_domain_url_port(&conf->domains[1]), 8080);
	assert_int_equal(conf_domain_url_port(&conf->domains[2]), 0);
	assert_int_equal(conf->domains[0].restart_park_ms, 30000);
	assert_int_equal(conf->domains[1].restart_park_ms, 2000);
	assert_int_equal(conf->domains[2].restart_park_ms, 300000);
}

static void test_settings_json(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text(
		"tools: {aliases: listed, federation_prefix: fed, max_result_bytes: 1MiB}\n"
		"domains:\n"
		"  git:\n"
		"    roots: [one, {path: two, access: read}]\n"
		"    call_timeout: 90s\n"
		"    user_name: \"A \\\"B\\\"\"\n"
		"    secret_patterns: ['\\d+']\n"
		"  utils:\n");
	auto_free char *git = alloc_printf(
		"{\"aliases\":\"listed\",\"federation_prefix\":\"fed\",\"max_result_bytes\":1048576,"
		"\"roots\":[{\"path\":\"%s/one\",\"access\":\"write\"},{\"path\":\"%s/two\","
		"\"access\":\"read\"}],\"default_repository\":\"\",\"user_name\":\"A \\\"B\\\"\","
		"\"user_email\":\"\",\"protected_branches\":[\"main\",\"master\"],"
		"\"feature_prefix\":\"feature/\",\"enforce_protected\":false,"
		"\"allow_force_push\":false,\"allowed_protocols\":[\"https\",\"ssh\"],"
		"\"credentials_file\":\"\",\"secret_patterns\":[\"\\\\d+\"],"
		"\"call_timeout_ms\":90000}",
		real_folder, real_folder);

	assert_string_equal(conf->domains[0].settings_json, git);
	assert_string_equal(conf->domains[1].settings_json,
		"{\"aliases\":\"listed\",\"federation_prefix\":\"fed\",\"max_result_bytes\":1048576,"
		"\"call_timeout_ms\":5000}");
}

static void test_environment(void **state)
{
	static const char *const env[] = { "MCP_TRANSPORT", "sse", "PORT", "9001",
		"SSE_HEARTBEAT_SECONDS", "0.5", NULL };
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	environment = env;
	write_file("fleet.yaml", "sse: {heartbeat: 1m}\n");
	conf = load(&src);
	assert_int_equal(conf->transport, CONF_TRANSPORT_SSE);
	assert_string_equal(conf->listeners[0].address, "127.0.0.1:9001");
	assert_int_equal(conf->sse_heartbeat_ms, 500);
	conf_free(TAKE(conf));

	/* Command line over environment; PORT is for the default listener only. */
	src.transport = "stdio";
	write_file("fleet.yaml", "listen: [{address: \"127.0.0.1:7\"}]\n");
	conf = load(&src);
	assert_int_equal(conf->transport, CONF_TRANSPORT_STDIO);
	assert_string_equal(conf->listeners[0].address, "127.0.0.1:7");
}

/* What lies at path `auto` without a folder of the service manager depends on who we are. */
static void check_socket(const char *socket, const char *name, const char *expected)
{
	auto_free char *path = NULL;

	if (!expected) {
		assert_null(socket);
		return;
	}
	if (streq(expected, "own"))
		path = alloc_printf(
			"%s/%s", geteuid() == 0 ? "/run/mcp-fleet" : "/run/user/7/mcp-fleet", name);
	else
		path = alloc_printf("%s/%s", expected, name);
	assert_string_equal(socket, path);
}

static void test_sockets(void **state)
{
	static const struct {
		const char *transport;
		const char *folders; /* RUNTIME_DIRECTORY */
		const char *text;
		const char *folder;  /* of mcp.sock; "own": see above */
		const char *control; /* of control.sock */
	} cases[] = {
		{ "sse", "", "", "own", "own" },
		{ "sse", "/run/mcp-fleet", "", "/run/mcp-fleet", "/run/mcp-fleet" },
		{ "sse", "/run/mcp-fleet", "local: {path: auto}\ncontrol: {path: auto}",
			"/run/mcp-fleet", "/run/mcp-fleet" },
		{ "sse", "/run/a:/run/b", "", "/run/a", "/run/a" },
		{ "sse", "run/a", "", "own", "own" },
		{ "sse", ":/run/b", "", "own", "own" },
		{ "sse", "/run/a", "local: {path: \"\"}", NULL, "/run/a" },
		{ "sse", "/run/a", "control: {path: \"\"}", "/run/a", NULL },
		{ "sse", "/run/a", "local: {path: /srv/mcp.sock}", "/srv", "/run/a" },
		{ "stdio", "/run/a", "", NULL, NULL },
		{ "stdio", "/run/a", "local: {path: auto}", NULL, NULL },
		{ "stdio", "", "local: {path: /srv/mcp.sock}", "/srv", NULL },
		{ "stdio", "", "control: {path: /srv/control.sock}", NULL, "/srv" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *const env[] = { "MCP_TRANSPORT", cases[i].transport,
			"RUNTIME_DIRECTORY", cases[i].folders, "XDG_RUNTIME_DIR", "/run/user/7",
			NULL };
		struct conf_sources src = sources();
		auto_(conf_freep) struct conf *conf = NULL;

		environment = env;
		write_file("fleet.yaml", cases[i].text);
		conf = load(&src);
		check_socket(conf->local_socket, "mcp.sock", cases[i].folder);
		check_socket(conf->control_socket, "control.sock", cases[i].control);
		environment = NULL;
	}
}

static void test_gateway_environment(void **state)
{
	static const char *const env[] = { "MCP_GATEWAY_URL", "https://gw.example.org/x",
		"GATEWAY_VERIFY_SSL", "False", NULL };
	static const char *const bad_url[] = { "MCP_GATEWAY_URL", "gw.example.org", NULL };
	static const char *const bad_verify[] = { "GATEWAY_VERIFY_SSL", "no", NULL };
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;
	struct fail fail = { 0 };

	write_file("fleet.yaml", "gateway: {url: \"http://a:1\"}");
	environment = env;
	conf = load(&src);
	assert_string_equal(conf->gateway.url, "https://gw.example.org/x");
	assert_false(conf->gateway.verify);
	conf_free(TAKE(conf));
	environment = bad_url;
	assert_int_equal(conf_load(&src, &conf, &fail), -EINVAL);
	assert_non_null(strstr(fail.text, "MCP_GATEWAY_URL: 'gw.example.org' is not an address"));
	environment = bad_verify;
	assert_int_equal(conf_load(&src, &conf, &fail), -EINVAL);
	assert_non_null(strstr(fail.text, "GATEWAY_VERIFY_SSL: 'no' is neither true nor false"));
	environment = NULL;
}

static void test_port_selects_no_transport(void **state)
{
	static const char *const env[] = { "PORT", "9001", NULL };
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	environment = env;
	conf = load(&src);
	assert_int_equal(conf->transport, CONF_TRANSPORT_STDIO);
}

#define NOT_TRANSPORT(value)                                                                       \
	": '" value "' is not a transport: allowed are stdio (the default) and sse"
#define NOT_SECONDS(value)                                                                         \
	"SSE_HEARTBEAT_SECONDS: '" value "' is not a number of seconds: allowed are 0.05 to 3600"

static void test_bad_environment(void **state)
{
	static const struct {
		const char *env[3];
		const char *words;
	} cases[] = {
		{ { "MCP_TRANSPORT", "" }, "MCP_TRANSPORT" NOT_TRANSPORT("") },
		{ { "MCP_TRANSPORT", "SSE" }, "MCP_TRANSPORT" NOT_TRANSPORT("SSE") },
		{ { "MCP_TRANSPORT", "stdio " }, "MCP_TRANSPORT" NOT_TRANSPORT("stdio ") },
		{ { "MCP_TRANSPORT", "http" }, "MCP_TRANSPORT" NOT_TRANSPORT("http") },
		{ { "PORT", "" }, "PORT: '' is not a port: allowed are 1 to 65535" },
		{ { "PORT", "0" }, "PORT: '0' is not a port: allowed are 1 to 65535" },
		{ { "PORT", "65536" }, "PORT: '65536' is not a port: allowed are 1 to 65535" },
		{ { "PORT", "-1" }, "PORT: '-1' is not a port: allowed are 1 to 65535" },
		{ { "PORT", "http" }, "PORT: 'http' is not a port: allowed are 1 to 65535" },
		{ { "SSE_HEARTBEAT_SECONDS", "" }, NOT_SECONDS("") },
		{ { "SSE_HEARTBEAT_SECONDS", "0.04" }, NOT_SECONDS("0.04") },
		{ { "SSE_HEARTBEAT_SECONDS", "3600.5" }, NOT_SECONDS("3600.5") },
		{ { "SSE_HEARTBEAT_SECONDS", "15s" }, NOT_SECONDS("15s") },
	};
	struct conf_sources src = sources();

	/* Also where the command line would override it. */
	src.transport = "sse";
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		environment = cases[i].env;
		expect_failure(&src, -EINVAL, cases[i].words);
	}
}

static void test_command_line(void **state)
{
	static const char *const listen[] = { "localhost:1", "[::1]:2" };
	static const char *const roots[] = { "one", "two" };
	static const char *const domains[] = { "git" };
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	src.listen = listen;
	src.n_listen = 2;
	src.roots = roots;
	src.n_roots = 2;
	src.domains = domains;
	src.n_domains = 1;
	write_file("fleet.yaml", "listen: [{address: \"127.0.0.1:7\", domain: utils}]\n"
				 "domains: {git: {roots: [{path: ., access: read}]}, utils: }\n");
	conf = load(&src);
	assert_int_equal(conf->n_listeners, 2);
	assert_string_equal(conf->listeners[0].address, "127.0.0.1:1");
	assert_string_equal(conf->listeners[1].address, "[::1]:2");
	assert_int_equal(conf->n_domains, 1);
	assert_int_equal(conf->domains[0].roots.n, 2);
	assert_true(conf->domains[0].roots.items[1].writable);
	assert_non_null(strstr(conf->domains[0].settings_json, "/two\""));
}

static void test_bad_command_line(void **state)
{
	static const char *const words[] = { "nowhere" };
	static const char *const any[] = { "0.0.0.0:80" };
	static const char *const twice[] = { "[::1]:2", "[::1]:2" };
	static const char *const undecodable[] = { "bad\xff" };
	struct conf_sources src = sources();

	src.transport = "http";
	expect_failure(&src, -EINVAL, "--transport" NOT_TRANSPORT("http"));
	src = sources();
	src.listen = words;
	src.n_listen = 1;
	expect_failure(&src, -EINVAL, "--listen: 'nowhere'" NOT_ADDRESS);
	src.listen = any;
	expect_failure(&src, -EINVAL, "--listen: 0.0.0.0:80" NOT_LOOPBACK);
	src.listen = twice;
	src.n_listen = 2;
	expect_failure(&src, -EINVAL, "--listen: [::1]:2 is in the list already");
	src = sources();
	src.roots = words;
	src.n_roots = 1;
	expect_failure(&src, -EINVAL, "--root: 'nowhere': No such file or directory");
	src.roots = undecodable;
	expect_failure(&src, -EINVAL, "--root: 'bad\xff': its real path is not UTF-8");
	src = sources();
	src.domains = words;
	src.n_domains = 1;
	expect_failure(&src, -EINVAL,
		"--domain: there is no domain 'nowhere': the settings have filesystem, "
		"git, network, utils");
}

/* A listener for a domain that is left out goes with it; without another one there is nothing to
 * listen on. */
static void test_domain_choice_and_listeners(void **state)
{
	static const char *const domains[] = { "git" };
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	src.domains = domains;
	src.n_domains = 1;
	write_file("fleet.yaml", "listen:\n- {address: \"[::1]:1\", domain: utils}\n"
				 "- {address: \"[::1]:2\", domain: git}\n");
	conf = load(&src);
	assert_int_equal(conf->n_listeners, 1);
	assert_string_equal(conf->listeners[0].domain, "git");
	write_file("fleet.yaml", "listen: [{address: \"[::1]:1\", domain: utils}]\n");
	expect_failure(&src, -EINVAL,
		"--domain: every listener serves a domain that is left out: add --listen");
}

static void test_drop_ins(void **state)
{
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	write_file("fleet.yaml", "limits: {sessions: 1, connections: 1}\n"
				 "domains: {git: {protected_branches: [a, b], queue: 1}}\n");
	write_file("conf.d/20-b.yaml", "limits: {sessions: 3}\ndomains: {git: }\nlog:\n");
	write_file("conf.d/10-a.yaml",
		"limits: {sessions: 2, sweep: 2s}\n"
		"domains: {git: {protected_branches: [c]}, x: {command: [srv]}}\n");
	write_file(
		"conf.d/Z.yaml", "limits: {sweep: 1s}\n"); /* after the digits: bytes, no locale */
	write_file("conf.d/30.yaml~", "bad");
	write_file("conf.d/.hidden.yaml", "bad");
	write_file("conf.d/README", "bad");
	conf = load(&src);
	assert_int_equal(conf->limits.sessions, 3);
	assert_int_equal(conf->limits.connections, 1);
	assert_int_equal(conf->limits.sweep_ms, 1000);
	assert_int_equal(conf->n_domains, 2);
	assert_int_equal(conf->domains[0].queue, 1);
	assert_int_equal(conf->domains[0].git.protected_branches.n, 1);
	assert_string_equal(conf->domains[0].git.protected_branches.items[0], "c");
	assert_string_equal(conf->domains[1].command.items[0], "srv");
}

static void test_drop_in_of_same_command(void **state)
{
	struct conf_sources src = sources();
	auto_(conf_freep) struct conf *conf = NULL;

	write_file("fleet.yaml", "domains: {x: {command: [srv, -a]}}\n");
	write_file("conf.d/1.yaml", "domains: {x: {command: [srv, -a], queue: 9}}\n");
	conf = load(&src);
	assert_int_equal(conf->domains[0].queue, 9);
}

static void test_bad_drop_ins(void **state)
{
	struct conf_sources src = sources();

	write_file("fleet.yaml", "domains:\n  x:\n    command: [srv, -a]\n");
	write_file("conf.d/1.yaml", "domains:\n  x:\n    queue: 5\n    command: [srv]\n");
	expect_failure(&src, -EINVAL,
		"conf.d/1.yaml:4:5: domains.x.command: another command for this domain is in "
		"fleet.yaml:3:5: give one of the domains another name");
	write_file("conf.d/1.yaml", "domains: {u: {url: \"http://a/\"}}\n");
	write_file("conf.d/2.yaml", "domains: {u: {url: \"http://b/\"}}\n");
	expect_failure(&src, -EINVAL,
		"conf.d/2.yaml:1:15: domains.u.url: another url for this domain is in "
		"conf.d/1.yaml:1:15: give one of the domains another name");
	assert_int_equal(unlink("conf.d/2.yaml"), 0);
	write_file("conf.d/1.yaml", "domains: {x: {que: 5}}\n");
	expect_failure(&src, -EINVAL,
		"conf.d/1.yaml:1:15: domains.x.que: unknown key; did you mean 'queue'?");
	write_file("conf.d/1.yaml", "domains: [{command: [x]}]\n");
	expect_failure(&src, -EINVAL,
		"conf.d/1.yaml:1:10: domains: a mapping of names and settings is expected, such as "
		"git: {}");
	write_file("conf.d/1.yaml", "limits: [\n");
	expect_failure(&src, -EINVAL,
		"conf.d/1.yaml:2:1: not YAML: while parsing a flow node, did not find expected node "
		"content");
	assert_int_equal(unlink("conf.d/1.yaml"), 0);
	assert_int_equal(mkdir("conf.d/1.yaml", 0755), 0);
	expect_failure(&src, -EISDIR, "conf.d/1.yaml: cannot be read: Is a directory");
	assert_int_equal(rmdir("conf.d/1.yaml"), 0);
}

static void test_sandbox(void **state)
{
	auto_(conf_freep) struct conf *conf = NULL;
	struct conf_sources src = { .path = "fleet.yaml", .get_env = fake_env };

	write_file("fleet.yaml",
		"domains:\n"
		"  a: {command: [x], sandbox: python}\n"
		"  b: {command: [x], sandbox: {profile: strict, connect: [443, any], "
		"memory: 512MiB, processes: 64, cpu: 2, read: [/a], required: true}}\n"
		"  utils: {sandbox: none}\n");
	conf = load(&src);
	assert_int_equal(conf->domains[0].sandbox.profile, CONF_PROFILE_PYTHON);
	assert_int_equal(conf->domains[1].sandbox.profile, CONF_PROFILE_STRICT);
	assert_string_equal(conf->domains[1].sandbox.connect.items[0], "443");
	assert_int_equal(conf->domains[1].sandbox.memory, 512 * 1024 * 1024);
	assert_int_equal(conf->domains[1].sandbox.processes, 64);
	assert_int_equal(conf->domains[1].sandbox.cpu, 2);
	assert_true(conf->domains[1].sandbox.required);
	assert_int_equal(conf->domains[2].sandbox.profile, CONF_PROFILE_NONE);
	write_file("fleet.yaml", "domains: {a: {command: [x], sandbox: pyton}}\n");
	expect_failure(&src, -EINVAL,
		"fleet.yaml:1:38: domains.a.sandbox: 'pyton' is not one of auto, strict, node, python, none");
}

static void test_tool_filter(void **state)
{
	auto_(conf_freep) struct conf *conf = load_text(
		"domains: {git: {tools: {allow: [\"git_get_*\", git_log], deny: [\"*_r?les\"]}}, utils: }");

	assert_true(conf_domain_allows(&conf->domains[0], "git_get_status"));
	assert_true(conf_domain_allows(&conf->domains[0], "git_log"));
	assert_false(conf_domain_allows(&conf->domains[0], "git_logs"));
	assert_false(conf_domain_allows(&conf->domains[0], "git_get_safety_rules"));
	assert_true(conf_domain_allows(&conf->domains[1], "anything"));
}

/* --- conf_diff() --- */

static void test_diff_of_same(void **state)
{
	auto_(conf_freep) struct conf *a = load_text("domains: {git: , x: {command: [y]}}");
	auto_(conf_freep) struct conf *b = load_text("domains: {x: {command: [\"y\"]}, git: {}}");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(a, b, &diff);
	assert_false(diff.listeners);
	assert_false(diff.log);
	assert_false(diff.live);
	assert_int_equal(diff.n_domains, 0);
	assert_int_equal(diff.keys.n, 0);
	assert_int_equal(diff.restart.n, 0);
}

static void test_diff_of_values(void **state)
{
	auto_(conf_freep) struct conf *a = load_text("");
	auto_(conf_freep) struct conf *b =
		load_text("limits: {sessions: 5, connections: 5}\nlog: {level: debug}\n"
			  "listen: [{address: \"127.0.0.1:8000\", domain: git}]\n");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(a, b, &diff);
	assert_true(diff.listeners);
	assert_true(diff.log);
	assert_true(diff.live);
	assert_int_equal(diff.n_domains, 0);
	assert_int_equal(diff.keys.n, 4);
	assert_string_equal(diff.keys.items[0], "listen");
	assert_string_equal(diff.keys.items[1], "limits.sessions");
	assert_int_equal(diff.restart.n, 0);
}

static void test_diff_of_workers_settings(void **state)
{
	auto_(conf_freep) struct conf *a = load_text("domains: {git: , x: {command: [y]}}");
	auto_(conf_freep) struct conf *b =
		load_text("tools: {aliases: off}\ndomains: {git: , x: {command: [y]}}");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(a, b, &diff);
	assert_false(diff.live);
	assert_int_equal(diff.keys.n, 1);
	assert_int_equal(diff.n_domains, 1);
	assert_string_equal(diff.domains[0].name, "git");
	assert_int_equal(diff.domains[0].change, CONF_DOMAIN_REPLACED);
}

static void test_diff_of_domains(void **state)
{
	auto_(conf_freep) struct conf *a = load_text(
		"domains: {a: {command: [a]}, git: , k: {command: [k]}, m: {command: [m]}, "
		"n: {command: [n]}, z: {command: [z]}}");
	auto_(conf_freep) struct conf *b =
		load_text("domains: {b: {command: [b]}, git: {queue: 5}, k: {command: [k, k]}, m: "
			  "{command: [m], env: {A: b}}, n: {command: [n]}}");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };
	static const struct {
		const char *name;
		enum conf_domain_change change;
	} expected[] = {
		{ "a", CONF_DOMAIN_REMOVED },
		{ "b", CONF_DOMAIN_ADDED },
		{ "git", CONF_DOMAIN_TUNED },
		{ "k", CONF_DOMAIN_REPLACED },
		{ "m", CONF_DOMAIN_REPLACED },
		{ "z", CONF_DOMAIN_REMOVED },
	};

	conf_diff(a, b, &diff);
	assert_int_equal(diff.n_domains, N_ELEMENTS(expected));
	for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
		assert_string_equal(diff.domains[i].name, expected[i].name);
		assert_int_equal(diff.domains[i].change, expected[i].change);
	}
}

static void test_diff_of_how_processes_are_kept(void **state)
{
	static const struct {
		const char *key;
		enum conf_domain_change change;
	} cases[] = {
		{ "isolation: session", CONF_DOMAIN_REPLACED },
		{ "start: lazy", CONF_DOMAIN_REPLACED },
		{ "cwd: /srv", CONF_DOMAIN_REPLACED },
		{ "idle_stop: 5m", CONF_DOMAIN_TUNED },
	};
	auto_(conf_freep) struct conf *a = load_text("domains: {x: {command: [y]}}");

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *text =
			alloc_printf("domains: {x: {command: [y], %s}}", cases[i].key);
		auto_(conf_freep) struct conf *b = load_text(text);
		auto_(conf_diff_done) struct conf_diff diff = { 0 };

		conf_diff(a, b, &diff);
		assert_int_equal(diff.n_domains, 1);
		assert_int_equal(diff.domains[0].change, cases[i].change);
	}
}

static void test_diff_of_the_state_folder(void **state)
{
	auto_(conf_freep) struct conf *a = load_text("domains: {git: }");
	auto_(conf_freep) struct conf *b = load_text("state_dir: /srv\ndomains: {git: }");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(a, b, &diff);
	assert_int_equal(diff.n_domains, 0);
	assert_int_equal(diff.restart.n, 1);
	assert_string_equal(diff.restart.items[0], "state_dir");
}

static void test_diff_of_git_keys(void **state)
{
	auto_(conf_freep) struct conf *a = load_text("domains: {git: {queue: 1}}");
	auto_(conf_freep) struct conf *b =
		load_text("domains: {git: {queue: 2, roots: [{path: ., access: read}]}, utils: }");
	auto_(conf_diff_done) struct conf_diff diff = { 0 };

	conf_diff(a, b, &diff);
	assert_int_equal(diff.n_domains, 2);
	assert_int_equal(diff.domains[0].change, CONF_DOMAIN_REPLACED);
	assert_string_equal(diff.domains[1].name, "utils");
	assert_int_equal(diff.domains[1].change, CONF_DOMAIN_ADDED);
}

/* --- the table itself --- */

static void test_table(void **state)
{
	size_t n = 0;

	for (const struct conf_key *key = conf_table(); key->path; key++, n++) {
		size_t doc_len = key->doc ? strlen(key->doc) : 0;

		assert_non_null(key->def);
		assert_true(doc_len > 0 && key->doc[doc_len - 1] == '.');
		assert_true(key->min <= key->max);
		if (key->type == CONF_TYPE_COUNT || key->type == CONF_TYPE_SIZE ||
			key->type == CONF_TYPE_DURATION)
			assert_true(key->min >= 0 && key->max > 0);
		if (key->type == CONF_TYPE_COUNT)
			assert_true(key->max <= UINT_MAX);
		assert_int_equal(key->type == CONF_TYPE_ENUM, key->choices != NULL);
		assert_int_equal(key->is_valid != NULL, key->form != NULL);
		for (const struct conf_key *other = key + 1; other->path; other++)
			assert_string_not_equal(key->path, other->path);
	}
	assert_true(n > 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup_test, teardown_test)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(values),
		TEST(bad_yaml),
		TEST(bad_keys),
		TEST(bad_values),
		TEST(bad_domains),
		TEST(bad_listeners),
		TEST(proxies),
		TEST(listeners),
		TEST(tls_of_listeners),
		TEST(scopes),
		TEST(tokens),
		TEST(hosts_and_origins),
		TEST(passed_sockets),
		TEST(keys_file_that_cannot_be_looked_at),
		TEST(built_in),
		TEST(default_path),
		TEST(no_root_by_silence),
		TEST(unreadable),
		TEST(many_entries),
		TEST(domains_are_sorted),
		TEST(env_file),
		TEST(remote),
		TEST(settings_json),
		TEST(environment),
		TEST(sockets),
		TEST(gateway_environment),
		TEST(port_selects_no_transport),
		TEST(bad_environment),
		TEST(command_line),
		TEST(bad_command_line),
		TEST(domain_choice_and_listeners),
		TEST(drop_ins),
		TEST(drop_in_of_same_command),
		TEST(bad_drop_ins),
		TEST(sandbox),
		TEST(tool_filter),
		TEST(diff_of_same),
		TEST(diff_of_values),
		TEST(diff_of_workers_settings),
		TEST(diff_of_domains),
		TEST(diff_of_git_keys),
		TEST(diff_of_how_processes_are_kept),
		TEST(diff_of_the_state_folder),
		TEST(table),
	};

	return cmocka_run_group_tests(tests, setup_folder, teardown_folder);
}
