"""A room votes: what is counted, what is refused, and a hundred phones at once."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from course_lib.classroom.lecture import votes

OPTIONS = [["up", "It goes <em>up</em>"], ["down", "down"]]
PHONE = "0123456789abcdef"


@pytest.fixture
def room():
    room = votes.Room()
    room.ask("99.up", "Up or down?", OPTIONS, None)
    return room


@pytest.fixture
def port(room):
    """The port of a server that runs in a thread of its own."""
    ready, found = threading.Event(), {}

    async def serve():
        found["server"], found["port"] = votes.open_room(room, "127.0.0.1", range(0, 1))
        found["end"], found["loop"] = asyncio.Event(), asyncio.get_running_loop()
        ready.set()
        await found["end"].wait()
        found["server"].stop()
        await found["server"].close_all_connections()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    yield found["port"]
    found["loop"].call_soon_threadsafe(found["end"].set)
    thread.join(30)


def ask(port, path, sent=None, body=None):
    line = HTTPConnection("127.0.0.1", port, timeout=30)
    data = body if body is not None else json.dumps(sent) if sent is not None else None
    line.request("POST" if data is not None else "GET", path, data)
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer.status, text


def test_a_hundred_phones_answer_at_once(room, port):
    def phone(number):
        status, page = ask(port, "/")
        assert status == 200 and "No name is asked for" in page
        now = json.loads(ask(port, "/now")[1])
        choice = now["options"][number % 4 == 0][0]
        sent = {"identity": now["identity"], "phone": f"{number:016x}", "choice": choice}
        assert ask(port, "/vote", sent) == (200, '{"counted": true}')
        return ask(port, "/vote", sent)[0]  # sent twice, counted once

    with ThreadPoolExecutor(100) as phones:
        assert set(phones.map(phone, range(100))) == {200}
    room.close()
    assert room.answers == 100
    assert [bar["count"] for bar in room.bars()] == [75, 25]
    assert json.loads(ask(port, "/now")[1])["open"] is False


def test_only_the_page_the_question_and_votes_are_served(port):
    for path in ("/api/kernels", "/lecture", "/lecture/room", "/../etc/passwd", "/votes"):
        assert ask(port, path)[0] == 404
    assert "75" not in ask(port, "/now")[1] and "count" not in ask(port, "/now")[1]


@pytest.mark.parametrize(
    "body",
    [
        "", "no json", "[]", "null", "[" * 900, '{"identity": "99.up"}', "\x00",
        json.dumps({"identity": "99.up", "phone": PHONE, "choice": "sideways"}),
        json.dumps({"identity": "99.up", "phone": PHONE, "choice": ["up"]}),
        json.dumps({"identity": "99.up", "phone": "<b>", "choice": "up"}),
        json.dumps({"identity": "99.other", "phone": PHONE, "choice": "up"}),
        json.dumps({"identity": "99.up", "phone": PHONE, "choice": "up", "more": "x" * 2000}),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_and_not_counted(room, port, body):
    status, text = ask(port, "/vote", body=body)
    assert status == 400 and room.answers == 0


def test_a_later_answer_takes_the_place_of_an_earlier_one_until_the_reveal(room):
    room.vote("99.up", PHONE, "up")
    room.vote("99.up", PHONE, "down")
    assert [bar["count"] for bar in room.bars()] == [0, 1]
    room.close()
    with pytest.raises(ValueError, match="not open any more"):
        room.vote("99.up", PHONE, "up")


def test_numbers_fall_into_classes_of_equal_width():
    room = votes.Room()
    room.ask("99.far", "How far?", [], [0.0, 6.0, 0.5, "steps"])
    for phone, value in enumerate([0, 0.5, 1, 5.5, 6]):
        room.vote("99.far", f"{phone:016x}", value)
    assert [bar["count"] for bar in room.bars()] == [2, 1, 0, 0, 0, 2]
    assert room.bars()[0]["text"] == "0 to 1 steps"
    for wrong in (6.5, -1, True, "3", None, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not one of the answers"):
            room.vote("99.far", PHONE, wrong)


def test_no_more_phones_than_a_lecture_hall_has(room):
    for phone in range(votes.MOST):
        room.vote("99.up", f"{phone:016x}", "up")
    with pytest.raises(ValueError, match="no more are counted"):
        room.vote("99.up", PHONE, "up")
    room.vote("99.up", f"{0:016x}", "down")  # who has answered may still change it
    assert room.answers == votes.MOST


def test_the_code_is_a_picture_of_the_address():
    picture = votes.code(votes.address(8000))
    assert picture.startswith("<svg") and "viewBox" in picture
    assert votes.address(8000).startswith("http://") and votes.address(8000).endswith(":8000")
