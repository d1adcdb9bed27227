"""The static site as its readers open it: from a folder, without a network, in light, in dark and
on a phone, with a mouse, with a keyboard and with a screen reader's rules (axe-core)."""

import json
import os
import re
from importlib import resources
from urllib.parse import unquote, urldefrag

import pytest

from course_lib import ROOT
from course_lib import __main__ as commands
from course_lib.classroom.predictions import FAR, NEARLY
from course_lib.classroom.site.builder import build

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
FIRST, MANY_EQUATIONS, MOVING = NAMES[0], "03_outer_loop", "05_other_outer_loops"
FORM, TOLD = ".course-predict:has([type=radio])", '.course-reveal[data-id="{}"]'
LIGHT, DARK, PHONE = (1280, 720, "light"), (1280, 720, "dark"), (390, 844, "light")
FIRST_PAGE = 3_000_000  # bytes of the first chapter with all that it loads
READY = "html[data-site=ready]"
pytestmark = pytest.mark.browser

# What is wrong with the page in view, in sentences.
COMPLAINTS = r"""async () => {
    const found = [], main = document.getElementById("main");
    const wide = document.documentElement.scrollWidth - innerWidth;
    const culprit = [...main.querySelectorAll("*")].find((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, .katex"));
    if (wide > 0) found.push(`${wide} pixels wider than the screen: ${culprit?.outerHTML.slice(0, 120)}`);
    for (const image of document.images) {
        image.loading = "eager";
        await image.decode().catch(() => found.push(`a picture is broken: ${image.src}`));
        if (image.alt.split(" ").length < 5) found.push(`no alt text for a picture: '${image.alt}'`);
    }
    for (const error of document.querySelectorAll(".katex-error")) found.push(`an equation was not set: ${error.title}`);
    for (const one of main.querySelectorAll("p, li, td")) {
        const text = [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join(" ");
        if (/\$[^$]+\$|\\[a-zA-Z]{2,}/.test(text)) found.push(`TeX that was not set: '${text.slice(0, 60)}'`);
    }
    return found;
}"""
LINKS = "[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))"
STOPS = """[...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")].filter((one) => !one.disabled && one.checkVisibility())"""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    return { at: STOPS.indexOf(one), ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, words: one.outerHTML.slice(0, 90) };
}""".replace("STOPS", STOPS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    words = ["site", "--out", str(folder), "--repository", "someone/course", "--still"]
    assert commands.main(words) == 0
    return folder


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """One chapter with explorers that move."""
    folder = tmp_path_factory.mktemp("moving")
    build(folder, notebooks=[ROOT / "notebooks" / f"{MOVING}.ipynb"])
    return folder


@pytest.fixture
def read(chromium, site):
    """read(name, kind): an open page; at the end nothing may have been asked of a network or
    complained of in the console."""
    said, contexts = [], []

    def follow(context):
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda one: allowed(one.url))
        page.on("console", lambda one: said.append(one.text) if is_bad(one) else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    def allowed(url):
        if not re.match("file:|data:|blob:", url):
            said.append(f"asks for {url}")

    def is_bad(message):
        return message.type in ("error", "warning")

    def read(name, kind=LIGHT, before="", folder=site):
        width, height, scheme = kind
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        if before:
            context.add_init_script(before)
        page = follow(context)
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_selector(READY, state="attached")
        return page

    yield read
    for context in contexts:
        context.close()
    assert said == []


def question(page):
    """The first question with answers to choose from, its id, and what happens."""
    form = page.locator(FORM).first
    identity = form.get_attribute("data-id")
    return form, identity, page.locator(TOLD.format(identity))


def go(page, site, name):
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_selector(READY, state="attached")


def pages(site):
    return sorted(path.stem for path in site.glob("*.html"))


# --- every page ---


def test_every_page_fits_a_phone_and_has_its_pictures_and_equations(read, site):
    page, wrong = read("index", PHONE), []
    for name in pages(site):
        go(page, site, name)
        wrong += [f"{name}: {one}" for one in page.evaluate(COMPLAINTS)]
    assert not wrong, "\n".join(["", *wrong])
    assert set(NAMES) | {"index", "words", "questions"} <= set(pages(site))


@pytest.mark.parametrize("kind", [LIGHT, DARK, PHONE], ids=["light", "dark", "phone"])
def test_one_chapter_in_light_in_dark_and_on_a_phone(read, kind):
    page = read(MANY_EQUATIONS, kind)
    assert page.evaluate(COMPLAINTS) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (kind == DARK)
    assert page.locator(".katex").count() >= 5


def test_every_link_leads_somewhere_within_the_folder(read, site):
    page, found, ids = read("index"), {}, {}
    for name in pages(site):
        go(page, site, name)
        found[name] = page.evaluate(LINKS)
        every = "[...document.querySelectorAll('[id]')].map((one) => one.id)"
        ids[name] = set(page.evaluate(every))
    lost = []
    for name, links in found.items():
        for link in links:
            address, at = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue
            to = address.removesuffix(".html") or name
            if to not in ids or (at and unquote(at) not in ids[to]):
                lost.append(f"{name}: {link}")
    assert not lost, lost
    assert "03_outer_loop.html" in found["index"]
    assert any(link.startswith("https://mybinder.org/v2/gh/someone/course") for link in found[FIRST])


def test_next_leads_through_the_whole_course_and_previous_back(read, site):
    page, walked = read("index"), ["index"]
    while (onward := page.locator(".turn a[rel=next]")).count():
        onward.click()
        page.wait_for_selector(READY, state="attached")
        walked.append(page.url.rsplit("/", 1)[1].removesuffix(".html"))
    assert walked[1 : len(NAMES) + 1] == NAMES and set(walked) == set(pages(site))
    page.locator(".turn a[rel=prev]").click()
    assert page.url.endswith(f"{walked[-2]}.html")


def test_the_first_chapter_is_light(chromium, site):
    context = chromium.new_context(offline=True)
    page, loaded = context.new_page(), set()
    page.on("request", lambda one: loaded.add(one.url))
    page.goto((site / f"{FIRST}.html").as_uri())
    page.wait_for_selector(READY, state="attached")
    page.evaluate(COMPLAINTS)  # loads what waits until it is seen
    context.close()
    files = [site / url.split(site.name + "/")[1] for url in loaded if url.startswith("file:")]
    assert len(files) > 5 and sum(file.stat().st_size for file in files) < FIRST_PAGE


# --- for those who see little, or use no mouse ---


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core. Without it the tests are skipped, loudly; CI fails instead."""
    try:
        return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    except ModuleNotFoundError:
        told = "NOTHING WAS TRIED WITH AXE-CORE: pip install -r requirements-test.txt brings it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)


def serious(page, axe) -> list[str]:
    """What axe-core calls serious or critical, in a sentence each."""
    page.evaluate(axe)
    options = "{resultTypes: ['violations'], preload: false}"  # files may not be asked for
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']][:3]}"
        for one in page.evaluate(f"axe.run(document, {options})")["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    "name, kind",
    [("index", LIGHT), (FIRST, LIGHT), (FIRST, DARK), (MANY_EQUATIONS, PHONE), ("words", LIGHT)],
    ids=lambda value: value if isinstance(value, str) else value[2] if value[0] > 400 else "phone",
)
def test_axe_finds_nothing_serious(read, axe, name, kind):
    assert serious(read(name, kind), axe) == []


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(read):
    page = read(FIRST)
    total = page.evaluate(f"{STOPS}.length")
    radios = page.evaluate(  # the arrow keys go through a group; Tab stops at it once
        "[...document.querySelectorAll('[type=radio]')].length"
        " - new Set([...document.querySelectorAll('[type=radio]')].map((one) => one.name)).size"
    )
    reached, page_end = [], total + 5
    for _ in range(page_end):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at["at"] < 0 or (reached and at["at"] <= reached[-1]):
            break
        assert at["ring"], f"nothing shows that the keyboard is at {at['words']}"
        reached.append(at["at"])
    assert len(reached) == total - radios and total > 40
    assert page.evaluate(f"{STOPS}[0].textContent") == "To the text"


# --- what readers do ---


def test_a_prediction_is_locked_by_keyboard_answers_and_is_kept(read, site):
    page = read(MANY_EQUATIONS)
    form, identity, told = question(page)
    assert not told.locator("details").evaluate("one => one.open")
    assert form.locator(".lock").is_disabled()
    form.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    said = form.locator("label").nth(1).inner_text().strip()
    assert "Locked on" in form.locator(".note").inner_text()
    assert page.evaluate("document.activeElement.textContent") == "What happens"
    for _ in range(2):  # at once, and when the page is opened again
        assert f"You predicted: {said}." in told.inner_text()
        assert told.locator("details").evaluate("one => one.open")
        assert told.locator(".reply:visible").count() == 1
        assert not told.locator(".others").is_visible()
        right = told.locator(".reply:visible").evaluate("one => one.matches('.good')")
        assert told.locator(".happened").is_visible() != right
        assert form.locator("input").first.is_disabled()
        page.reload()
        page.wait_for_selector(READY, state="attached")
    go(page, site, "index")
    row = page.locator(".chapters li", has_text="03 ·").inner_text()
    assert f" predictions locked, {int(right)} right" in row
    assert page.locator("#own-answers").inner_text().startswith(f"1 locked, {int(right)} of them")
    with page.expect_download() as saved:
        page.click("#save-answers")
    stored = json.loads(saved.value.path().read_text("utf-8"))
    entry = stored["predictions"][identity]
    assert stored["version"] == 1 and entry["said"] == said and entry["right"] is right
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", entry["locked_at"])
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#forget-answers")
    assert page.locator("#own-answers").inner_text().startswith("None is locked yet")


@pytest.mark.parametrize(
    "answer, key, near", [(1, "low", ""), (40, "close", ""), (46, "high", NEARLY), (99, "high", FAR)]
)
def test_a_number_is_told_from_too_low_and_too_high(read, answer, key, near):
    page = read(FIRST)
    form = page.locator(".course-predict:has([type=range])").first
    identity = form.get_attribute("data-id")
    slider = form.locator("input[type=range]")
    slider.fill(str(answer))
    assert form.locator("output").inner_text() == f"{answer} %"
    form.locator(".lock").click()
    told = page.locator(TOLD.format(identity)).locator(".reply:visible")
    assert told.get_attribute("data-key") == key
    assert f"You predicted: {answer} %. {near}" in told.inner_text()
    assert (NEARLY in told.inner_text(), FAR in told.inner_text()) == (near == NEARLY, near == FAR)


@pytest.mark.parametrize("stored", ["[]", "{", '{"predictions": {"ID": {"answer": 7}}}'])
def test_an_answer_that_was_not_written_here_changes_nothing(read, stored):
    page = read(MANY_EQUATIONS)
    stored = stored.replace("ID", question(page)[1])
    page.evaluate("(text) => localStorage.setItem('learning-to-learn.progress', text)", stored)
    page.reload()
    page.wait_for_selector(READY, state="attached")
    assert page.locator(FORM).first.locator("input").first.is_enabled()


def test_a_browser_that_keeps_nothing_says_so_and_answers_all_the_same(read):
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    page = read(MANY_EQUATIONS, before=refuse)
    form, _, told = question(page)
    form.locator("input").first.check()
    form.locator(".lock").click()
    assert "keeps nothing" in form.locator(".note").inner_text()
    assert told.locator(".reply:visible").count() == 1


def test_search_finds_sections_and_the_keyboard_opens_one(read):
    page = read("index")
    page.keyboard.press("/")
    page.keyboard.type("prototypes outlier")
    page.wait_for_selector("#search-found a")
    assert re.fullmatch(r"\d+ sections?", page.locator("#search-count").inner_text())
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#search-found') !== null")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Enter")
    page.wait_for_selector(READY, state="attached")
    assert "07_metric_learners.html" in page.url


@pytest.mark.parametrize(
    "query, begins", [("내부 루프", "words"), ("1.609", "questions"), ("qqq", None), ("<b>", None)]
)
def test_search_takes_any_language_and_says_when_there_is_nothing(read, query, begins):
    page = read(MANY_EQUATIONS)
    page.fill("#search", query)
    page.wait_for_selector("#search-found li")
    links = page.locator("#search-found a").evaluate_all("all => all.map((one) => one.href)")
    if begins:
        assert any(f"/{begins}.html" in link for link in links), links
    elif query == "qqq":
        assert page.locator("#search-found").inner_text() == "Nothing has all of these words."
    page.keyboard.press("Escape")
    assert not page.locator("#search-found").is_visible()


def test_dark_is_chosen_by_hand_and_kept(read, site):
    page = read("index")
    page.click("#theme")
    go(page, site, "words")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("#theme").inner_text() == "Light"


def test_on_a_phone_the_contents_are_folded_and_open(read):
    page = read(FIRST, PHONE)
    link = page.locator("#menu a", has_text="01 ·")
    assert not link.is_visible()
    page.click("#menu > summary")
    link.click()
    assert "01_tasks.html" in page.url


def test_solutions_are_folded_and_open_without_a_kernel(read):
    page = read(FIRST)
    solution = page.locator("details", has=page.locator("summary", has_text="Solution")).first
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()


def test_an_explorer_moves_by_keyboard_and_its_pictures_are_files(read, moving):
    page = read(MOVING, folder=moving)
    assert page.evaluate(COMPLAINTS) == []
    explorer = page.locator("figure.course-moving").first
    slider = explorer.locator("input[type=range]").first
    first = explorer.locator("img").get_attribute("src")
    said = explorer.locator(".course-moving-number").inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight" if slider.input_value() == "0" else "ArrowLeft")
    now = explorer.locator("img").get_attribute("src")
    assert now != first and (moving / now).is_file() and now.endswith(".webp")
    assert explorer.locator(".course-moving-number").inner_text() != said
    assert page.evaluate(COMPLAINTS) == []  # the new picture is there, and has alt text
    explorer.locator("button", has_text="Reset").click()
    assert explorer.locator("img").evaluate("one => one.src").endswith(first)


def test_axe_finds_nothing_serious_in_explorers_that_move(read, axe, moving):
    assert serious(read(MOVING, DARK, folder=moving), axe) == []
