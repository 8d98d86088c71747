"""What the log says of a run, a line an event."""

import logging

from soxsdark.compiled import path_in_use
from soxsdark.inputs import Inputs
from soxsdark.reduction import Reduced, plan_of


def log_inputs(logger: logging.Logger, inputs: Inputs) -> None:
    """Write what goes in, where each value comes from, and what is worth a remark."""
    held = plan_of(inputs)
    counts = held.frame_threads, held.threads, held.rows
    logger.info("%s; %d and %d threads, blocks of %d rows", path_in_use(), *counts)
    about = inputs.darks[0].about
    setup = ", ".join(f"{k} {v}" for k, v in about.setup.items() if v is not None)
    logger.info("%d frames, profile %s: %s", len(inputs.darks), inputs.profile.name, setup)
    for what in ("gain", "ron", "saturation"):
        given = getattr(about, what)
        logger.info("%s: %s (%s)", what, given.value, given.source)
    if (bias := inputs.master_bias) is not None:
        said = bias.path.name, bias.level, bias.unit, bias.sha256
        logger.info("master bias %s: level %.3f e-, unit %s, SHA-256 %s", *said)
    for key, origin in inputs.settings.origins.items():
        if origin != "default":
            value = getattr(inputs.settings.values, key.replace("-", "_"))
            logger.info("setting %s = %s (%s)", key, value, origin)
    for remark in inputs.remarks:
        logger.info("remark: %s", remark)
    for warning in inputs.warnings:
        logger.warning("%s", warning)


def log_results(logger: logging.Logger, reduced: Reduced) -> None:
    """Write the figures of every frame and of the whole."""
    frames = zip(reduced.inputs.darks, reduced.survey.frames, strict=True)
    for number, (dark, found) in enumerate(frames):
        logger.info(
            "frame %s: level %.3f ADU, RON %.3f e-, %d pixels clipped, %d samples rejected",
            dark.name, found.level_adu, found.ron, found.clipped,
            reduced.frame_rejected[number],
        )  # fmt: skip
    model = reduced.survey.noise
    logger.info("noise model: sigma-zero %.4f e-, slope used %.4f", model.sigma, model.slope)
    for metric in reduced.judged.metrics:
        error = "" if metric.error is None else f" +- {metric.error:g}"
        logger.info("QC %s = %s%s %s", metric.name, metric.value, error, metric.unit)
    for remark in reduced.judged.remarks:
        logger.info("remark: %s", remark)
    for metric in reduced.judged.concerns:
        logger.warning("%s", metric.concern)
