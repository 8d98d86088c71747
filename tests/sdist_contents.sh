#!/bin/sh
# Whether a source distribution holds every file that git tracks, hidden ones apart.
# Usage: sdist_contents.sh PACKAGE
set -eu
list=$(mktemp)
trap 'rm -f "$list"' EXIT
tar tzf "$1" | sed 's,^[^/]*/,,' > "$list"
missing=$(git ls-files | grep -v '^\.' | grep -vxFf "$list" || true)
test -z "$missing" || { echo "$1 lacks" $missing >&2; exit 1; }
