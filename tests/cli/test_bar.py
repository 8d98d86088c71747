"""The bar of progress."""

import sys

from soxsdark import screen


def test_bar_shows_on_a_terminal_and_for_long_runs_only(capsys, monkeypatch):
    def shown(terminal: bool, patience: float) -> str:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        monkeypatch.setattr(screen, "PATIENCE", patience)
        progress = screen.Progress()
        for step in range(1, 4):
            progress("frames", step, 3)
        progress.close()
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    assert "frames" in shown(True, -1)
    assert shown(True, 1000) == ""
    assert shown(False, -1) == ""
