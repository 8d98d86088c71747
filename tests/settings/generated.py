"""Settings files at random: pieces of YAML, and values that are allowed."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.settings.files import KEYS

QUIET = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

WORDS = [*KEYS, "soxs-mdark", "nir", "logging settings", "root", "level", "formatters", "format"]
MARKS = [
    ": ",
    "\n",
    "\n    ",
    "\n        ",
    "- ",
    ",",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "#",
    "%",
    "? ",
    "@",
]
MARKS += ["[", "]", "{", "}", "&a ", "*a", "!!", "!!python/name:os.system", "<<", "---", "...", "`"]
ODD = [
    "%YAML 1.1",
    "%TAG ! x",
    '"\\x4',
    '"\\U00110000"',
    "\t",
    "\r",
    "\x00",
    "\x85",
    "\ud7ff",
    "\ufeff",
]
SCALARS = ["0", "-1", "1e9", "1e-7", ".nan", "null", "true", "12:00", "mad", "~", "0x", "1_", "+."]
FRAGMENTS = st.sampled_from(WORDS + MARKS + ODD + SCALARS)


POSITIVE = st.floats(1e-6, 1e6)
VALID = {
    "gain": st.none() | POSITIVE,
    "ron": st.none() | st.floats(0, 100),
    "saturation": st.none() | POSITIVE,
    "trim": st.booleans(),
    "instrument": st.none() | st.text("abcnoyes-: #'\"", min_size=1).filter(str.strip),
    "data-extension": st.none()
    | st.integers(0, 10000)
    | st.sampled_from(["SCI", "1", "no", "~", "12:00"]),
    "minimum-frame-count": st.integers(2, 1000),
    "maximum-nan-fraction": st.floats(0, 1),
    "clipping-iteration-count": st.integers(0, 1000),
    "stacked-clipping-sigma": POSITIVE,
    "stacked-clipping-deviation": st.sampled_from(["noise-model", "mad", "std"]),
    "background-box": st.just(0) | st.integers(8, 1000),
    "hot-pixel-rate": st.none() | POSITIVE,
    "qc-acceptable-ranges": st.dictionaries(
        st.sampled_from(["raw-ron", "fpn"]),
        st.tuples(st.floats(-9, 0), st.none() | st.floats(1, 9)),
    ),
}
VALID_SETTINGS = st.fixed_dictionaries({}, optional=VALID)
