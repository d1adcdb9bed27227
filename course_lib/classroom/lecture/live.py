"""A chapter's slides with Python behind them, on this machine only.

Jupyter's own server does what it is kept for: the token, the kernels and the line to them. The
page is that of the offline slides, and a script that runs the notebook's cells in a fresh kernel
and puts each explorer, draw pad and prediction in the place of its picture.
"""

import json
import os
from pathlib import Path

import nbformat
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from tornado import web
from traitlets import Unicode

from course_lib.classroom.lecture.votes import Room, address, code, open_room

HERE = Path(__file__).parent
OPEN = (
    "Votes: everybody in this machine's networks can open {0} and answer the question on the "
    "slide, and nothing else. Answers have no names and go when the lecture ends. In a network of "
    "strangers, leave --votes out."
)
SCRIPTS = ("kernel.js", "room.js", "live.js")


def live_page(page: str, notebook: Path, token: str, room: dict | None = None) -> str:
    """The slides of a notebook, with what makes them live.

    Args:
        page: what `course_lib.commands.slides.lecture` writes.
        token: of the server, for the kernel behind the page.
        room: the address where phones vote, and its code as SVG; None when nobody votes.
    """
    cells = [
        {"id": cell.id, "source": cell.source}
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    settings = {"base": "/", "token": token, "folder": "", "cells": cells, "room": room}
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
        page, notebook = self.settings["course_page"]
        if "receiver" not in self.request.arguments:
            token, room = self.settings["identity_provider"].token, self.settings["course_room"]
            votes = None
            if room:
                votes = {"address": room.address, "code": code(room.address)}
            page = live_page(page, notebook, token, votes)
        self.set_header("Cache-Control", "no-store")
        self.finish(page)


class Presenter(JupyterHandler):
    """The votes, for the lecture alone: phones have a server of their own."""

    @web.authenticated
    def post(self):
        room, sent = self.settings["course_room"], self.get_json_body()
        if room is None:
            raise web.HTTPError(404, "nobody votes in this lecture")
        if sent["do"] == "ask":
            room.ask(sent["identity"], sent["question"], sent["options"], sent["number"])
        elif sent["do"] == "close":
            room.close()
        shown = {"bars": room.bars()} if not room.open else {}
        self.finish({"answers": room.answers, **shown})


class LectureApp(ExtensionApp):
    """Jupyter's server with one page more and without its own."""

    name = "course_lecture"
    default_url = Unicode("/lecture")
    load_other_extensions = False
    page: tuple[str, Path] = ("", Path())  # the slides, and their notebook
    votes = False

    @classmethod
    def get_extension_package(cls):
        return __name__

    def initialize_settings(self):
        room = Room() if self.votes else None
        if room:
            room.address = address(open_room(room)[1])
            print(OPEN.format(room.address))
        self.settings.update(course_page=self.page, course_room=room)

    def initialize_handlers(self):
        self.handlers += [(r"/lecture/?", Page), (r"/lecture/room", Presenter)]


def _jupyter_server_extension_points():
    """How Jupyter's server asks a module for what extends it."""
    return [{"module": __name__, "app": LectureApp}]


def serve(page: str, notebook: Path, port: int, browser: bool, progress: Path, votes=False):
    """Serve the lecture until it is interrupted.

    Args:
        port: the next free one is taken where another program has it.
        votes: let phones in the same network answer the predictions.
        progress: the file of this lecture's predictions; the teacher's own file stays untouched.
    """
    LectureApp.page, LectureApp.votes = (page, notebook), votes
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
