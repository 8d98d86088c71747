"""Masters of darks and biases that share a pattern."""

from types import SimpleNamespace

import pytest

from soxsdark import mbias, mdark
from soxsdark.simulator import read_truth
from tests.bias.pairs import COLUMNS, made


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """Five darks and ten biases with a strong pattern, their truths, and what is made of them."""
    folder = tmp_path_factory.mktemp("pair")
    dark, bias = made(folder, 5, 10, COLUMNS)
    master = mbias(bias.sof, output=folder / "o")
    result = mdark(dark.sof, output=folder / "o", master_bias=master.master)
    return SimpleNamespace(
        folder=folder, dark=dark, bias=bias, master=master, result=result,
        truth=read_truth(dark.truth), bias_truth=read_truth(bias.truth),
    )  # fmt: skip
