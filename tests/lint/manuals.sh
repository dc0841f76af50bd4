#!/bin/sh
# The manual pages, read by mandoc: no error, no warning, no matter of style. Run by `make check`
# (TAP); skipped where mandoc is not installed.
set -u
top=${srcdir:-$(dirname "$0")/../..}

if ! command -v mandoc >/dev/null; then
	echo "1..0 # SKIP mandoc is not installed"
	exit 0
fi

n=0
for page in "$top"/doc/*.[1-9]; do
	n=$((n + 1))
	# Pages of ours are not installed yet, and those of others need not be.
	if said=$(mandoc -T lint "$page" 2>/dev/null | grep -v 'referenced manual not found'); then
		echo "$said" | sed 's/^/# /'
		echo "not ok $n - ${page##*/}"
	else
		echo "ok $n - ${page##*/}"
	fi
done
echo "1..$n"
