"""Explorers that move without a kernel: what is drawn beforehand, and how much room it takes."""

import io
import json
import re

import pytest
from PIL import Image

from course_lib.classroom import frames
from course_lib.classroom.controls import Choice, Points, Slider, Text, Toggle
from tests.browser import gallery


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])


@pytest.mark.parametrize("most", [2, 3, 5, 12])
@pytest.mark.parametrize("start", [0, 1, 7, 39, 40])
def test_a_slider_keeps_its_ends_and_its_start(most, start):
    slider = Slider("a", "a", 0, 40, 1, value=start)
    values = [value for value, _ in frames.positions(slider, most)]
    assert {0, start, 40} <= set(values) and values == sorted(values)
    assert len(values) <= max(most, 3)


def test_a_short_slider_and_the_other_controls_keep_all_positions():
    box = ((-1, 1), (-1, 1))
    text = Text("t", "t", "own", samples=(("first", "one"), ("second", "two")))
    kept = {
        "slider": frames.positions(Slider("a", "a", 0, 4, 1, value=2)),
        "choice": frames.positions(Choice("c", "c", ["x", "y"], value="y")),
        "toggle": frames.positions(Toggle("g", "g", True)),
        "text": frames.positions(text),
        "points": frames.positions(Points("p", "p", ((0, 0),), box)),
    }
    assert [value for value, _ in kept["slider"]] == [0, 1, 2, 3, 4]
    assert kept["choice"] == [("x", "x"), ("y", "y")]
    assert [value for value, _ in kept["toggle"]] == [False, True]
    assert kept["text"] == [("own", "as at the start"), ("one", "first"), ("two", "second")]
    assert len(kept["points"]) == 1


def test_each_position_shows_what_the_explorer_says_there():
    explorer = gallery.waves()
    drawn = frames.draw_frames(explorer, positions_each=4)
    assert [track.name for track in drawn.tracks] == ["amplitude", "phase", "shape", "shots"]
    for track in drawn.tracks:
        control = next(one for one in explorer.controls if one.name == track.name)
        for (value, words), text, place in zip(
            frames.positions(control, 4), track.texts, track.frames, strict=True
        ):
            frame, state = drawn.frames[place], {**explorer.defaults, track.name: value}
            assert words == text
            assert frame.number == explorer.number(explorer.compute(**state))
            assert frame.alt == explorer.alt(explorer.compute(**state))
        assert track.frames[track.start] == 0
    pictures = [one.webp for one in drawn.frames]
    assert len(set(pictures)) == len(pictures), "two settings look the same"
    assert Image.open(io.BytesIO(pictures[0])).size == (1800, 720)


def test_pictures_become_less_sharp_until_they_fit():
    sharp = frames.draw_frames(gallery.writing(), positions_each=2)
    most = sum(len(one.webp) for one in sharp.frames)  # in base64 they need a third more
    less = frames.draw_frames(gallery.writing(), most=most, positions_each=2)
    assert 1.0 <= less.density < sharp.density == 2.0
    least = frames.draw_frames(gallery.writing(), most=1)
    assert least.density == 1.0 and [len(track.texts) for track in least.tracks] == [3]


def test_the_page_stands_without_the_player_and_escapes_what_is_said():
    explorer = gallery.writing()
    explorer.question = "Is </script> <b>a word</b>?"
    page = frames.moving(explorer, positions_each=2)
    assert page.count("</script>") == 1 and "<b>" not in page
    head, data = page.split("<script")[0], data_of(page)
    assert '<img alt="Bars for the lengths of 5 words." width="900" src="data:image' in head
    assert "5 words, 11 letters" in head and "Your own text is typed in JupyterLab." in head
    assert data["tracks"][0]["texts"] == ["as at the start", "short", "long"]
    assert "src" not in data["frames"][0] and len(data["frames"]) == 3


def test_pictures_can_be_put_elsewhere():
    stored = []
    put = lambda webp: stored.append(webp) or f"{len(stored)}"
    page = frames.moving(gallery.writing(), positions_each=2, put=put)
    assert "data:image" not in page and 'src="1"' in page
    assert [one["src"] for one in data_of(page)["frames"][1:]] == [
        str(place) for place in range(2, len(stored) + 1)
    ]


def test_a_cell_finds_its_explorer_only_where_the_numbers_agree():
    from course_lib.chapters.ch04.explorers import cut_edges

    still = cut_edges()._repr_mimebundle_()[0]["text/html"]
    assert frames.explorer_of(still, "04").question == cut_edges().question
    number = cut_edges().number(cut_edges().compute(**cut_edges().defaults))
    assert frames.explorer_of(still.replace(number[:20], "99"), "04") is None
    assert frames.explorer_of(still, "99") is None and frames.explorer_of("<p>", "04") is None
    assert frames.explorer_of(still, "toy") is None
