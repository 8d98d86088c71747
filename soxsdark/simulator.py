"""Simulated sets of raw darks, with the truth about every pixel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from soxsdark.errors import ProductError
from soxsdark.scene import PixelClass as PixelClass
from soxsdark.scene import Scene as Scene
from soxsdark.simulated_arms import ARMS
from soxsdark.simulated_headers import map_cards, raw_cards, scene_cards, tagged

if TYPE_CHECKING:
    from astropy.io import fits

    from soxsdark.simulated_truth import Truth


@dataclass(frozen=True)
class SimulatedSet:
    """The files of one simulated set."""

    sof: Path
    frames: tuple[Path, ...]
    bad_pixel_map: Path
    truth: Path
    profile: Path | None = None
    """Instrument profile of a detector of another size than the real one."""


def simulate(
    directory: Path,
    scene: Scene,
    *,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> SimulatedSet:
    """Write raw darks, a bad-pixel map, the truth about them, and a SOF, which comes last.

    A detector of several amplifiers that is not of its own size gets a profile too.

    Parameters
    ----------
    directory : pathlib.Path
        Where to write; made if need be.
    scene : Scene
        What to write. The same scene gives the same bytes, and frame k of two scenes that
        differ in the number of frames alone has the same pixels (a light leak apart).
    progress : callable, optional
        Called with the frames done and the frames in all, after every frame.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    SimulatedSet
        The paths of what was written.

    Raises
    ------
    ProductError
        A file exists already, or cannot be written.
    """
    files = _plan(Path(directory), scene)
    _check_free(files, scene, overwrite)
    try:
        files.sof.parent.mkdir(parents=True, exist_ok=True)
        # the SOF first; a link goes, what it leads to stays
        for path in _all(files):
            path.unlink(missing_ok=True)
        _write_set(files, scene, progress)
        tag = tagged(scene.kind.upper(), scene)
        lines = [f"{path.name} {tag}\n" for path in files.frames]
        if scene.list_bad_pixel_map:
            lines.append(f"{files.bad_pixel_map.name} {tagged('BP_MAP', scene)}\n")
        files.sof.write_text("".join(lines), encoding="utf-8")
    except OSError as problem:
        raise ProductError(
            f"{files.sof.parent}: cannot be written ({problem}); use another folder"
        ) from problem
    return files


def read_truth(path: Path) -> Truth:
    """Read the truth file of a simulated set.

    Returns
    -------
    soxsdark.simulated_truth.Truth
        Images (of the science window, turned as the products are, e-), tables, and the number of
        hits of each pixel.

    Raises
    ------
    InputError
        The file is no truth file.
    """
    from soxsdark.simulated_truth import load_truth

    return load_truth(path)


def _plan(directory: Path, scene: Scene) -> SimulatedSet:
    names = (f"{scene.arm}_{scene.kind}_{number:03d}.fits" for number in range(1, scene.frames + 1))
    return SimulatedSet(
        sof=directory / ("darks.sof" if scene.exptime else "biases.sof"),
        frames=tuple(directory / name for name in names),
        bad_pixel_map=directory / "bpm.fits",
        truth=directory / "truth.fits",
        profile=directory / f"{scene.arm.lower()}.yaml" if _needs_profile(scene) else None,
    )


def _all(files: SimulatedSet) -> tuple[Path, ...]:
    others = () if files.profile is None else (files.profile,)
    return (files.sof, *files.frames, files.bad_pixel_map, files.truth, *others)


def _needs_profile(scene: Scene) -> bool:
    """Whether the frames are of a size that the instrument's own profile does not know."""
    return scene.shape is not None and len(ARMS[scene.arm].readouts) > 1


def _check_free(files: SimulatedSet, scene: Scene, overwrite: bool) -> None:
    planned = _all(files)
    taken = [path for path in planned if os.path.lexists(path)]
    if taken and not overwrite:
        raise ProductError(f"{taken[0]}: exists already; overwrite with -x, or use another folder")
    older = sorted(set(files.sof.parent.glob(f"{scene.arm}_{scene.kind}_*.fits")) - set(planned))
    if older:
        raise ProductError(
            f"{older[0]}: a frame of a longer set; remove all {len(older)}, or use another folder"
        )


def _write_set(
    files: SimulatedSet, scene: Scene, progress: Callable[[int, int], None] | None
) -> None:
    from astropy.io import fits

    from soxsdark import simulated_truth, sky
    from soxsdark.orientation import to_raw

    seed, *frame_seeds = sky.seeds(scene)
    detector = sky.build_detector(scene, seed)
    levels, cosmics = [], []
    for index, (path, frame_seed) in enumerate(zip(files.frames, frame_seeds, strict=True)):
        raw, level, hits = sky.expose(scene, detector, index, frame_seed)
        hdu = fits.PrimaryHDU(to_raw(raw, ARMS[scene.arm].rotation).copy())
        hdu.header.extend(raw_cards(scene, index, path.name))
        _write([hdu], path, scene)
        levels.append(level)
        cosmics.append(hits)
        if progress is not None:
            progress(index + 1, scene.frames)
    listed = (detector.classes & PixelClass.LISTED != 0).astype("uint8")
    bad = fits.PrimaryHDU(listed)
    bad.header.extend(map_cards(scene))
    _write([bad], files.bad_pixel_map, scene)
    truth = simulated_truth.truth_of(scene, detector, levels, cosmics)
    hdus = simulated_truth.truth_hdus(truth)
    hdus[0].header.extend(scene_cards(scene))
    _write(hdus, files.truth, scene)
    if files.profile is not None:
        from soxsdark.simulated_profile import fitted_profile

        files.profile.write_text(fitted_profile(scene), encoding="ascii")


def _write(hdus: Sequence[fits.PrimaryHDU], path: Path, scene: Scene) -> None:
    """Write with checksums whose comments name the scene's date, so that bytes repeat."""
    from astropy.io.fits import HDUList

    for hdu in hdus:
        hdu.add_checksum(when=scene.date_obs)
    HDUList(list(hdus)).writeto(path, overwrite=True)
