"""One definition of a chapter's minutes: what the notebook and the README say is what it gives."""

import pytest

from tools import minutes as clock

TOO_LONG: set[str] = set()  # beyond 75 minutes, and to be cut or divided; none may join them


@pytest.mark.parametrize("chapter", clock.chapters(), ids=lambda path: path.stem)
def test_a_chapter_says_its_minutes_and_so_does_the_readme(chapter):
    stated = clock.STATED.findall(chapter.read_text(encoding="utf-8"))
    assert len(stated) == 1, "say it once: About N minutes, exercises included."
    assert int(stated[0]) == clock.rounded(chapter) == clock.in_the_readme()[chapter.stem[:2]]


def test_no_chapter_is_longer_than_75_minutes_but_those_that_wait_to_be_cut():
    assert {c.stem[:2] for c in clock.chapters() if clock.rounded(c) > 75} <= TOO_LONG


def test_folded_text_and_stubs_do_not_count():
    assert clock.part_of_code("def f(x):\n    ...\n\ncheck('01.f', f)", set()) == 0
    assert clock.part_of_code("predict('01.a')", set()) == pytest.approx(1.5)
    assert clock.part_of_code("theta_path()", {"theta_path"}) == 3
    assert clock.part_of_code("x = 1", set()) == pytest.approx(2 / 3)
    assert clock.FOLDED.sub("", "a <details>b c</details> d").split() == ["a", "d"]
