/* mcp-fleetctl status: the door: its certificate, the keys that are taken, limits that were reached, what was refused. */
#pragma once

#include <jansson.h>

#include "ctl/verb.h"

/* A certificate that ends within so many days is to be renewed. */
enum { STATUS_CERTIFICATE_SOON_DAYS = 14 };

/* A line for each of them of which the status knows. */
void status_door_print(const struct ctl *ctl, const json_t *status);
