"""Settings files that several tests read."""

import json

import yaml

from soxsdark.settings import MdarkSettings, Settings

KEYS = [name.replace("_", "-") for name in MdarkSettings.model_fields]

# The shape of a file of soxspipe: other sections, both spellings, a logging block with handlers.
SOXSPIPE = """\
version: 1
save-intermediate-products: False
instrument: soxs
data-extension: 0

soxs-mbias:
    stacked-clipping-sigma: 99
    unheard-of: [1, 2]

soxs-mdark:
    stacked-clipping-sigma: 3
    stacked-clipping-iterations: 5
    frame-clipping-sigma: 2.5
    frame-clipping-iterations: 1
    qc-acceptable-ranges:
        mdark-median: [-15, 50]
        raw-ron: [0,30]

soxs-mflat:
    nir:
        order-deg: 3

logging settings:
    formatters:
        file_style:
            format: '%(asctime)s %(levelname)s: "%(pathname)s", line %(lineno)d > %(message)s'
            datefmt: '%Y/%m/%d %H:%M:%S'
    handlers:
        console:
            class: logging.StreamHandler
            level: ERROR
            stream: ext://sys.stdout
        file:
            class: logging.handlers.GroupWriteRotatingFileHandler
            level: DEBUG
            formatter: file_style
            filename: /tmp/never-opened.log
    root:
        level: INFO
        handlers: [file,console]
"""


def section(*lines):
    return "soxs-mdark:\n" + "".join(f"    {line}\n" for line in lines)


def values(path=None, arm=None, overrides=()):
    return Settings.read(path, overrides).for_arm(arm).values


def dumped(base, arm):
    text = json.dumps({"soxs-mdark": {**base, "nir": arm}})
    return yaml.safe_dump(json.loads(text), sort_keys=False)
