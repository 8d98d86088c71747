"""The instrument profile of a simulated detector that is not of its real size."""

from soxsdark.instruments import ANY_ARM, Profile, recognise
from soxsdark.instruments.listing import profile_text
from soxsdark.scene import Scene
from soxsdark.simulated_arms import ARMS


def fitted_profile(scene: Scene) -> str:
    """Return the profile of the scene's instrument as YAML, with areas that fit the scene."""
    profile = recognise(ARMS[scene.arm].instrument)
    content = profile.model_dump(mode="json", by_alias=True)
    detector = content["arms"][ANY_ARM]
    detector["shape"] = scene.fitted(*detector["shape"])
    for area in detector["amplifiers"]:
        for prefix in ("", "overscan-"):
            rows, columns = f"{prefix}rows", f"{prefix}columns"
            window = scene.fitted_window(area[rows], area[columns])
            area[rows], area[columns] = ((span.start, span.stop) for span in window)
    return profile_text(Profile.model_validate(content))
