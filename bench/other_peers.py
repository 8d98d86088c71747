"""Programs that take part if they are on PATH. Their settings go to a home of their own."""

import re
import shutil
import site
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.peer import Job, Peer, link_frames
from bench.sets import MadeSet
from soxsdark.parallel import processors

SIRIL_SCRIPT = """requires 1.0.0
setcpu {threads}
convert dark -out={work}
cd {work}
stack dark mean none -nonorm -out={product}
"""
IRAF_SCRIPT = """images
immatch
imcombine ("@list", "master.fits", combine="average", reject="sigclip", lsigma=3., hsigma=3., \
outtype="real", logfile="")
logout
"""
SOXSPIPE_SETTINGS = "lib/python*/site-packages/soxspipe/soxs_default_settings.yaml"
"""Its defaults, under the prefix it is installed in."""
SOXSPIPE_NEEDS = {"ESO INS TEMP301 VAL": 12.0, "ESO INS TEMP217 VAL": 39.99}
"""Temperatures it wants in any frame."""


def _found(*names: str) -> str | None:
    return next((path for path in map(shutil.which, names) if path), None)


def _on_path(*names: str) -> Callable[[], str | None]:
    return lambda: None if _found(*names) else "not on PATH"


def _says(name: str, *command: str) -> Callable[[], str]:
    """Give what names its version: the first number in the output of a command."""

    def version() -> str:
        if not _found(command[0]):
            return name
        run = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        words = (word.strip("vV,") for word in run.stdout.split())
        return f"{name} {next((word for word in words if word[:1].isdigit()), '')}".rstrip()

    return version


def _siril(dark_set: MadeSet, folder: Path) -> Job:
    link_frames(dark_set, folder / "frames")
    work, product, script = folder / "work", folder / "master.fit", folder / "stack.ssf"
    script.write_text(
        SIRIL_SCRIPT.format(threads=processors(), work=work, product=folder / "master")
    )
    return Job(
        ("siril-cli", "-d", str(folder / "frames"), "-s", str(script)),
        product,
        made=(product, work),
        environment={"HOME": str(folder)},
    )


def _iraf(dark_set: MadeSet, folder: Path) -> Job:
    frames = link_frames(dark_set, folder / "frames")
    (folder / "list").write_text("".join(f"{Path(f).relative_to(folder)}\n" for f in frames))
    (folder / "combine.cl").write_text(IRAF_SCRIPT)
    product = folder / "master.fits"
    command = (_found("irafcl", "ecl", "cl"), "-f", "combine.cl")
    return Job(command, product, made=(product,), environment={"HOME": str(folder)})


def _gnuastro(dark_set: MadeSet, folder: Path) -> Job:
    product = folder / "master.fits"
    frames = [str(frame) for frame in dark_set.frames]
    clip = (str(len(frames)), "3", "5", "sigclip-mean")
    options = ("--globalhdu=0", f"--output={product}")
    return Job(("astarithmetic", *frames, *clip, *options), product, made=(product,))


def _esorex(recipe: str, tag: str) -> Peer:
    def prepare(dark_set: MadeSet, folder: Path) -> Job:
        sof, product = folder / "darks.sof", folder / "out_0000.fits"
        sof.write_text("".join(f"{frame} {tag}\n" for frame in dark_set.frames))
        options = (f"--output-dir={folder}", f"--log-dir={folder}", "--suppress-prefix=FALSE")
        command = ("esorex", *options, recipe, str(sof))
        return Job(command, product, made=(product,), environment={"HOME": str(folder)})

    version = _says("esorex", "esorex", "--version")
    return Peer(recipe, f"esorex {recipe}", version, prepare, _on_path("esorex"))


def _soxspipe_settings() -> Path | None:
    program = _found("soxspipe")
    return program and next(Path(program).resolve().parents[1].glob(SOXSPIPE_SETTINGS), None)


def _no_soxspipe() -> str | None:
    if not _found("soxspipe"):
        return "not on PATH"
    return None if _soxspipe_settings() else "its default settings are not beside it"


def _soxspipe(dark_set: MadeSet, folder: Path) -> Job:
    from astropy.io import fits

    raw, sof, out = folder / "raw", folder / "darks.sof", folder / "out"
    raw.mkdir()
    for frame in dark_set.frames:
        with fits.open(frame, do_not_scale_image_data=True) as hdus:
            hdus[0].header.update({f"HIERARCH {key}": v for key, v in SOXSPIPE_NEEDS.items()})
            hdus.writeto(raw / frame.name)
    sof.write_text("".join(f"{raw / frame.name} DARK\n" for frame in dark_set.frames))
    settings = _soxspipe_settings().read_text(encoding="utf-8")
    # as shipped, it logs into the home of its author
    settings = re.sub(r"(?m)^( *filename:).*$", rf"\1 {folder / 'soxspipe.log'}", settings)
    (folder / "soxspipe.yaml").write_text(settings, encoding="utf-8")
    command = ("soxspipe", "mdark", str(sof), "-x", "-o", str(out), "-s", "soxspipe.yaml")
    out.mkdir()
    product = out / "reduced" / "soxs-mdark" / "darks.fits"
    # its packages may be the user's own, which are looked for under HOME
    environment = {"HOME": str(folder), "PYTHONUSERBASE": site.getuserbase()}
    return Job(command, product, made=(product,), environment=environment)


PEERS = (
    Peer(
        "siril",
        f"siril, {processors()} threads: mean, no clipping",
        _says("siril", "siril-cli", "--version"),
        _siril,
        _on_path("siril-cli"),
    ),
    Peer(
        "iraf",
        "IRAF: imcombine, sigclip",
        _says("IRAF", "irafcl", "-v"),
        _iraf,
        _on_path("irafcl", "ecl", "cl"),
    ),
    Peer(
        "gnuastro",
        "gnuastro: sigclip-mean",
        _says("gnuastro", "astarithmetic", "--version"),
        _gnuastro,
        _on_path("astarithmetic"),
    ),
    _esorex("hawki_dark_combine", "DARK"),
    _esorex("naco_img_dark", "CAL_DARK"),
    Peer(
        "soxspipe",
        "soxspipe: mdark",
        _says("soxspipe", "soxspipe", "-v"),
        _soxspipe,
        _no_soxspipe,
    ),
)
