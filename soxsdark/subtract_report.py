"""What is said of a frame without its dark: header, record and log."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from astropy.io import fits

from soxsdark.dark_match import Dark
from soxsdark.headers import ProductFacts, product_header
from soxsdark.instruments import own_profile
from soxsdark.record import RunIdentity
from soxsdark.report_record import profile_entry
from soxsdark.subtraction import Job, Result, Tools
from soxsdark.version import __version__

CATEGORY = "DARK_SUBTRACTED"
RECIPE = "subtract"


def subtracted_header(
    job: Job, tools: Tools, result: Result, run_id: str, name: str | None
) -> fits.Header:
    """Return the header of the product, of file name `name`; None: it becomes no file."""
    about, dark, bias = job.about, tools.dark, tools.bias
    used = [(dark.path.name, _category(dark), _md5(dark), dark.file.sha256)]
    if bias is not None:
        used.append((bias.path.name, bias.tag, bias.datamd5, bias.sha256))
    sums = [(f"sha256 of {n}", sha256) for n, *_, sha256 in used]
    facts = ProductFacts(
        version=__version__,
        run_id=run_id,
        recipe_id=RECIPE,
        products={} if name is None else {CATEGORY: name},
        raws=[(job.source.path.name, about.image_type or None)],
        calibrations=[entry[:3] for entry in used],
        parameters=[("scale", tools.scale), ("factor", job.factor), *sums],
        metrics=result.metrics,
        exposure_time=about.exposure_time,
        total_exposure=about.exposure_time * about.ndit,
        instrument=str(about.setup.get("instrument") or "") or None,
        arm=about.arm,
        first_date_obs=about.date_obs,
        first_mjd=about.mjd_obs,
        last_mjd=about.mjd_end,
        ndit=about.ndit,
        window=about.window if about.gapless else None,
        trimmed=about.trimmed,
        rotation=about.rotation,
        pedestal=False,
    )
    return product_header(job.source.header, facts, CATEGORY)


def _category(dark: Dark) -> str:
    return str(dark.file.header.get("ESO PRO CATG", "MASTER_DARK"))


def _md5(dark: Dark) -> str | None:
    return str(dark.file.header.get("DATAMD5", "")).strip() or None


def subtracted_record(
    job: Job, tools: Tools, result: Result, run: RunIdentity, products: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the record of one frame, whose product has the entries `products`."""
    about, dark, bias = job.about, tools.dark, tools.bias
    return {
        **run.head(succeeded=True),
        "instrument-profile": dark.profile.name,
        "instrument-profile-file": profile_entry(own_profile(dark.settings.instrument)),
        "setup": dict(about.setup),
        "trimmed": about.trimmed,
        "window": [[part.start, part.stop] for part in about.window],
        "frame": {
            "path": job.source.path.absolute(),
            "sha256": result.sha256,
            "unit": job.source.unit,
            "exposure-time": about.exposure_time,
            "gain": {"value": about.gain.value, "source": about.gain.source},
            "rons": list(result.rons),
        },
        "dark": {
            "path": dark.path.absolute(),
            "sha256": dark.file.sha256,
            "datamd5": _md5(dark),
            "exposure-time": dark.about.exposure_time,
            "run-id": dark.file.header.get("ESO PRO RUNID"),
            "qa-flag": dark.file.header.get("ESO PRO QA FLAG"),
        },
        "master-bias": None
        if bias is None
        else {"path": bias.path.absolute(), "sha256": bias.sha256, "datamd5": bias.datamd5},
        "scale": tools.scale,
        "factor": job.factor,
        "remarks": _remarks(job, tools, result),
        "warnings": list(about.warnings),
        "metrics": {m.name: {"value": m.value, "unit": m.unit} for m in result.metrics},
        "products": list(products),
    }


def _remarks(job: Job, tools: Tools, result: Result) -> list[str]:
    said = [*job.source.remarks, *job.about.remarks, *(tools.bias.remarks if tools.bias else ())]
    if not tools.dark.file.has_errors:
        said.append(f"{tools.dark.path.name} has no errors (ERRS or UNCERT): 0 assumed")
    if None in result.rons:
        said.append("read noise unknown: ERRS lacks it")
    return said


def log_tools(logger: logging.Logger, tools: Tools) -> None:
    """Write what is taken off all frames."""
    dark, bias = tools.dark, tools.bias
    given = dark.path.name, dark.about.exposure_time, dark.profile.name, dark.file.sha256
    logger.info("master dark %s: %g s, profile %s, SHA-256 %s", *given)
    if bias is not None:
        logger.info("master bias %s: SHA-256 %s", bias.path.name, bias.sha256)


def log_subtracted(logger: logging.Logger, record: Mapping[str, Any]) -> None:
    """Write what the record of a frame says, a line an event."""
    frame = record["frame"]
    said = frame["path"].name, frame["exposure-time"], frame["unit"], record["factor"]
    logger.info("frame %s: %g s, in %s, dark x %g, SHA-256 %s", *said, frame["sha256"])
    for remark in record["remarks"]:
        logger.info("remark: %s", remark)
    for warning in record["warnings"]:
        logger.warning("%s", warning)
    for name, metric in record["metrics"].items():
        logger.info("QC %s = %s %s", name, metric["value"], metric["unit"])
    for product in record["products"]:
        made = product["name"], product["size"], product["sha256"]
        logger.info("product %s: %d bytes, SHA-256 %s", *made)
