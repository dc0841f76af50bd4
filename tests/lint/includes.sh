#!/bin/sh
# Which file may include which (ARCHITECTURE.md, "Layers"): the direction of includes keeps the layers
# apart, and paths that start at the top keep it visible. Run by `make check` (TAP).
set -u
top=${srcdir:-$(dirname "$0")/../..}
rules=$(dirname "$0")/includes.awk
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# Complaints about the tree at $1, one a line.
complaints() {
	(cd "$1" && find shared supervisor ctl workers tests -name '*.[ch]' 2>/dev/null | sort |
		xargs awk -f "$rules")
}

case $rules in
/*) ;;
*) rules=$PWD/$rules ;;
esac
n=0
result() { # status, name, a file whose lines explain
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	sed 's/^/# /' "$3"
}

complaints "$top" >"$work/found" 2>&1
[ ! -s "$work/found" ]
result $? "includes of the tree" "$work/found"

# The rules themselves: each of these lines must be refused in that file.
mkdir "$work/tree"
while read -r file line; do
	rm -rf "$work/tree/"*
	mkdir -p "$work/tree/$(dirname "$file")"
	printf '#pragma once\n%s\n' "$line" >"$work/tree/$file"
	complaints "$work/tree" >"$work/found" 2>&1
	grep -q "^$file:2: " "$work/found"
	result $? "refused: $line in $file" "$work/found"
done <<'LINES'
shared/a.c #include "supervisor/conf.h"
shared/a.c #include "workers/common/call.h"
shared/a.c #include "../config.h"
shared/a.c #include "strbuf.h"
shared/a.c #include <shared/strbuf.h>
shared/a.c #include "tests/fuzz/fuzz.h"
supervisor/fleet/a.c #include "supervisor/mcp/router.h"
supervisor/fleet/a.c #include "supervisor/front/http1.h"
supervisor/fleet/a.h #include "supervisor/ops/metrics.h"
supervisor/mcp/a.c #include "supervisor/front/transport.h"
supervisor/front/a.c #include "supervisor/ops/health.h"
supervisor/front/a.c #include "workers/git/rev.h"
supervisor/a.c #include "supervisor/mcp/session.h"
workers/git/a.c #include "workers/utils/html.h"
workers/git/a.c #include "supervisor/conf.h"
workers/common/a.c #include "workers/git/rev.h"
ctl/a.c #include "supervisor/conf.h"
ctl/a.c # include  "supervisor/loop.h"
LINES

# And what is right must be taken.
rm -rf "$work/tree/"*
mkdir -p "$work/tree/supervisor/front" "$work/tree/workers/git"
printf '#include "supervisor/front/a.h"\n#include <event2/event.h>\n#include "config.h"\n%s\n%s\n' \
	'#include "shared/fd.h"' '#include "supervisor/fleet/link.h"' >"$work/tree/supervisor/front/a.c"
printf '#pragma once\n#include "supervisor/mcp/session.h"\n' >"$work/tree/supervisor/front/a.h"
printf '#include "workers/common/call.h"\n#include "shared/fd.h"\n' >"$work/tree/workers/git/b.c"
complaints "$work/tree" >"$work/found" 2>&1
[ ! -s "$work/found" ]
result $? "taken: includes downwards" "$work/found"

# A header without its guard, and a source that hides what its header lacks.
printf '#include <stdio.h>\n#include "supervisor/front/a.h"\n' >"$work/tree/supervisor/front/a.c"
printf '#include "shared/fd.h"\n' >"$work/tree/supervisor/front/a.h"
complaints "$work/tree" >"$work/found" 2>&1
grep -q '^supervisor/front/a.h:.*pragma once' "$work/found" &&
	grep -q '^supervisor/front/a.c:1:.*first' "$work/found"
result $? "refused: no #pragma once, own header not first" "$work/found"
echo "1..$n"
