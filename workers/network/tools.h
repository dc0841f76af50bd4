/* The tables of network tools, each ends with { 0 }. */
#pragma once

#include "shared/tool.h"
