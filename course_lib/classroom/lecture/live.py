"""A chapter's slides with Python behind them, on this machine only.

Jupyter's own server does what it is kept for: the token, the kernels and the line to them. The
page is that of the offline slides, and a script that runs the notebook's cells in a fresh kernel
and puts each explorer, draw pad and prediction in the place of its picture.
"""

import json
import os
import re
from pathlib import Path

import nbformat
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from tornado import web
from traitlets import Unicode

HERE = Path(__file__).parent
SCRIPTS = ("kernel.js", "live.js")


def live_page(page: str, notebook: Path, token: str, base: str = "/") -> str:
    """The slides of a notebook, with what makes them live.

    Args:
        page: what `course_lib.commands.slides.lecture` writes.
        token: of the server, for the kernel behind the page.
    """
    cells = [
        {"id": cell.id, "source": cell.source}
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    settings = {"base": base, "token": token, "folder": "", "cells": cells}
    written = json.dumps(settings).replace("<", "\\u003c")
    style = f"<style>{(HERE / 'live.css').read_text('utf-8')}</style>"
    scripts = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    start = (
        f'<script type="application/json" id="course-live">{written}</script>\n'
        f'<script>document.addEventListener("course-lecture-ready", () => {{\n{scripts}\n}});'
        "</script>\n"
    )
    head, body = page.split("</head>", 1)
    before, after = body.rsplit("</body>", 1)
    return f"{head}{style}</head>{before}{start}</body>{after}"


class Page(JupyterHandler):
    """The lecture; as still slides where the speaker's view shows it in a frame."""

    @web.authenticated
    def get(self):
        page, notebook = self.settings["course_lecture"]
        if "receiver" not in self.request.arguments:
            page = live_page(page, notebook, self.settings["identity_provider"].token)
        self.set_header("Cache-Control", "no-store")
        self.finish(page)


class LectureApp(ExtensionApp):
    """Jupyter's server with one page more and without its own."""

    name = "course_lecture"
    default_url = Unicode("/lecture")
    load_other_extensions = False
    page: tuple[str, Path] = ("", Path())  # the slides, and their notebook

    @classmethod
    def get_extension_package(cls):
        return __name__

    def initialize_settings(self):
        self.settings["course_lecture"] = self.page

    def initialize_handlers(self):
        self.handlers.append((r"/lecture/?", Page))


def _jupyter_server_extension_points():
    """How Jupyter's server asks a module for what extends it."""
    return [{"module": __name__, "app": LectureApp}]


def serve(page: str, notebook: Path, port: int, browser: bool, progress: Path) -> None:
    """Serve the lecture until it is interrupted.

    Args:
        port: the next free one is taken where another program has it.
        progress: the file of this lecture's predictions; the teacher's own file stays untouched.
    """
    LectureApp.page = (page, notebook)
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["COURSE_PROGRESS"], os.environ["JUPYTER_PREFER_ENV_PATH"] = str(progress), "1"
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": str(notebook.resolve().parent),
        "ServerApp.open_browser": browser,
        "ServerApp.terminals_enabled": False,
        "ServerApp.allow_root": hasattr(os, "geteuid") and os.geteuid() == 0,
    }
    LectureApp.launch_instance([f"--{name}={value}" for name, value in options.items()])
