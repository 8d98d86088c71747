"""One run at a time."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from soxsdark.errors import LockedError, ProductError
from soxsdark.lock import held

HOLD = """
import sys, time
from pathlib import Path
from soxsdark.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_one_is_told_who_has_it(tmp_path, holder):
    with pytest.raises(LockedError) as refused, held(tmp_path / "lock"):
        pass
    found = re.fullmatch(
        r"(\S+lock): another run is at work here \(pid (\d+), since (\S+)Z\); try again later",
        str(refused.value),
    )
    assert found[1] == str(tmp_path / "lock")
    assert int(found[2]) == holder.pid
    age = datetime.now(UTC) - datetime.fromisoformat(found[3]).replace(tzinfo=UTC)
    assert 0 <= age.total_seconds() < 60
    assert refused.value.exit_code == 75


def test_a_dead_holder_never_blocks(tmp_path, holder):
    holder.kill()
    holder.wait()
    with held(tmp_path / "lock"):
        assert f"pid {os.getpid()}," in (tmp_path / "lock").read_text()
    assert (tmp_path / "lock").read_text() == ""


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path / "new" / "lock"):
        raise ZeroDivisionError
    assert (tmp_path / "new" / "lock").read_text() == ""
    with held(tmp_path / "new" / "lock"):
        pass


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(ProductError, match="lock: cannot be written"), held(tmp_path / "lock"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"
