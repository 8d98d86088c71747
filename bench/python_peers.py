"""soxsdark itself, and the libraries that are always there beside it."""

import sys
from importlib import metadata, util
from pathlib import Path

from bench.peer import Job, Peer
from bench.sets import MadeSet

HERE = Path(__file__).parent
DONE = (0, 10, 11)
"""soxsdark made its products; 10 and 11 are its verdict on the data."""


def _version(package: str):
    def version() -> str:
        return f"{package} {metadata.version(package)}"

    return version


def _no_kernel() -> str | None:
    return None if util.find_spec("soxsdark._kernel") else "its kernel is not compiled here"


def soxsdark(key: str, title: str, *, kernel: str | None = None, settings=(), missing=None) -> Peer:
    """Make soxsdark a peer.

    Parameters
    ----------
    key, title : str
        As in `Peer`.
    kernel : str, optional
        Value of ``SOXSDARK_KERNEL``; None = unset.
    settings : sequence of str
        Settings as KEY=VALUE.
    missing : callable, optional
        As in `Peer`.
    """

    def prepare(dark_set: MadeSet, folder: Path) -> Job:
        out = folder / "products"
        options = [word for setting in settings for word in ("--set", setting)]
        python = [sys.executable, "-m", "soxsdark", "mdark"]
        return Job(
            command=(*python, str(dark_set.sof), "--output", str(out), *options),
            product=out / "darks_MDARK.fits",
            made=(out,),
            good_codes=DONE,
            environment={"SOXSDARK_KERNEL": kernel},
        )

    return Peer(key, title, _version("soxsdark"), prepare, missing or (lambda: None))


def _script(key: str, title: str, script: str, *arguments: str) -> Peer:
    package = script.removesuffix(".py").split("_")[1]

    def prepare(dark_set: MadeSet, folder: Path) -> Job:
        product = folder / "master.fits"
        files = [str(product), *map(str, dark_set.frames)]
        return Job(
            (sys.executable, str(HERE / script), *arguments, *files), product, made=(product,)
        )

    def missing() -> str | None:
        return None if util.find_spec(package) else "not installed"

    return Peer(key, title, _version(package), prepare, missing)


ASTROPY = _script("astropy", "astropy: clip (MAD), mean", "clip_astropy.py", "mad_std")
ASTROPY_STD = _script("astropy-std", "astropy: clip (std), mean", "clip_astropy.py", "std")
CCDPROC = _script("ccdproc", "ccdproc: combine", "combine_ccdproc.py")
COMPILED = soxsdark("soxsdark", "soxsdark, compiled", missing=_no_kernel)
NUMPY = soxsdark("soxsdark-numpy", "soxsdark, NumPy only", kernel="numpy")


def default() -> Peer:
    """Give soxsdark as it runs here without further ado."""
    return NUMPY if COMPILED.missing() else COMPILED


PEERS = (ASTROPY, ASTROPY_STD, COMPILED, NUMPY, CCDPROC)
