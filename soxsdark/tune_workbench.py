"""The same frames reduced with one set of settings after another; only what changes is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from soxsdark.combine import Combined
from soxsdark.file_set import FileSet
from soxsdark.inputs import Inputs, open_inputs
from soxsdark.orientation import to_product
from soxsdark.reduction import Reduced, flag_set, stack_set, survey_set
from soxsdark.settings import Settings
from soxsdark.stage import Stage
from soxsdark.survey import Survey
from soxsdark.tune_frames import HeldFrames, hold
from soxsdark.tune_sweep import STAGES

REFERENCE_BYTES = 12
"""For each pixel: what the current settings made of it, and the truth about it."""
STACK_BYTES = 20
"""For each pixel: a stack that is flagged more than once."""


@dataclass
class Workbench:
    """The frames of a set, and the stages of the last reduction that the next may share."""

    files: FileSet
    calibrations: Mapping[str, Any]
    """As `open_inputs` takes them."""
    inputs: Inputs
    """With the current settings, on held frames."""
    held: HeldFrames
    keep_stack: bool
    _survey: tuple[tuple[Any, ...], Survey] | None = field(default=None, repr=False)
    _stack: tuple[tuple[Any, ...], Combined] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        files: FileSet,
        inputs: Inputs,
        calibrations: Mapping[str, Any],
        *,
        keep_stack: bool,
    ) -> "Workbench":
        """Read the frames.

        Parameters
        ----------
        files : FileSet
        inputs : Inputs
            The same, opened with the current settings.
        calibrations : mapping
            As `open_inputs` takes them.
        keep_stack : bool
            Whether settings will follow one another that differ in what is flagged alone: their
            stack is kept if it fits in beside the frames.
        """
        held = hold(inputs, REFERENCE_BYTES, spare=STACK_BYTES * keep_stack)
        keep_stack = keep_stack and held.spare
        return cls(files, calibrations, held.put_into(inputs), held, keep_stack)

    @property
    def arm(self) -> str | None:
        """Of the frames."""
        return self.inputs.darks[0].about.arm

    @property
    def seen(self) -> np.ndarray | None:
        """Pixels that are worked on, in product orientation; None: all."""
        if self.held.whole:
            return None
        about = self.inputs.darks[0].about
        image = np.zeros(about.shape, bool)
        for rows in self.held.blocks:
            image[rows] = True
        return to_product(image, about.rotation)

    def let_go(self) -> None:
        """Give back the memory of the frames; nothing can be reduced any more."""
        self.held.frames.clear()
        self.held.kept.clear()
        self.inputs = replace(self.inputs, darks=())
        self._survey = self._stack = None

    def reduce(self, settings: Settings) -> Reduced:
        """Reduce the frames, or their bands, as a run with these settings does."""
        inputs = self._inputs_of(settings)
        key = _values(inputs, Stage.SURVEY)
        if self._survey is None or self._survey[0] != key:
            # one at a time: what the one before has left would only take memory
            self._stack = self._survey = None
            self._survey = key, survey_set(inputs)
        surveyed = self._survey[1]
        return flag_set(inputs, surveyed, self._stacked(inputs, surveyed))

    def _stacked(self, inputs: Inputs, surveyed: Survey) -> Combined:
        key = _values(inputs, Stage.STACK)
        if self._stack is None or self._stack[0] != key:
            self._stack = None
            made = stack_set(inputs, surveyed, self.held.blocks)
            if not self.keep_stack:
                return made
            self._stack = key, made
        made = self._stack[1]
        # the master takes their memory
        return replace(made, mean=made.mean.copy(), errors=made.errors.copy())

    def _inputs_of(self, settings: Settings) -> Inputs:
        same = replace(self.inputs, settings=settings.for_arm(self.arm))
        if _values(same, Stage.FRAMES) != _values(self.inputs, Stage.FRAMES):
            same = open_inputs(self.files, settings, **self.calibrations)
        return self.held.put_into(same)


def _values(inputs: Inputs, last: Stage) -> tuple[Any, ...]:
    """What the stages up to `last` depend on."""
    values = inputs.settings.values
    return tuple(getattr(values, k.replace("-", "_")) for k, s in STAGES.items() if s <= last)
