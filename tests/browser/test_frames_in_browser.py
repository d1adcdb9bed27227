"""Explorers that move without a kernel, in a browser: from a file, offline, by keyboard."""

import pytest

from course_lib.classroom.frames import moving, player
from tests.browser import gallery

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    place = tmp_path_factory.mktemp("moving") / "moving.html"
    body = moving(gallery.waves(), positions_each=3) + moving(gallery.prototypes(), positions_each=2)
    place.write_text(f"<!DOCTYPE html><meta charset=utf-8>{body}{player()}", encoding="utf-8")
    return place


def test_sliders_move_the_picture_from_a_file(chromium, page_file):
    context = chromium.new_context(offline=True)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
    page.goto(page_file.as_uri())
    waves, prototypes = page.locator(".course-moving").all()
    amplitude, phase = (waves.locator(f"[data-name={name}]") for name in ("amplitude", "phase"))
    number, image = waves.locator(".course-moving-number"), waves.locator("img")
    first, said = image.get_attribute("src"), number.inner_text()
    amplitude.focus()
    page.keyboard.press("End")
    assert number.inner_text() == "Outputs reach from -5.00 to 5.00."
    assert amplitude.get_attribute("aria-valuetext") == "5.0"
    assert number.get_attribute("aria-live") == "polite"
    assert image.get_attribute("src") != first and "height 5.0" in image.get_attribute("alt")
    phase.focus()
    page.keyboard.press("ArrowRight")  # the other control goes back to its start
    assert amplitude.get_attribute("aria-valuetext") == "1.0" and number.inner_text() == said
    waves.locator("select").select_option("1")
    assert phase.get_attribute("aria-valuetext") == "0.0"
    waves.get_by_role("button", name="Reset").click()
    assert image.get_attribute("src") == first and number.inner_text() == said
    play = waves.get_by_role("button", name="Play or pause: A, amplitude")
    amplitude.press("ArrowRight")
    play.click()
    page.wait_for_function("(one) => one.value === '2'", arg=amplitude.element_handle())
    page.wait_for_function("(one) => one.textContent === 'Play'", arg=play.element_handle())
    prototypes.locator("input[type=checkbox]").uncheck()
    assert "The points are dragged in JupyterLab." in prototypes.inner_text()
    for control in page.locator("input, select").all():
        assert control.evaluate("(one) => one.labels.length") == 1
    assert not complaints
    context.close()


def test_without_javascript_the_start_is_a_still_picture(chromium, page_file):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("input, select, button").count() == 0
    assert page.locator(".course-moving img").count() == 2
    assert "Outputs reach from" in page.locator(".course-moving-number").first.inner_text()
    context.close()
