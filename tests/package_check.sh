#!/bin/sh
# Install a built package into an empty environment and run it outside the checkout.
# Usage: package_check.sh CHECKOUT PYTHON PACKAGE PATH_IN_USE
# PATH_IN_USE: how the path of the arithmetic begins that `soxsdark --version` should tell.
set -eu
checkout=$1
python=$2
package=$3
path_in_use=$4
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m venv "$place/env"
PATH="$place/env/bin:$PATH"
PIP_CONSTRAINT="$checkout/constraints.txt" pip install --quiet --disable-pip-version-check \
    "$package"
cd "$place"

missing() {
    echo "package check: $1" >&2
    exit 1
}

soxsdark --version
soxsdark --version | grep -q "($path_in_use" || missing "not $path_in_use"
test -s env/share/man/man1/soxsdark.1 || missing "no manual page"
! command -v man >/dev/null || man -w soxsdark >/dev/null || missing "man does not find the page"
soxsdark completion bash | grep -q complete || missing "no completion"
soxsdark settings init
soxsdark simulate raw --shape 128x128
soxsdark mdark raw/darks.sof --settings settings.yaml --output out --report --quiet
for product in darks_MDARK.fits darks_BPM.fits darks.json darks.log darks.html; do
    test -s "out/$product" || missing "out/$product is missing"
done
soxsdark tune raw/darks.sof --sweep hot-pixel-sigma=4,5 --output out --format csv > tuned.csv
test -s out/tune.html || missing "no page of the tuning"
soxsdark record schema > schema.json
soxsdark record rerun out/darks.json --output again --quiet
soxsdark night raw --output nights --quiet
test -s nights/2025-03-09/index.html || missing "no page of the night"
echo "package check: the installed $(basename "$package") makes all products"
