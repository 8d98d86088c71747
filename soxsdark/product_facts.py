"""What the headers of a run's products say, from its results."""

from soxsdark.headers import ProductFacts
from soxsdark.names import Names
from soxsdark.record import RunIdentity
from soxsdark.reduction import Reduced
from soxsdark.version import __version__


def facts_of(reduced: Reduced, names: Names, identity: RunIdentity) -> ProductFacts:
    """Gather what the headers of both products say of the run."""
    inputs, kind = reduced.inputs, reduced.inputs.kind
    darks, about = inputs.darks, inputs.darks[0].about
    arm = about.arm
    tag = f"{kind.tag}_{arm}" if arm else kind.tag
    bpm, bias = inputs.bad_pixel_map, inputs.master_bias
    products = {kind.category: names.master, "BP_MAP": names.mask}
    first = min(darks, key=lambda d: d.about.mjd_obs or 0.0).about
    starts = [start for d in darks if (start := d.about.mjd_obs) is not None]
    ends = [end for d in darks if (end := d.about.mjd_end) is not None]
    values = inputs.settings.values.model_dump(by_alias=True, exclude={"qc_acceptable_ranges"})
    return ProductFacts(
        version=__version__,
        run_id=identity.run_id,
        products={category: name for category, name in products.items() if name},
        recipe_id=kind.recipe,
        raws=[(d.name, d.tag or tag) for d in darks],
        calibrations=[
            *([(bpm.path.name, bpm.tag, None)] if bpm else []),
            *([(bias.path.name, bias.tag, bias.datamd5)] if bias else []),
        ],
        exposure_time=about.exposure_time,
        total_exposure=sum(d.about.exposure_time * d.about.ndit for d in darks),
        instrument=str(about.setup.get("instrument") or "") or None,
        arm=arm,
        parameters=list(values.items()),
        metrics=reduced.judged.metrics,
        first_date_obs=first.date_obs,
        first_mjd=min(starts, default=None),
        last_mjd=max(ends, default=None),
        ndit=about.ndit,
        window=about.window if about.gapless else None,
        trimmed=about.trimmed,
        rotation=about.rotation,
        qa_flag=str(reduced.judged.flag),
        pedestal=inputs.pedestal,
        baseline=about.subtracted,
    )
