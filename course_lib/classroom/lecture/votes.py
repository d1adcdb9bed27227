"""A room votes: phones in the same network answer the prediction on the slide.

Nothing but this small server is open to the network, and only when the teacher asks for it. It
knows one question at a time, asks for no name, and keeps the answers in memory until the lecture
ends.
"""

import json
import math
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from tornado import httpserver, netutil, web

HERE = Path(__file__).parent
MOST = 1_000  # phones that one question counts
BINS = 6  # of the answers to a question that asks for a number
PHONE = re.compile(r"[0-9a-f]{16,40}")
PORTS = range(8000, 8020)


@dataclass
class Room:
    """The question that is open, and the answers to all of this lecture.

    Args:
        options: [key, HTML] of each answer offered; empty where a number is asked for.
        number: [lowest, highest, step, unit], or None.
    """

    identity: str = ""
    question: str = ""
    options: list = field(default_factory=list)
    number: list | None = None
    open: bool = False
    votes: dict = field(default_factory=dict)  # by question, by phone
    address: str = ""  # where phones find it

    def ask(self, identity: str, question: str, options: list, number: list | None) -> None:
        """Open a question; answers it had before are kept."""
        self.identity, self.question, self.open = identity, question, True
        self.options, self.number = list(options), number
        self.votes.setdefault(identity, {})

    def close(self) -> None:
        """The answer is on the screen: no more votes."""
        self.open = False

    def vote(self, identity, phone, choice) -> None:
        """Count the answer of a phone; a later one takes the place of an earlier one.

        Raises:
            ValueError: it is no answer to the question that is open.
        """
        if not self.open or identity != self.identity:
            raise ValueError("this question is not open any more")
        if not (isinstance(phone, str) and PHONE.fullmatch(phone)):
            raise ValueError("a phone sends 16 to 40 hexadecimal digits of its own choice")
        if self.number is None:
            good = isinstance(choice, str) and choice in [key for key, _ in self.options]
        else:
            real = isinstance(choice, int | float) and not isinstance(choice, bool)
            good = real and math.isfinite(choice) and self.number[0] <= choice <= self.number[1]
        if not good:
            raise ValueError("this is not one of the answers")
        votes = self.votes[identity]
        if phone not in votes and len(votes) >= MOST:
            raise ValueError(f"{MOST} phones have answered, and no more are counted")
        votes[phone] = choice

    @property
    def answers(self) -> int:
        """How many phones have answered the question."""
        return len(self.votes.get(self.identity, {}))

    def bars(self) -> list[dict]:
        """For each answer its words and how many chose it; numbers in classes of equal width."""
        chosen = list(self.votes.get(self.identity, {}).values())
        if self.number is None:
            return [{"text": text, "count": chosen.count(key)} for key, text in self.options]
        low, high, _, unit = self.number
        width, counts = (high - low) / BINS, [0] * BINS
        for value in chosen:
            counts[min(int((value - low) / width), BINS - 1)] += 1
        edges = [f"{low + i * width:.3g}" for i in range(BINS + 1)]
        return [
            {"text": f"{edges[i]} to {edges[i + 1]} {unit}".rstrip(), "count": counts[i]}
            for i in range(BINS)
        ]


class Phone(web.RequestHandler):
    """What a phone sees, and what it may send."""

    def initialize(self, room: Room):
        self.room = room

    def set_default_headers(self):
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
            "connect-src 'self'; img-src data:",
        )

    def write_error(self, status_code, **_):
        self.finish({"problem": self._reason})


class Front(Phone):
    """The page."""

    def get(self):
        self.finish((HERE / "phone.html").read_text("utf-8"))


class Now(Phone):
    """The question that is open."""

    def get(self):
        room = self.room
        asked = {"identity": room.identity, "question": room.question, "open": room.open}
        self.finish({**asked, "options": room.options, "number": room.number})


class Vote(Phone):
    """An answer."""

    def post(self):
        try:
            sent = json.loads(self.request.body)
            if not isinstance(sent, dict):
                raise ValueError("send an object")
            self.room.vote(sent.get("identity"), sent.get("phone"), sent.get("choice"))
        except (ValueError, RecursionError) as problem:
            self.set_status(400)
            self.finish({"problem": str(problem)})
        else:
            self.finish({"counted": True})


def open_room(room: Room, host: str = "", ports=PORTS) -> tuple[httpserver.HTTPServer, int]:
    """Listen for phones, in the event loop that runs.

    Args:
        host: "" for all networks of this machine.
        ports: the first that is free is taken.

    Raises:
        ValueError: none is free.
    """
    pages = [(r"/", Front), (r"/now", Now), (r"/vote", Vote)]
    application = web.Application(
        [(path, page, {"room": room}) for path, page in pages], log_function=lambda _: None
    )
    for port in ports:
        try:
            sockets = netutil.bind_sockets(port, host or None, family=socket.AF_INET)
        except OSError:
            continue
        server = httpserver.HTTPServer(application, max_body_size=1_000, max_buffer_size=20_000)
        server.add_sockets(sockets)
        return server, sockets[0].getsockname()[1]
    raise ValueError(
        f"no port from {ports[0]} to {ports[-1]} is free: end the program that uses them"
    )


def address(port: int) -> str:
    """The address of this machine in its network, as a phone types it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of the documentation: nothing is sent
            host = probe.getsockname()[0]
        except OSError:
            host = "127.0.0.1"
    return f"http://{host}:{port}"


def code(text: str) -> str:
    """A QR code as SVG."""
    import segno  # here: only a lecture with votes needs it

    made = segno.make(text, error="m", micro=False)
    return made.svg_inline(omitsize=True, border=4, light="#fff")
