"""start.py and environment.py: the lists of pins, the words, the commands and the
browser."""

import ast
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import environment
import start
from course_lib import ROOT

POSIX = os.name == "posix"


def listed(text: str) -> dict[str, str]:
    """Package: version for each exact pin in a text, whatever stands around it."""
    return dict(re.findall(r"""^[\s"'-]*([A-Za-z][\w.-]*)==([\w.]+)""", text, re.M))


# ------------------------------------------------------------------ the lists


def test_environment_yml_has_the_same_versions():
    pins = listed((ROOT / "requirements.txt").read_text())
    assert pins["torch"] and listed((ROOT / "environment.yml").read_text()) == pins


def test_the_extra_test_is_requirements_test():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {
        "file": ["requirements.txt"]
    }
    text = (ROOT / "requirements-test.txt").read_text()
    assert re.search(r"^-r requirements.txt$", text, re.M)
    extra = listed("\n".join(project["project"]["optional-dependencies"]["test"]))
    assert extra["pytest"] and extra == listed(text)


def test_an_installed_course_has_every_file_of_the_library():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    library = ROOT / "course_lib"
    packed = {path for pattern in patterns.pop("*") for path in library.rglob(pattern)}
    for package, more in patterns.items():
        room = ROOT / package.replace(".", "/")
        packed |= {path for pattern in more for path in room.glob(pattern)}
    files = {
        path
        for path in library.rglob("*.*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert files and files <= packed, files - packed


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_every_requirement_is_pinned_exactly_and_says_why(name):
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if not line.startswith(("#", "-r"))
    ]
    assert all(re.fullmatch(r"[a-z-]+==\d+(\.\d+)+ +# \w.+", line) for line in lines), lines


def test_the_oldest_python_is_the_same_everywhere():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert (
        start.OLDEST == environment.OLDEST == tuple(map(int, wanted.removeprefix(">=").split(".")))
    )


# ------------------------------------------------------------------ before anything is installed


def test_start_can_be_read_by_an_old_python():
    ast.parse((ROOT / "start.py").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("file", ["start.py", "environment.py", "course_lib/__init__.py"])
def test_only_the_standard_library_is_imported(file):
    nodes = list(ast.walk(ast.parse((ROOT / file).read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] not in sys.stdlib_module_names} - {
        "environment"
    }


def test_an_old_python_gets_one_sentence():
    code = (
        "import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path('start.py', "
        "run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(
        r"This course needs Python 3\.11 or newer and this is Python 3\.9: (start|install) .*\.\n",
        done.stderr,
    )


def test_a_newer_python_is_named_only_if_it_runs(monkeypatch, tmp_path):
    for name, code in {"python3.13": 127, "python3.12": 0}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\nexit {code}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert start.newer_python(("python3.13", "python3.12") if POSIX else ("no-such-python",)) == (
        "python3.12" if POSIX else None
    )
    assert "start with `python3.12 start.py`" in start.too_old((3, 8), "python3.12")


# ------------------------------------------------------------------ words and commands


@pytest.mark.parametrize(
    "words, cpu, pytest_words",
    [
        ([], False, None),
        (["--cpu"], True, None),
        (["test"], False, []),
        (["test", "-k", "setup", "-n", "2"], False, ["-k", "setup", "-n", "2"]),
        (["--cpu", "test", "-q"], True, ["-q"]),
        (["test", "--cpu", "-m", "not browser"], True, ["-m", "not browser"]),
    ],
)
def test_words(words, cpu, pytest_words):
    options, rest = start.read_words(words)
    assert (options.cpu, rest) == (cpu, pytest_words)


@pytest.mark.parametrize("words", [["--port", "70000"], ["--prot", "1"], ["tests"]])
def test_unknown_words_end_the_start(words, capsys):
    with pytest.raises(SystemExit) as end:
        start.read_words(words)
    assert end.value.code == 2 and words[-1] in capsys.readouterr().err


def test_the_cpu_build_is_asked_for_first_and_then_the_rest():
    torch = "torch==" + listed((ROOT / "requirements.txt").read_text())["torch"]
    first, rest = environment.install_commands("py", ROOT, test=False, cpu=True)
    assert first[:4] == ["py", "-m", "pip", "install"] and first[-3:] == [
        torch,
        "--index-url",
        "https://download.pytorch.org/whl/cpu",
    ]
    assert rest[-2:] == ["-r", "requirements.txt"] and "--index-url" not in rest
    assert environment.install_commands("py", ROOT, test=True, cpu=False) == [
        rest[:-1] + ["requirements-test.txt"]
    ]


def test_children_see_the_environment_and_nothing_that_mixes_another_in(tmp_path):
    base = {
        "PATH": "old",
        "PYTHONPATH": "x",
        "PIP_TARGET": "x",
        "MPLBACKEND": "TkAgg",
        "JUPYTER_CONFIG_DIR": "mine",
        "HTTPS_PROXY": "p",
    }
    env = environment.course_env(base, tmp_path)
    assert (
        env["PATH"] == os.path.dirname(environment.venv_python(tmp_path)) + os.pathsep + "old"
        and env["HTTPS_PROXY"] == "p"
    )
    assert not {"PYTHONPATH", "PIP_TARGET", "MPLBACKEND"} & set(env)
    for key in (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "MPLCONFIGDIR",
    ):
        assert Path(env[key]).is_relative_to(tmp_path)
    assert base["PYTHONPATH"] == "x"


def test_jupyterlab_answers_here_with_its_token_and_without_news(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / start.FIRST_CHAPTER).write_text("{}")
    port = next(number for number in range(18888, 18988) if start.port_is_free(number))
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    command = start.jupyter_command(sys.executable, tmp_path, port, browser=False, is_root=is_root)
    env = {**environment.course_env(os.environ, tmp_path / ".venv"), "JUPYTER_TOKEN": "abc"}
    server = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert '"news": {"disabled": true}' in fetch(f"http://127.0.0.1:{port}/lab?token=abc")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetch(f"http://127.0.0.1:{port}/api/contents")
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/?token=abc", timeout=20).geturl()
        assert page.split("?")[0].endswith("/lab/tree/notebooks/00_start_here.ipynb")
    finally:
        server.terminate()
        server.wait(20)


def fetch(address: str, seconds: float = 120) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(address, timeout=20).read().decode()
        except (ConnectionError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError) or time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.skipif(not POSIX, reason="Windows sends Ctrl-C to a whole console, this test's too")
@pytest.mark.parametrize("late", [0.5, 1.0])
def test_ctrl_c_is_quiet_even_while_jupyterlab_starts(tmp_path, late):
    is_root = os.geteuid() == 0
    command = start.jupyter_command(
        sys.executable, tmp_path, 18999, browser=False, is_root=is_root, others=50
    )
    env = environment.course_env(os.environ, tmp_path / ".venv")
    child = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    time.sleep(late)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=120)[0]
    assert "Traceback" not in said, said


# ------------------------------------------------------------------ the browser of the tests


def test_a_browser_of_the_system_is_found_if_it_answers(monkeypatch):
    monkeypatch.setattr(start.sys, "platform", "linux")
    which = {"chromium-browser": "/usr/bin/chromium-browser", "chromium": "/usr/bin/chromium"}.get
    assert (
        start.find_browser({}, which, exists=lambda _: False, works=lambda path: True)
        == "/usr/bin/chromium"
    )
    assert (
        start.find_browser({}, which, exists=lambda _: False, works=lambda path: "-browser" in path)
        == "/usr/bin/chromium-browser"
    )
    assert start.find_browser({}, which, exists=lambda _: False, works=lambda path: False) is None
    assert start.find_browser({"COURSE_BROWSER": "mine"}, which) == "mine"


@pytest.mark.parametrize(
    "env, path",
    [
        ({"HOME": "/Users/a"}, "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ({"PROGRAMFILES(X86)": "C:/P"}, "C:/P/Microsoft/Edge/Application/msedge.exe"),
    ],
)
def test_usual_places_on_mac_and_windows(env, path):
    assert (
        start.find_browser(
            env, which=lambda _: None, exists=lambda place: place == path, works=lambda _: True
        )
        == path
    )


@pytest.mark.parametrize("env, fate", [({}, "SKIPPED"), ({"CI": "true"}, "fail")])
def test_no_browser_is_said_loudly(env, fate, capsys):
    def late(*_, **__):
        raise subprocess.TimeoutExpired("playwright", 300)

    assert (
        start.fetch_browser("py", env, exists=lambda _: False, ask=lambda _: "", call=late) is None
    )
    assert re.search(
        rf"\*\*\* There is no browser, so the browser checks will (be )?{fate}",
        capsys.readouterr().out,
    )


def test_playwrights_own_browser_is_fetched_where_the_system_has_none():
    there = []
    found = start.fetch_browser(
        "py",
        {},
        exists=lambda _: bool(there),
        ask=lambda _: "/cache/chrome",
        call=lambda *_, **__: there.append(1),
    )
    assert found == "/cache/chrome" and there == [1]
