#!/bin/sh
# The tool lists that clients see, compared with those in tests/data/tools/: so that a review sees
# every change of a schema. Run by `make check` (TAP) and, with --update, by `make golden`.
#
# GOLDEN_PROGRAMS are programs in the build directory, of which those called worker-… count; the list
# of worker-git is in git.json.
set -u
top=${srcdir:-$(dirname "$0")/../..}
programs=$(echo "${GOLDEN_PROGRAMS:-}" | tr ' ' '\n' | grep '^worker-') || {
	echo "Bail out! GOLDEN_PROGRAMS names no worker"
	exit 99
}
budget=$((128 * 1024)) # all lists together, as compact JSON: models read them in every session
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

list_of() {
	"./$1" --list-tools >"$work/$2.json"
}

if [ "${1:-}" = --update ]; then
	mkdir -p "$top/tests/data/tools"
	for program in $programs; do
		name=${program##*worker-}
		list_of "$program" "$name" || exit 1
		cmp -s "$work/$name.json" "$top/tests/data/tools/$name.json" && continue
		cp "$work/$name.json" "$top/tests/data/tools/$name.json" || exit 1
		echo "tests/data/tools/$name.json changed: read the difference before you commit"
	done
	exit 0
fi

n=0
for program in $programs; do
	n=$((n + 1))
	name=${program##*worker-}
	if ! list_of "$program" "$name"; then
		echo "not ok $n - $program --list-tools"
	elif diff -u "$top/tests/data/tools/$name.json" "$work/$name.json" >"$work/diff"; then
		echo "ok $n - tools of $name are those of tests/data/tools/$name.json"
	else
		echo "not ok $n - tools of $name are those of tests/data/tools/$name.json (make golden?)"
		sed 's/^/# /' "$work/diff"
	fi
done

# Indentation does not go over the wire.
n=$((n + 1))
bytes=$(cat "$work"/*.json | sed 's/^ *//' | tr -d '\n' | wc -c)
if [ "$bytes" -le "$budget" ]; then
	echo "ok $n - the lists have $bytes bytes, at most $budget"
else
	echo "not ok $n - the lists have $bytes bytes, at most $budget"
fi
echo "1..$n"
