"""A headless Chromium that is asked over a pipe what it has made of a page."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

PATH = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """Commands of the DevTools protocol, one after the other, and what is told in between."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, os.fdopen(read, "rb")
        self._number = 0
        self._session: dict[str, str] = {}
        self.told: list[dict] = []

    def ask(self, method: str, **parameters) -> dict:
        """Send a command; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.told.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Show a page in a tab of its own, and wait until everything in it is loaded."""
        self._session = {}
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **screen)
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.ask("Page.navigate", url=page.as_uri())
        while not any(m.get("method") == "Page.loadEventFired" for m in self.told):
            self.told.append(self._next())

    def value(self, expression: str):
        """Value of a JavaScript expression in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"]["value"]

    @property
    def complaints(self) -> list[dict]:
        """What was said on the console, and every error."""
        methods = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [m["params"] for m in self.told if m.get("method") in methods]

    def close(self) -> None:
        """Close the pipe; the browser ends."""
        os.close(self._write)
        self._read.close()

    def _next(self) -> dict:
        text = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "the browser has gone"
            text += byte
        return json.loads(text)


@contextmanager
def browser(profile: Path):
    """A browser with a profile folder of its own."""
    # it reads from descriptor 3 and writes to 4
    down, up = os.pipe(), os.pipe()
    redirect = f'exec "$0" "$@" 3<&{down[0]} 4>&{up[1]}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", redirect, PATH, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(down[0], up[1]), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for end in (down[0], up[1]):
        os.close(end)
    asked = Browser(down[1], up[0])
    try:
        yield asked
    finally:
        asked.close()
        process.terminate()
        process.wait(timeout=20)
