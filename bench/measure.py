"""The cost of one whole process: wall time, CPU time and peak memory.

A child inherits the high-water mark of the process it is started from. So every command is
started by a launcher, this very file run as a bare interpreter of some MiB, whatever the size of
the process that asks.
"""

import json
import os
import sys
import time

MIB = 2**20
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ``ru_maxrss``."""


class CommandError(Exception):
    """A command that gave no result; its text says how it ended."""


def measure(command, *, cwd, log, env=None, good_codes=(0,), timeout=1800.0) -> dict[str, float]:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    cwd : Path
        The folder it runs in.
    log : Path
        Takes what it writes to stdout and stderr; its stdin is empty.
    env : mapping of str to str, optional
        Its environment; default: that of this process.
    good_codes : sequence of int
        Exit codes that are no failure.
    timeout : float
        Longest time, s.

    Returns
    -------
    dict
        ``wall`` and ``cpu`` (user + system) in s, ``peak`` in MiB. Children that the command
        waited for count in the CPU time; the peak is that of the largest single process.

    Raises
    ------
    CommandError
        If it cannot be started, ends with another exit code, or takes too long.
    """
    report = json.loads(_launch([str(log), *map(str, command)], cwd, env, timeout))
    code = report.pop("code")
    if code not in good_codes:
        raise CommandError(f"ended {f'by signal {-code}' if code < 0 else f'with code {code}'}")
    return report


def _launch(arguments: list[str], cwd, env, timeout: float) -> str:
    import signal
    import subprocess

    with subprocess.Popen(
        [sys.executable, "-I", "-S", os.path.abspath(__file__), *arguments],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as launcher:
        try:
            report, error = launcher.communicate(timeout=timeout)
        except BaseException as problem:
            os.killpg(launcher.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise CommandError(f"took longer than {timeout:g} s") from problem
            raise
    if launcher.returncode:
        why = (error.strip().splitlines() or ["the launcher was killed"])[-1]
        raise CommandError(f"could not be started: {why}")
    return report


def _run_and_report(log: str, *command: str) -> None:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    report = {
        "wall": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * PEAK_UNIT / MIB,
        "code": os.waitstatus_to_exitcode(status),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _run_and_report(*sys.argv[1:])
