/* See owner.h. */
#include "supervisor/front/owner.h"

#include "shared/log.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/stats.h"

enum { LOG_BURST = 10 };

static const char *name_of(const struct principal *principal)
{
	return principal && *principal->name ? principal->name : "nobody";
}

static void note_stranger(const struct session *session, const struct caller *caller)
{
	static struct log_limit limit;
	char id[SESSION_ID_TEXT];

	const struct audit_refusal audited = {
		.reason = stats_refusal_name(STATS_REFUSED_FOREIGN_SESSION),
		.why = "the id of somebody else's session was shown",
		.status = 404,
		.address = caller->address,
		.principal = caller->principal,
		.owner = name_of(session_get_principal(session)),
	};

	stats_refused(STATS_REFUSED_FOREIGN_SESSION);
	audit_refused(&audited);
	if (!log_limit_ok(&limit, LOG_BURST, "uses of sessions of others"))
		return;
	session_get_id(session, id);
	log_warn_about((&(struct log_about){ .session = id }),
		"%s (%s) showed the id of a session that belongs to %s; refused",
		name_of(caller->principal), caller->address,
		name_of(session_get_principal(session)));
}

bool owner_admit(struct session *session, const struct caller *caller)
{
	if (!principal_same(session_get_principal(session), caller->principal)) {
		note_stranger(session, caller);
		return false;
	}
	session_set_caller(session, caller);
	return true;
}
