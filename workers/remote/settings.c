/* See settings.h. */
#include "workers/remote/settings.h"

#include <errno.h>

#include "shared/limits.h"
#include "shared/schema.h"
#include "workers/common/target.h"

enum { MAX_PATH = 4096, MAX_WAIT_MS = 86400000 };

static const char *const transports[] = { "auto", "streamable", "sse", NULL };

static const struct param settings_params[] = {
	PARAM(settings, url, .required = true, RANGE(1, TARGET_MAX_BYTES),
		.doc = "Of the remote server."),
	PARAM(settings, headers_file, AT_MOST(MAX_PATH), .def_str = "",
		.doc = "Lines Name: value, for every request."),
	PARAM(settings, key_file, AT_MOST(MAX_PATH), .def_str = "",
		.doc = "Holds the key that is sent as Authorization: Bearer."),
	PARAM(settings, ca_file, AT_MOST(MAX_PATH), .def_str = "",
		.doc = "Certificates that are trusted instead of the system's."),
	PARAM(settings, transport, .choices = transports, .def_str = "auto",
		.doc = "What the server speaks."),
	PARAM(settings, max_bytes, RANGE(KIB, LIMIT_LINE_BYTES), .def_int = LIMIT_LINE_BYTES,
		.doc = "The largest message."),
	PARAM(settings, wait_ms, RANGE(0, MAX_WAIT_MS), .def_int = 0,
		.doc = "How long requests wait for a server that is not there."),
	{ 0 },
};

int settings_read(const char *text, struct settings *ret, struct fail *fail)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!json)
		return fail_set(fail, -EINVAL, REMOTE_SETTINGS " cannot be read: column %d: %s",
			error.column, error.text);
	r = schema_decode(settings_params, json, ret, fail);
	ret->json = json;
	return r < 0 ? fail_prefix(fail, REMOTE_SETTINGS ": ") : 0;
}

void settings_done(struct settings *settings)
{
	schema_done(settings_params, settings);
	json_decref(settings->json);
	*settings = (struct settings){ 0 };
}

enum transport settings_transport(const struct settings *settings)
{
	if (streq(settings->transport, "streamable"))
		return TRANSPORT_STREAMABLE;
	return streq(settings->transport, "sse") ? TRANSPORT_SSE : TRANSPORT_AUTO;
}
