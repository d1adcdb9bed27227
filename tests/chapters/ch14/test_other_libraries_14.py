"""The same numbers from other people's libraries, where they are installed."""

import pytest

from course_lib.chapters.ch14.other_libraries import LIBRARIES, beside


@pytest.mark.parametrize("name", LIBRARIES)
def test_theirs_equals_ours(name):
    library = LIBRARIES[name]
    if library.missing:
        pytest.skip(f"NOT TESTED: {beside(name)}")
    ours, theirs = library.pair()
    assert ours.shape == theirs.shape and ours.abs().max() > 1e-3
    assert (ours - theirs).abs().max() < 1e-6


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_missing_is_one_line(name, monkeypatch):
    def gone(module):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("importlib.import_module", gone)
    said = beside(name)
    module = LIBRARIES[name].module
    assert said.startswith(f"{module} is not installed: ") and "\n" not in said
    with pytest.raises(ValueError, match="choose one of"):
        beside("another")
