"""Publishing while others publish the same names."""

import os
import threading
from pathlib import Path

import pytest

from soxsdark.errors import ProductError
from soxsdark.publish import Workspace
from tests.publish.filled import NAMES, contents, fill, no_links


def test_another_run_s_file_is_never_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def intrude(source: Path, target: Path) -> None:
        if target.name == "d.json":
            (tmp_path / "d_BPM.fits").unlink()
            (tmp_path / "d_BPM.fits").write_text("another run's")
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "link", intrude)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        with pytest.raises(KeyboardInterrupt):
            workspace.publish(NAMES, overwrite=False, last="d.json")
    assert contents(tmp_path) == {"d_BPM.fits": "another run's"}


@pytest.mark.parametrize("links", [True, False])
def test_of_two_publishers_one_wins(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    for round_ in range(20):
        target = tmp_path / str(round_)
        start = threading.Barrier(4)
        winners, losers = [], []

        def run(text: str, target: Path, start: threading.Barrier, won: list, lost: list) -> None:
            with Workspace(target) as workspace:
                fill(workspace, text)
                start.wait()
                try:
                    workspace.publish(NAMES, overwrite=False, last="d.json")
                    won.append(text)
                except ProductError:
                    lost.append(text)

        threads = [
            threading.Thread(target=run, args=(text, target, start, winners, losers))
            for text in "abcd"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(winners), len(losers)) == (1, 3)
        assert contents(target) == dict.fromkeys(NAMES, winners[0])
