"""One click: the cell for Colab in every notebook, what it decides, and the files of Binder and
Codespaces."""

import ast
import json
import re
import shlex
import subprocess
import sys
import types

import nbformat
import pytest

from course_lib import ROOT
from course_lib import __main__ as commands
from course_lib.commands import colab as runtime
from tools import colab as cell

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PINS = runtime.pins()
BROUGHT = dict(runtime.LEAST)  # what a runtime has at least
TORCHES = ["2.8.0+cu126", "2.9.0+cu126", "2.9.1", "2.10.0+cu128", "2.10.0a0+git1", "2.13.0", "3.0"]
MISSING = [f"{name}=={PINS[name]}" for name in runtime.ADDED]


@pytest.mark.parametrize("torch", TORCHES)
@pytest.mark.parametrize("numpy", ["2.0.2", "2.4.6"])
def test_the_torch_of_a_runtime_stays_and_only_what_is_missing_comes(torch, numpy):
    decided = runtime.decide(BROUGHT | {"torch": torch, "numpy": numpy}, PINS)
    assert decided.install == MISSING and decided.older == []
    assert f"torch {torch}" in decided.kept and f"numpy {numpy}" in decided.kept
    assert "--no-deps" in runtime.command(decided.install)


@pytest.mark.parametrize("torch", ["1.13.1+cu116", "2.1.0", "2.5.1+cu124", "2.7.1"])
def test_an_old_torch_stays_too_and_is_told(torch):
    decided = runtime.decide(BROUGHT | {"torch": torch}, PINS)
    assert decided.install == MISSING
    assert [told.startswith(f"torch {torch} is older than") for told in decided.older] == [True]


def test_nothing_comes_twice_and_what_is_not_there_comes_as_pinned():
    assert runtime.decide(PINS, PINS).install == []
    assert runtime.decide({}, PINS).install[0] == f"torch=={PINS['torch']}"
    assert set(runtime.LEAST) | set(runtime.ADDED) <= set(PINS)


def test_the_oldest_tried_is_not_newer_than_the_pins():
    for name, least in runtime.LEAST.items():
        assert runtime.numbers(least) <= runtime.numbers(PINS[name]), name


def test_a_runtime_is_made_ready(monkeypatch, capsys):
    called, output = [], types.SimpleNamespace(
        enable_custom_widget_manager=lambda: called.append("widgets")
    )
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    monkeypatch.setattr(runtime, "version_of", BROUGHT.get)
    monkeypatch.setattr(subprocess, "run", lambda words, check: called.append(words[4:]))
    monkeypatch.setattr(sys, "path", [])
    runtime.prepare()
    assert called == [["-q", "--no-deps", *MISSING], "widgets"] and sys.path == [str(ROOT)]
    assert f"torch {BROUGHT['torch']}" in capsys.readouterr().out


def test_what_runs_before_anything_is_installed_needs_the_standard_library_only():
    tree = ast.parse((ROOT / "course_lib" / "commands" / "colab.py").read_text("utf-8"))
    found = {
        (getattr(node, "module", None) or node.names[0].name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert found <= set(sys.stdlib_module_names)


# --- the cell ---


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_the_cell_below_its_title_and_hides_it(path):
    cells = nbformat.read(path, as_version=4).cells
    wanted = cell.source(cell.known())
    assert cells[1].source == wanted, f"python -m tools.colab notebooks/{path.name}"
    assert [cell.is_for_colab(one.source) for one in cells].count(True) == 1
    assert cells[1].metadata.jupyter.source_hidden and not cells[1].outputs
    assert cells[1].metadata.slideshow.slide_type == "skip"


class Shell:
    """IPython's shell, as far as the cell uses it."""

    def __init__(self, name):
        self.name, self.called = name, []

    def __str__(self):
        return f"<{self.name} object at 0x7>"

    def system(self, words):
        self.called.append(words)

    def run_line_magic(self, name, words):
        self.called.append(f"%{name} {words}")


def run(name, repository=""):
    shell = Shell(name)
    names = {"get_ipython": lambda: shell, "input": lambda asked: "someone/course"}
    exec(cell.source(repository), names)
    return shell.called


def test_the_cell_does_nothing_elsewhere():
    assert run("ipykernel.zmqshell.ZMQInteractiveShell") == []


@pytest.mark.parametrize("repository", ["", "someone/course"])
def test_on_colab_it_fetches_the_course_and_runs_what_decides(repository):
    fetch, go, decide = run("google.colab._shell.Shell", repository)
    assert fetch.endswith("https://github.com/someone/course /content/course")
    assert go == "%cd -q /content/course/notebooks"
    assert (ROOT / "notebooks" / decide.removeprefix("%run ")).resolve().is_file()


def test_the_cell_is_put_once_and_takes_a_new_address(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# 99"), nbformat.v4.new_code_cell("1 + 1")]
    )
    for repository in ("", "a/b", "a/b"):
        cell.put(notebook, repository)
    assert len(notebook.cells) == 3 and 'course = "a/b"' in notebook.cells[1].source
    nbformat.write(notebook, tmp_path / "00_toy.ipynb")
    assert cell.known(tmp_path) == "a/b"
    with pytest.raises(ValueError, match="owner/name"):
        cell.source("https://github.com/a/b")


def test_a_build_puts_the_cell_and_counts_the_others_from_one():
    from tools.notebooks import clean, complaints

    title = nbformat.v4.new_markdown_cell("# 99")
    first = nbformat.v4.new_code_cell(cell.source(), execution_count=1)
    result = nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=2)
    second = nbformat.v4.new_code_cell("1 + 1", execution_count=2, outputs=[result])
    for cells in ([title, first, second], [title, second]):
        notebook = nbformat.v4.new_notebook(cells=cells)
        clean(notebook)
        assert complaints(notebook) == [] and second.outputs[0].execution_count == 1
        assert cell.is_for_colab(notebook.cells[1].source)


# --- Binder and Codespaces ---


def test_the_container_installs_the_course_with_a_python_that_it_supports():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    version = re.search(r"python:(\d+\.\d+)$", container["image"])[1]
    told = (ROOT / "README.md").read_text("utf-8").split("You need 64-bit Python")[1]
    assert version in told[:60]
    assert container["postCreateCommand"].endswith("-e .")
    (opened,) = container["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / opened).is_file()


def test_binder_can_run_what_follows_its_environment():
    done = subprocess.run(["bash", "-n", str(ROOT / "postBuild")], capture_output=True)
    assert done.returncode == 0 and (ROOT / "postBuild").stat().st_mode & 0o111


def test_the_workflow_builds_the_site_with_words_that_the_command_knows():
    text = (ROOT / ".github" / "workflows" / "site.yml").read_text("utf-8")
    line = re.search(r"run: python -m course_lib (.*?)(?: #.*)?$", text, re.M)[1]
    words = shlex.split(line.replace("$GITHUB_REF_NAME", "main"))
    options = commands.parser(words).parse_args(words)
    assert re.search(rf"^ +path: {options.out}$", text, re.M) and not options.still
