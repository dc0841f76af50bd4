#!/bin/sh
# One version everywhere: configure.ac, debian/changelog, the RPM's spec with its changelog, CHANGELOG.md; and one time in the
# changelogs of both packages, which are the "now" of a build. Run by `make check` (TAP).
#
# CHANGELOG.md may begin with [Unreleased] while the next version is being made; with --release it may not.
set -u
top=${srcdir:-$(dirname "$0")/../..}
spec=$top/packaging/rpm/mcp-fleet.spec
n=0
failed=0

same() { # WHAT HERE WANTED
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "# it is '$2', and configure.ac or debian/changelog says '$3'"
		echo "not ok $n - $1"
		failed=1
	fi
}

version=$(sed -n 's/^AC_INIT(\[mcp-fleet\], \[\([^]]*\)\].*/\1/p' "$top/configure.ac")
time=$(date -u -d "$(sed -n '/^ -- /{s/^ -- .*>  //p;q;}' "$top/debian/changelog")" +%F)
entry=$(sed -n '/^%changelog/{n;p;q;}' "$spec")
section=$(sed -n '/^## \[/{p;q;}' "$top/CHANGELOG.md")

same 'debian/changelog' "$(sed -n '1s/^mcp-fleet (\([^)]*\)) .*/\1/p' "$top/debian/changelog")" "$version"
same 'the spec' "$(sed -n 's/^Version: *//p' "$spec")" "$version"
same "the spec's changelog" "${entry##* }" "$version-1"
same "the day in the spec's changelog" "$(date -u -d "$(echo "$entry" | cut -d' ' -f2-5)" +%F)" "$time"
case $section in
	'## [Unreleased]'*)
		if [ "${1:-}" = --release ]; then
			same "CHANGELOG.md's first section" "$section" "## [$version] - $time"
		fi ;;
	*) same "CHANGELOG.md's first section" "$section" "## [$version] - $time" ;;
esac
echo "1..$n"
exit "$failed"
