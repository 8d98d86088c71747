"""The processing record of a run that succeeded."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soxsdark.record import RunIdentity, sha256_of

if TYPE_CHECKING:
    from soxsdark.calibration import MasterBias
    from soxsdark.previous import Previous
    from soxsdark.reduction import Reduced
    from soxsdark.verdicts import Metric


def _sourced(value: Any) -> dict[str, Any]:
    return {"value": value.value, "source": value.source}


def _frames(reduced: "Reduced") -> list[dict[str, Any]]:
    result = []
    rejected = reduced.frame_rejected
    levels = reduced.survey.frame_levels
    for i, (dark, found) in enumerate(
        zip(reduced.inputs.darks, reduced.survey.frames, strict=True)
    ):
        result.append(
            {
                "path": dark.frame.path.absolute(),
                "tag": dark.tag,
                "sha256": found.sha256,
                "mjd-obs": dark.about.mjd_obs,
                "exposure-time": dark.about.exposure_time,
                "level-adu": found.level_adu,
                "level": float(levels[i]),
                "levels": reduced.survey.levels[i].tolist(),
                "ron": found.ron,
                "rons": list(found.rons),
                "clipped-low": found.clipped_low,
                "clipped-high": found.clipped_high,
                "nan-fraction": found.nan_fraction,
                "saturated": found.saturated,
                "rejected": int(rejected[i]),
                "structure": reduced.judged.frame_struct[i],
                "temperature": dark.about.temperature,
            }
        )
    return result


def _amplifiers(reduced: "Reduced") -> list[dict[str, Any]]:
    """Where the pixels of each are in the products before these are turned, and its figures."""
    about, noise = reduced.inputs.darks[0].about, reduced.survey.noise
    return [
        {
            "name": amplifier.section.name,
            "rows": [amplifier.place[0].start, amplifier.place[0].stop],
            "columns": [amplifier.place[1].start, amplifier.place[1].stop],
            "gain": _sourced(amplifier.gain),
            "ron": _sourced(amplifier.ron),
            "sigma": model.sigma,
            "slope-measured": model.measured_slope,
            "slope-error": model.measured_slope_error,
        }
        for amplifier, model in zip(about.amplifiers, noise.models, strict=True)
    ]


def profile_entry(file: Path | None) -> dict[str, Any] | None:
    """The user's own instrument profile; None if there is none."""
    return None if file is None else {"path": file.absolute(), "sha256": sha256_of(file)}


def _master_bias(bias: "MasterBias | None") -> dict[str, Any] | None:
    if bias is None:
        return None
    return {
        "path": bias.path.absolute(),
        "tag": bias.tag,
        "sha256": bias.sha256,
        "datamd5": bias.datamd5,
        "unit": bias.unit,
        "uncertainty": bias.uncertainty,
        "level": bias.level,
        "level-error": bias.level_error,
    }


def _previous(previous: "Previous | None") -> dict[str, Any] | None:
    if previous is None:
        return None
    return {"path": previous.path.absolute(), "sha256": previous.sha256}


def _metric(metric: "Metric") -> dict[str, Any]:
    return {
        "value": metric.value,
        "error": metric.error,
        "unit": metric.unit,
        "frame": metric.frame or None,
        "acceptable-range": metric.acceptable,
        "warning-range": metric.warning,
        "verdict": str(metric.verdict),
        "why": metric.concern,
    }


def _settings(reduced: "Reduced") -> dict[str, Any]:
    settings = reduced.inputs.settings
    values = settings.values.model_dump(by_alias=True)
    return {key: {"value": values[key], "origin": settings.origins[key]} for key in values}


def run_record(
    reduced: "Reduced",
    run: RunIdentity,
    *,
    settings_file: Path | None,
    products: Sequence[dict[str, Any]],
    timings: dict[str, float],
) -> dict[str, Any]:
    """Everything that says how the products came about, as plain values."""
    inputs, about = reduced.inputs, reduced.inputs.darks[0].about
    model, bpm = reduced.survey.noise, reduced.inputs.bad_pixel_map
    return {
        **run.head(succeeded=True),
        "qa-flag": str(reduced.judged.flag),
        "instrument-profile": inputs.profile.name,
        "instrument-profile-file": profile_entry(inputs.profile_file),
        "setup": dict(about.setup),
        "trimmed": about.trimmed,
        "window": [[s.start, s.stop] for s in about.window],
        "rotation": about.rotation,
        "gain": _sourced(about.gain),
        "ron": _sourced(about.ron),
        "amplifiers": _amplifiers(reduced),
        "baseline": about.subtracted,
        "saturation": _sourced(about.saturation),
        "remarks": [*inputs.remarks, *reduced.judged.remarks],
        "warnings": [*inputs.warnings, *(m.concern for m in reduced.judged.concerns)],
        "frames": _frames(reduced),
        "bad-pixel-map": None
        if bpm is None
        else {"path": bpm.path.absolute(), "tag": bpm.tag, "sha256": bpm.sha256},
        "master-bias": _master_bias(inputs.master_bias),
        "previous-master": _previous(inputs.previous),
        "settings-file": settings_file and settings_file.absolute(),
        "settings": _settings(reduced),
        "noise-model": {
            "sigma": model.sigma,
            "slope-used": model.slope,
            "slope-measured": model.measured_slope,
            "slope-error": model.measured_slope_error,
            "scale": reduced.noise_scale,
        },
        "metrics": {m.name: _metric(m) for m in reduced.judged.metrics},
        "products": list(products),
        "seconds": timings,
    }
