"""Whatever stands on a command line, the answer is an exit code and one sentence: words are drawn
at random, and nothing that would take long is begun."""

import os
import random
import subprocess
import sys

import pytest

from course_lib.__main__ import main
from course_lib.chapters import named_runs

SEED = int(os.environ.get("COURSE_SEED", 0))
LINES = 400
ODD = ["", " ", "0", "-1", "1", "2", "1e3", "nan", "inf", "-inf", "1e999", "٣", "10000000000",
       "99999999999999999999", "-99999999999999999999", "0x10", "1_0", "None", "True", "é",
       "한국어", "\u202e", "a b", "--", "-", "../..", "/dev/null", "nothing.safetensors", "=", "a=",
       "=1", "x" * 300]  # fmt: skip
PLACES = ["nothing", "", "/dev/null", "/", "a folder", "Maß und Ziel", "data/README.md", "\0"]
DEVICES = ["cpu", "meta", "cuda", "cuda:7", "abacus", "", "cpu:3", "mps", "xla", "CPU", "한"]


def settings_of(name: str, dice: random.Random) -> list[str]:
    """One or two settings that cannot be or are tiny; those that decide how long it takes stay
    tiny."""
    usual = named_runs()[name].usual
    known = [one for one in usual if one not in TINY] or ["nothing"]
    chosen = [dice.choice([*known, "nonsense", ""]) for _ in range(dice.randrange(1, 3))]
    return [f"{one}={dice.choice(ODD)}" for one in chosen]


TINY = {"outer_steps": 1, "tasks": 1, "episodes": 2, "shots": 1, "queries": 1, "ways": 2,
        "channels": 4, "scripts": 2, "inner_steps": 1, "test_episodes": 2}  # fmt: skip
QUICK = ["sinusoids_maml_5shot", "sinusoids_joint_10shot", "strokes_koch", "look_relation"]


def train(dice: random.Random) -> list[str]:
    name = dice.choice([*QUICK, *QUICK, "magic", "", "한국어"])
    line = ["train", name]
    if name in QUICK:
        kept = {key: value for key, value in TINY.items() if key in named_runs()[name].usual}
        # a large count is drawn for one of them, and must be refused before it is counted
        if dice.random() < 0.4:
            large = dice.choice(["tasks", "shots", "queries", "channels", "scripts", "ways"])
            if large in kept:
                kept[large] = dice.choice(["1000000000", "9" * 20, "-5", "nan", "1e9"])
        line += ["--set", *(f"{key}={value}" for key, value in kept.items())]
        if dice.random() < 0.5:
            line += settings_of(name, dice)
    if dice.random() < 0.3:
        line += ["--seed", dice.choice(ODD)]
    if dice.random() < 0.3:
        line += ["--device", dice.choice(DEVICES)]
    if dice.random() < 0.2:
        line += ["--save-every", dice.choice(ODD)]
    return line + ["--out", dice.choice([*PLACES, "out/made"])]


def evaluate(dice: random.Random) -> list[str]:
    line = ["evaluate", dice.choice(PLACES)]
    return line + (["--set", dice.choice(ODD)] if dice.random() < 0.5 else [])


def benchmark(dice: random.Random) -> list[str]:
    what = dice.choice(["gradients", "images", "nothing"])
    flags = dice.sample(["--tasks", "--rounds", "--steps", "--channels", "--threads"], 2)
    huge = [odd for odd in ODD if odd not in ("1", "2", "1_0")]
    return ["benchmark", what, *(word for flag in flags for word in (flag, dice.choice(huge)))]


def rest(dice: random.Random) -> list[str]:
    return dice.choice([
        ["slides", dice.choice(ODD), "--output", dice.choice(PLACES)],
        ["fetch", dice.choice([*ODD, "mnist"])],
        ["runs", dice.choice(PLACES)],
        ["list", dice.choice(ODD)],
        ["check", dice.choice(ODD)],
        [dice.choice(ODD)],
        [],
    ])  # fmt: skip


def test_every_line_is_answered_by_an_exit_code_and_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    (tmp_path / "a folder").mkdir()
    dice, codes = random.Random(SEED), {}
    for _ in range(LINES):
        line = dice.choice([train, train, train, evaluate, benchmark, rest])(dice)
        try:
            code = main(line)
        except SystemExit as stop:  # argparse
            code = stop.code
        said = capsys.readouterr()
        codes[code] = codes.get(code, 0) + 1
        assert code in (0, 1, 2), (line, code)
        if code == 2:
            assert said.err.strip() and "Traceback" not in said.err, (line, said.err)
            assert len(said.err.split("\r")[-1]) < 4000, line
    print(f"COURSE_SEED={SEED}: exit codes {codes}")
    assert codes[2] > LINES // 2 and codes.get(0, 0) > 5


PROGRAM = [sys.executable, "-m", "course_lib"]


@pytest.mark.parametrize("words", [["list"], ["list", "--settings"], ["check"], ["--help"]])
def test_a_closed_output_is_no_error(words):
    one = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    one.stdout.close()
    said = one.stderr.read()
    assert b"Traceback" not in said and b"Exception" not in said, said
    assert one.wait(timeout=60) in (0, 1)


def test_bytes_that_are_no_text_are_answered():
    done = subprocess.run([*PROGRAM, "train", b"\xff\xfe", "--seed", b"\xff"], capture_output=True)
    assert done.returncode == 2 and b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["check"], ["fetch", "omniglot"], ["runs"], ["list"]])
@pytest.mark.parametrize(
    "changes",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "COURSE_CACHE": "/dev/null/x"},
        {"COURSE_CACHE": "/proc/cache"},
        {"COURSE_CACHE": "\u00df und Ziel", "OMNIGLOT_ROOT": "Ma\u00df und Ziel"},
    ],
)
def test_odd_surroundings_are_answered_too(words, changes, tmp_path):
    if words[0] == "fetch" and "Ziel" in changes["COURSE_CACHE"]:
        words = ["fetch"]  # with a cache that can be written it would ask the internet
    env = {name: value for name, value in os.environ.items() if name != "OMNIGLOT_ROOT"} | changes
    env["PYTHONPATH"] = os.getcwd()
    done = subprocess.run(
        [*PROGRAM, *words], env=env, capture_output=True, cwd=tmp_path, timeout=120
    )
    said = done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in said and done.returncode in (0, 1, 2), said


@pytest.mark.skipif(os.name == "nt", reason="NOT TESTED on Windows: a user always has an entry")
@pytest.mark.parametrize("words", [["check"], ["fetch", "omniglot"], ["runs"], ["list"]])
def test_a_user_without_a_home_is_told_what_to_set(words, monkeypatch, capsys):
    import pwd

    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "COURSE_CACHE", "XDG_CACHE_HOME", "OMNIGLOT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    code = main(words)
    said = capsys.readouterr()
    assert code in (0, 1, 2)
    if words[0] != "list":
        assert "this user has no home folder; set HOME, or COURSE_CACHE" in said.out + said.err
