#!/bin/sh
# Install the built wheel into an empty environment and run it outside the checkout.
# Usage: wheel_check.sh CHECKOUT PYTHON
set -eu
checkout=$1
python=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m venv "$place/env"
PIP_CONSTRAINT="$checkout/constraints.txt" "$place/env/bin/python" -m pip install --quiet \
    --disable-pip-version-check "$checkout"/dist/soxsdark-*.whl
cd "$place"
"$place/env/bin/soxsdark" --version
"$place/env/bin/soxsdark" settings init
"$place/env/bin/soxsdark" simulate raw --shape 128x128
"$place/env/bin/soxsdark" mdark raw/darks.sof --settings settings.yaml --output out --report --quiet
for product in darks_MDARK.fits darks_BPM.fits darks.json darks.log darks.html; do
    test -s "out/$product" || { echo "wheel check: out/$product is missing" >&2; exit 1; }
done
"$place/env/bin/soxsdark" tune raw/darks.sof --sweep hot-pixel-sigma=4,5 --output out --format csv > tuned.csv
test -s out/tune.html
"$place/env/bin/soxsdark" record schema > schema.json
"$place/env/bin/soxsdark" record rerun out/darks.json --output again --quiet
"$place/env/bin/soxsdark" night raw --output nights --quiet
test -s nights/2025-03-09/index.html || { echo "wheel check: no page of the night" >&2; exit 1; }
echo "wheel check: the installed wheel makes all products"
