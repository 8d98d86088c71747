"""Instrument profiles as text: a table of those that come with the program, and one in full."""

import re

import yaml

from soxsdark.instruments import ANY_ARM, Profile, load_profile, profile_names
from soxsdark.yaml_nodes import REAL

WIDTH = 100


class _Dumper(yaml.SafeDumper):
    """The safe dumper without aliases, which no profile may have."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out wherever it stands."""
        return True


# a text like 1e5 is put in quotes: a number where profiles are read, none to PyYAML
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"(?:{REAL.pattern})\Z"), list("-+.0123456789")
)


def profile_rows() -> list[tuple[str, str, str]]:
    """Return name, arms, and recognised INSTRUME of each packaged profile."""
    profiles = [load_profile(name) for name in profile_names()]
    return [
        (
            profile.name,
            ", ".join("any" if arm == ANY_ARM else arm for arm in profile.arms) or "any",
            ", ".join(profile.recognise) or "any other",
        )
        for profile in profiles
    ]


def profile_text(profile: Profile) -> str:
    """Return a profile as YAML in ASCII, every field in it, which loads as the same profile."""
    return yaml.dump(
        profile.model_dump(mode="json", by_alias=True),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        width=WIDTH,
    )
