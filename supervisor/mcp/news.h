/* News: what clients hear without having asked at that moment (lists that changed, resources that changed,
 * log messages), and who wants what of it.
 *
 * Legacy sessions hear of lists by themselves and of resources that they subscribed to; modern clients
 * hear on the streams of their subscriptions/listen requests. Source: MCP basic/transports,
 * server/{tools,resources,prompts}, server/utilities/logging; 2026-07-28 basic/patterns/subscriptions. */
#pragma once

#include "supervisor/mcp/router.h"

struct news;

struct news *news_new(struct sessions *sessions, struct catalog *catalog, struct router *router);
void news_free(struct news *news);
void news_set_fleet(struct news *news, struct fleet *fleet);

/* A list of the endpoint is another than before. */
void news_list_changed(struct news *news, const struct endpoint *endpoint, enum catalog_list list);

/* The session's principal has other rights than `old`: all its lists may be others. */
void news_rights_changed(struct news *news, struct session *session, const struct principal *old);

/* A notification of a worker. */
void news_told(struct news *news, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc);

/* subscriptions/listen: answered when it ends. */
void news_listen(struct news *news, const struct origin *origin, struct jspan params);

/* The session has an open listen request of this id. */
bool news_has_listen(struct session *session, struct jspan id);

/* False: the session has no such listen request. */
bool news_cancel_listen(struct news *news, struct session *session, struct jspan id);

/* resources/subscribe and unsubscribe of a legacy session; false: it has too many already. */
bool news_subscribe(
	struct news *news, struct session *session, const struct catalog_target *resource);
void news_unsubscribe(
	struct news *news, struct session *session, const struct catalog_target *resource);

/* The client's roots are others: workers that serve it alone hear of it. */
void news_roots_changed(struct news *news, struct session *session);

/* logging/setLevel (`domain` is NULL), or the level of one modern request, which one domain gets. */
void news_set_level(
	struct news *news, struct session *session, const char *domain, enum level level);

void news_forget_session(struct news *news, struct session *session);

/* The fleet stops: every listen request is answered. */
void news_end(struct news *news);
