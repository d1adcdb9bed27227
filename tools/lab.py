"""A JupyterLab of its own and a browser in front of it, for the browser tests and for the tools
beside this file.

    with Lab(notebooks) as lab, browser() as chromium, lab.open(chromium, name) as reader:
        reader.run_all()
        for explorer in reader.explorers(): ...

The notebooks are copied first, and settings, runtime files and the reader's progress go to a
temporary folder: nothing here touches the checkout or the settings of the person who runs it.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# What the browser's console may say without the course being at fault. Everything else fails a
# test.
IGNORED = (
    re.compile(r"\.map\b.*404|404.*\.map\b"),  # source maps are not shipped with JupyterLab
    re.compile(r"favicon"),
    re.compile(r"/api/contents/.*checkpoints"),
)


class NoBrowser(Exception):
    """There is nothing to drive."""


def browser_path() -> str:
    """The browser that COURSE_BROWSER names, or else the first Chromium on the search path.

    Raises:
        NoBrowser: with a sentence that says what to install.
    """
    named = os.environ.get("COURSE_BROWSER")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise NoBrowser(
            f"COURSE_BROWSER={named}: no such program"
            if named
            else "no Chromium found: install one, or name it in COURSE_BROWSER"
        )
    return found


@contextmanager
def browser():
    """Chromium without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowser(
            "the package playwright is missing: pip install -r requirements-test.txt"
        ) from None
    path = browser_path()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=QUIET + ["--no-sandbox"] * root
        )
        try:
            yield chromium
        finally:
            chromium.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A JupyterLab server on a copy of some notebooks.

    Args:
        notebooks: a folder of notebooks, or one notebook.
        dark: start in JupyterLab's dark theme.
        whole: keep every cell in the page, even those far out of sight; readers have False.
    """

    def __init__(self, notebooks, dark=False, whole=True):
        self.folder = Path(tempfile.mkdtemp(prefix="course_lab_"))
        self.token, self.port = secrets.token_hex(16), free_port()
        source = Path(notebooks)
        (self.folder / "notebooks").mkdir()
        for path in sorted(source.glob("*.ipynb")) if source.is_dir() else [source]:
            shutil.copy(path, self.folder / "notebooks" / path.name)
        settings = {
            "notebook-extension/tracker": {"windowingMode": "none" if whole else "full"},
            "apputils-extension/themes": {
                "theme": "JupyterLab Dark" if dark else "JupyterLab Light"
            },
            "apputils-extension/notification": {"fetchNews": "false"},
            "docmanager-extension/plugin": {"autosave": False},
        }
        for name, values in settings.items():
            path = self.folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")

    def __enter__(self):
        at, env = self.folder, dict(os.environ)
        env |= {
            f"JUPYTER_{name}_DIR": str(at / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")
        }
        env |= {
            "JUPYTERLAB_SETTINGS_DIR": str(at / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(at / "workspaces"),
        }
        env |= {
            "IPYTHONDIR": str(at / "ipython"),
            "COURSE_PROGRESS": str(at / "progress.json"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
        ]
        command += [
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={at}",
            f"--IdentityProvider.token={self.token}",
        ]
        command += [
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        command += ["--LabApp.expose_app_in_browser=True", "--log-level=WARN"]
        command += ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
        with open(at / "server.log", "wb") as log:
            self.server = subprocess.Popen(
                command, env=env, cwd=at, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ask(self, path, method="GET"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}?token={self.token}", method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def _end_kernels(self):
        for session in self._ask("sessions"):
            self._ask(f"sessions/{session['id']}", "DELETE")

    def _wait(self, seconds=90):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.server.poll() is None:
            try:
                self._ask("status")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(
            "JupyterLab did not "
            f"start:\n{(self.folder / 'server.log').read_text(errors='replace')[-3000:]}"
        )

    def __exit__(self, *_):
        self.server.terminate()  # the server ends its kernels
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def open(self, chromium, notebook, width=1280, height=720, density=1.0):
        """A reader in front of one notebook of this server."""
        context = chromium.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=density
        )
        page, complaints = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on(
            "console",
            lambda message: complaints.append(_told(message)) if message.type == "error" else None,
        )
        try:
            # a workspace of its own: JupyterLab would open what earlier readers had open, and run
            # that
            place = f"lab/workspaces/{secrets.token_hex(8)}/tree/notebooks/{notebook}"
            page.goto(f"http://127.0.0.1:{self.port}/{place}?token={self.token}", timeout=90_000)
            yield Reader(page, complaints)
        finally:
            context.close()
            self._end_kernels()


def _told(message) -> str:
    return f"{message.text} ({message.location.get('url', '')})"


PANEL = (
    "const panel = window.jupyterapp?.shell.currentWidget; const cells = panel?.content?.widgets "
    "?? [];"
)


class Reader:
    """Somebody who opens a notebook, runs it and moves what moves."""

    def __init__(self, page, complaints):
        self.page, self._complaints = page, complaints
        ready = (
            f"() => {{ {PANEL} return cells.length && "
            f"panel.sessionContext.session?.kernel?.status === 'idle'; }}"
        )
        page.wait_for_function(ready, timeout=120_000)

    @property
    def complaints(self) -> list[str]:
        """What the browser's console reported as an error and what is not known to be harmless."""
        return [
            text
            for text in self._complaints
            if not any(pattern.search(text) for pattern in IGNORED)
        ]

    def run_all(self, seconds=600):
        """Run every cell: see `run`."""
        self.run(None, seconds)

    def run(self, places: list[int] | None, seconds=600):
        """Run the cells at these places, in this order; None: every cell.

        Raises:
            AssertionError: a cell failed, with its error.
            TimeoutError: the notebook took longer than that.
        """
        if places is None:
            self.page.evaluate(
                "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
            )
        else:
            self.page.evaluate(
                f"""(places) => {{ {PANEL}
                const all = panel.content.widgets;
                for (const place of places) {{
                    all[place].model.executionCount = null;
                    panel.content.deselectAll();
                    panel.content.activeCellIndex = place;
                    window.jupyterapp.commands.execute('notebook:run-cell');
                }} }}""",
                places,
            )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.page.evaluate(f"""(places) => {{ {PANEL}
                const asked = cells.filter((_, place) => places === null || places.includes(place));
                const code = asked.filter((cell) => cell.model.type === 'code' && cell.model.sharedModel.getSource().trim());
                const outputs = code.flatMap((cell) => cell.model.outputs.toJSON());
                return {{
                    left: code.filter((cell) => cell.model.executionCount === null || cell.model.executionState === 'running').length,
                    kernel: panel.sessionContext.session?.kernel?.status ?? 'gone',
                    errors: outputs.filter((one) => one.output_type === 'error').map((one) => `${{one.ename}}: ${{one.evalue}}`),
                }}; }}""", places)
            assert not state["errors"], state["errors"]
            assert state["kernel"] not in ("dead", "autorestarting"), (
                f"the kernel is {state['kernel']}"
            )
            if state["kernel"] == "idle" and not state["left"]:
                break
            self.page.wait_for_timeout(200)
        else:
            raise TimeoutError(
                f"after {seconds} seconds {state['left']} cells had not been run; the kernel is "
                f"{state['kernel']}"
            )
        self.settle()

    def settle(self, seconds=60):
        """Until every explorer shows the newest state of its controls."""
        self.page.wait_for_function(
            (
                "() => [...document.querySelectorAll('.course-explorer')].every((one) => "
                "one.ariaBusy === 'false')"
            ),
            timeout=1000 * seconds,
        )

    def screens(self):
        """Scroll through the notebook; stops once for each screen."""
        box = self.page.locator(
            ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
        ).first
        top, last = 0, -1
        while True:
            now = box.evaluate("(box, top) => { box.scrollTop = top; return box.scrollTop; }", top)
            if now == last:
                return
            self.page.wait_for_timeout(300)
            yield now
            last, top = now, now + box.evaluate("(box) => box.clientHeight") - 40

    def explorers(self) -> list:
        return [Face(self.page, one) for one in self.page.locator(".course-explorer").all()]


class Face:
    """One explorer in the page."""

    def __init__(self, page, root):
        self.page, self.root, self.picture = page, root, root.locator("img.course-picture")
        self.question = root.locator(".course-question").inner_text()

    def controls(self, selector) -> list:
        return self.root.locator(selector).all()

    def frame(self) -> int:
        return int(self.picture.get_attribute("data-frame"))

    def pixels(self) -> str:
        """A fingerprint of the bytes of the picture that is shown."""
        return self.picture.evaluate("""async (img) => {
            const bytes = await (await fetch(img.src)).arrayBuffer();
            return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join(''); }""")

    def settle(self, seconds=30):
        self.root.evaluate(
            """(root, limit) => new Promise((done, fail) => {
            const end = performance.now() + limit;
            const look = () => {
                if (root.ariaBusy === 'false') done();
                else if (performance.now() > end) fail(new Error('no new picture'));
                else setTimeout(look, 10);
            };
            look(); })""",
            1000 * seconds,
        )
