/* Whose a session is: only the identity that opened it may use it. A session's id is no credential; whoever shows
 * one of somebody else is told what is told of an id that does not exist.
 *
 * Source: MCP security best practices, "Session Hijacking". */
#pragma once

#include "supervisor/mcp/session.h"

/* True: the session is the caller's, and belongs from now on to what the caller's credential allows now. False: to
 * be answered as if it did not exist; that has been counted and logged. */
bool owner_admit(struct session *session, const struct caller *caller);
