/* Privileges that a worker must not have, whoever started the supervisor. */
#pragma once

#include "shared/fail.h"

/* No privilege can come from a program that is executed. */
int privileges_freeze(struct fail *fail) must_check;

/* Of root's capabilities keeps those that make it the owner of files, and no other. Does nothing for
 * other users. */
int privileges_drop(struct fail *fail) must_check;
