"""docs/questions.md: every block of code runs and prints what stands below it, every link leads
somewhere, every number comes from somewhere, and every question that users bring has its entry."""

import ast
import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from published import PUBLISHED
from test_prose import evidence, numbers

from course_lib import MAML, ROOT, Strokes, conv4
from course_lib.commands.colab import ADDED
from tools import colab, memory, ways_and_shots

FILE = ROOT / "docs" / "questions.md"
TEXT = FILE.read_text(encoding="utf-8")
MEASURED = json.loads((ROOT / "docs" / "measured.json").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n(?:```text\n(.*?)```)?", re.S)
NUMBER = re.compile(r"\d+\.\d+")
ASKED = {  # what users bring: a word of the entry that answers it
    "loss at ln N": "1.609", "the same accuracy": "four figures", "relation": "relation network",
    "ways and shots": "how many ways", "last digits": "last digits", "Colab": "Colab",
    "Binder": "Binder", "how far it carries": "pen strokes", "none of these": "none of these",
    "margin": "contrastive loss", "interrupt": "pressed stop", "frozen": "frozen or unused",
    "attention": "Attention", "LSTM": "LSTM and GRU", "parallel": "DataParallel",
    "labels": "Which labels", "one picture": "one new picture", "None": "are None",
    "downloads": "download of Omniglot", "own data": "own data", "batch norm": "MAML reaches",
    "memory": "Memory grows", "NaN": "becomes NaN", "first order": "First order",
    "slow queries": "answers slowly", "leaks": "100 %", "5 against 20": "which is better",
    "before adaptation": "before adaptation", "one label": "one label for everything",
}  # fmt: skip


def entries(text: str) -> dict[str, str]:
    """Heading -> what stands below it."""
    parts = re.split(r"^##? (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    """The address that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(path: Path) -> list[str]:
    """Those of a chapter, without the marks in front."""
    cells = nbformat.read(path, 4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"^#+ (.*)$", text, flags=re.M)


BLOCKS = [
    pytest.param(code, printed, id=f"{heading[:40]} {place}")
    for heading, body in entries(TEXT).items()
    for place, (kind, code, printed) in enumerate(BLOCK.findall(body))
    if kind == "python"
]


# ---------------------------------------------------------------- code


@pytest.mark.parametrize(("code", "printed"), BLOCKS)
def test_a_block_of_code_prints_what_stands_below_it(code, printed):
    """Decimals may differ a little from machine to machine; the rest may not."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(code, "a block of docs/questions.md", "exec"), {"__name__": "block"})
    assert printed, "a block prints something, in a block of text below it"
    assert NUMBER.sub("#", said.getvalue()) == NUMBER.sub("#", printed)
    found, wanted = (list(map(float, NUMBER.findall(t))) for t in (said.getvalue(), printed))
    assert found == pytest.approx(wanted, abs=0.03)


def test_most_entries_have_code():
    assert len(BLOCKS) >= 20 and all(len(code.values[0].splitlines()) <= 16 for code in BLOCKS)


# ---------------------------------------------------------------- words


def test_every_question_has_its_entry():
    found = [heading for heading, body in entries(TEXT).items() if body.strip()]
    for question, words in ASKED.items():
        assert any(words in heading for heading in found), question


def test_an_entry_leads_to_a_chapter():
    """Those about a machine are all there is about it."""
    for heading in re.findall(r"^## (.*)$", TEXT, flags=re.M):
        alone = "Colab" in heading or "Binder" in heading
        assert alone or "](../notebooks/" in entries(TEXT)[heading], heading


def test_the_list_at_the_top_names_every_entry_in_its_order():
    listed = re.findall(r"^· \[(.*?)\]\(#(.*?)\)$", TEXT, flags=re.M)
    assert [name for name, _ in listed] == re.findall(r"^## (.*)$", TEXT, flags=re.M)
    assert all(address == anchor(name) for name, address in listed)


def test_every_link_leads_to_a_file_and_a_section():
    for words, target in re.findall(r"\[([^]]*)\]\((\.\./[^)#]*)\)", TEXT):
        path = (FILE.parent / target).resolve()
        assert path.is_file(), target
        if words.startswith('"'):
            assert " ".join(words.split()).strip('"') in headings(path), (words, target)


@pytest.mark.parametrize("path", [*NOTEBOOKS, ROOT / "README.md"], ids=lambda path: path.stem)
def test_links_to_the_questions_lead_to_an_entry(path):
    text = path.read_text(encoding="utf-8")
    known = {anchor(heading) for heading in entries(TEXT)}
    for address in re.findall(r"docs/questions\.md#([^)\\]+)\)", text):
        assert address in known, address


def test_the_readme_and_most_chapters_lead_here():
    leading = [path for path in NOTEBOOKS if "questions.md" in path.read_text(encoding="utf-8")]
    assert "docs/questions.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(leading) >= 6


def test_every_decimal_of_the_text_comes_from_a_block_a_measurement_or_a_chapter():
    prose = BLOCK.sub(" ", re.sub(r"^\|.*$", " ", TEXT, flags=re.M))  # tables have their own test
    packages = "numpy|matplotlib|Pillow|ipywidgets|IPython|torch"
    prose = re.sub(rf"({packages})\s+\d+(\.\d+)+", " ", prose)  # their versions
    known = [float(n) for n in NUMBER.findall(" ".join(map(str, BLOCK.findall(TEXT))))]
    known += [float(n) * 100 for n in NUMBER.findall(json.dumps(MEASURED))]
    for path in NOTEBOOKS:
        if path.name in TEXT:
            known += evidence(nbformat.read(path, 4))
    for number in numbers(prose) - PUBLISHED.keys():
        places = len(number.partition(".")[2])
        assert any(round(abs(k), places) == float(number) for k in known), number


# ---------------------------------------------------------------- what was measured


def test_the_table_of_ways_and_shots_is_what_was_measured():
    assert ways_and_shots.table(MEASURED["ways_and_shots"]) in TEXT


def test_the_experiment_on_ways_and_shots_starts_as_it_was_measured():
    """Two outer steps of each kind; the rest of it takes ten minutes."""
    for kind in ways_and_shots.TRAINED:
        _, losses = ways_and_shots.train(kind, seed=0, outer_steps=2)
        wanted = MEASURED["ways_and_shots"]["first_losses"][ways_and_shots.words(kind)]
        assert losses == pytest.approx(wanted, rel=1e-2)


def test_every_training_task_of_that_experiment_has_the_same_budget():
    for (ways, shots), (tasks, queries) in ways_and_shots.TRAINED.items():
        assert tasks * ways * (shots + queries) == ways_and_shots.DRAWINGS


def test_the_table_of_memory_is_what_was_measured_for_every_chapter():
    assert sorted(MEASURED["memory"]) == [path.stem for path in NOTEBOOKS]
    assert memory.table(MEASURED["memory"]) in TEXT


@pytest.mark.notebook
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in another way elsewhere")
def test_a_chapter_takes_as_much_memory_as_the_table_says():
    """The cheapest chapter."""
    cheap = min(MEASURED["memory"], key=MEASURED["memory"].get)
    path = ROOT / "notebooks" / f"{cheap}.ipynb"
    assert memory.peak_of(path) == pytest.approx(MEASURED["memory"][cheap], rel=0.25)


def test_float32_is_as_far_off_as_the_text_says():
    """A part in ten million for an operation, parts in a million or 100,000 for a meta-gradient."""
    assert 0.5e-7 < torch.finfo(torch.float32).eps < 2e-7
    episode = Strokes().sample(2, shots=1, queries=2, generator=Strokes().generator(0))
    gradients = []
    for dtype in (torch.float32, torch.float64):
        network = conv4(8, 5, norm=lambda n: torch.nn.BatchNorm2d(n, track_running_stats=False),
                        seed=0).to(dtype)  # fmt: skip
        learner = MAML(network, F.cross_entropy, alpha=0.1, steps=5, way="autograd")
        e = episode.map(lambda t, d=dtype: t.to(d) if t.is_floating_point() else t)
        learner.outer_loss(e).backward()
        gradients.append(torch.cat([p.grad.flatten().double() for p in network.parameters()]))
    off = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert 1e-6 < off < 1e-4


# ---------------------------------------------------------------- Colab


def test_the_cell_for_colab_is_that_of_the_notebooks():
    (cell,) = re.findall(r"```colab\n(.*?)```", TEXT, flags=re.S)
    assert cell.strip() == colab.source(colab.known())


def test_what_the_library_imports_is_there_on_colab_or_installed_by_that_cell():
    """Found by reading every import statement of the rooms that a notebook uses."""
    there = {"torch", "numpy", "matplotlib", "IPython", "traitlets", "PIL", "safetensors"}
    optional = {"transformers", "peft", "sklearn", "nbconvert", "jupyter_core"}  # in functions
    optional |= {"torchopt", "gguf", "metaworld"}
    optional |= {"bs4", "jinja2", "nbformat"}  # for the site; no notebook imports what makes it
    optional |= {"psutil"}  # psutil comes with ipykernel
    optional |= {"easyfsl", "learn2learn"}  # beside which chapter 14 puts itself
    optional |= {"jupyter_server", "tornado", "segno"}  # for live lectures, no notebook asks
    found = set()
    for path in (ROOT / "course_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.partition(".")[0] for name in names}
    foreign = found - set(sys.stdlib_module_names) - {"course_lib"}
    assert foreign - there - optional == {"higher", "anywidget"} <= set(ADDED)


def test_the_course_works_from_a_path_without_being_installed(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from course_lib import mlp; mlp()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
