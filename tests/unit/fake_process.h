/* A worker whose process is a fake, in the place of fleet/launch.c: its side of the socket is written and
 * read by the test. The clock is a fake, but for the age of a running call. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "supervisor/fleet/worker.h"

extern struct world {
	struct loop *loop;
	struct worker *worker;
	int peer; /* the process' side; -1: none */
	int peer_err;
	process_ended_fn *ended;
	void *ended_arg;
	int start_result;
	unsigned n_starts;
	int last_signal;
	struct strbuf story; /* of the hooks */
	char *offering;      /* what was told last, as text */
	bool replies;        /* what it asks is answered at once */
	enum conf_protocol protocol;
	size_t max_line;
	bool is_isolated;
} world;

/* For cmocka, and in the middle of a test to begin anew. */
int set_up(void **unused);
int tear_down(void **unused);
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

void turn(void);
void make_worker(bool native);

/* What the process says, and hears; its end. */
void peer_says(const char *line);
const char *peer_hears(void); /* what the supervisor has said since the last time */
void end_process(void);

/* What the hooks were told since the last time, a word each. */
const char *story(void);

/* Lines of the process. OLD, NEW: answers to initialize; DISCOVERED: one to server/discover. */
#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":\"" id "\",\"result\":" result "}"
#define ERROR(id, code, text)                                                                      \
	"{\"jsonrpc\":\"2.0\",\"id\":\"" id "\",\"error\":{\"code\":" code ",\"message\":\"" text  \
	"\"}}"
#define OLD(capabilities)                                                                          \
	RESULT("initialize",                                                                       \
		"{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{" capabilities "}}")
#define NEW(capabilities)                                                                          \
	RESULT("initialize",                                                                       \
		"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{" capabilities "}}")
#define DISCOVERED(capabilities)                                                                   \
	RESULT("discover",                                                                         \
		"{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{" capabilities          \
		"},\"resultType\":\"complete\"}")
#define TOOLS "\"tools\":{\"listChanged\":true}"
#define ONE_TOOL RESULT("tools", "{\"tools\":[{\"name\":\"a\"}]}")
#define TELL(method, params)                                                                       \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":" params "}"

#define assert_has(text, part) assert_non_null(strstr(text, part))
#define assert_lacks(text, part) assert_null(strstr(text, part))

/* Makes a worker and starts it; it has said how it wants to be opened. */
void start_process_of(bool native);

/* Answers like a server of 2025-06-18 that has one tool. */
void say_hello(void);
void become_ready(void);
void start(bool native); /* all of it */

/* An external one that answers `hello` and lists one tool. */
void start_as(const char *hello);

/* One that takes 2026-07-28 only. */
void start_modern(const char *capabilities);

/* It is killed for what was said last; `words` are in its last end. */
void assert_killed_for(const char *words);

/* A call is handed to the worker; the process answers it. */
void call(uint64_t no);
void call_of(uint64_t no, uint64_t session);
void answer(int no);
