"""Train and evaluate the named runs of the course without a notebook: `train NAME`, `evaluate
FILE`, `list`.

The chapters declare the runs, in the tables RUNS of their study.py; this module only reads words.
"""

import argparse
import os
import sys
from pathlib import Path

import torch

from course_lib.chapters import named_run, named_runs
from course_lib.networks import checkpoints
from course_lib.training import processes
from course_lib.training.progress_bar import duration
from course_lib.training.runs import Run


def train(options: argparse.Namespace) -> int:
    """Train or measure a named run, and write its file; `load_or_train` reads those in data/."""
    try:
        with processes.joined(options.device, options.patience) as device:
            run = named_run(options.name)
            if processes.count() > 1 and not isinstance(run, Run):
                raise ValueError(
                    f"{run.name} has no outer loop to divide: start it without torchrun"
                )
            changed = settings(run.usual, options.set)
            check_device(device)
            seed = f"_seed{options.seed}" if options.seed else ""  # seeds do not share a file
            out = Path(options.out or f"runs/{run.name}{seed}.safetensors")
            if (options.out or "").endswith(("/", os.sep)):  # a Path forgets how its name ended
                raise ValueError(f"--out {options.out}: it names a folder, choose a file in it")
            run.train(out, options.seed, device, options.save_every, **changed)
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on from the last save", file=sys.stderr)
        return 130
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a trained file on fresh tasks. The file says which run made it."""
    made = checkpoints.read(options.file)[1].get("run", {})
    if "name" not in made:
        raise ValueError(
            f"{options.file} names no run that made it: choose a file of `python -m course_lib "
            "train`"
        )
    run = named_run(made["name"])
    check_device(options.device)
    run.evaluate_file(Path(options.file), options.device, **settings(run.usual, options.set))
    return 0


def list_runs(options: argparse.Namespace) -> int:
    """Every named run: its file, how long it took, what came out, and what may be set."""
    for run in named_runs().values():
        print(f"{run.name}: {run.says}")
        print(f"  {shipped_file(run)}")
        if options.settings and run.usual:
            print("  --set " + " ".join(f"{name}={value}" for name, value in run.usual.items()))
    return 0


def shipped_file(run) -> str:
    """One line about the file that ships: its name, seconds and one of its figures."""
    if not run.file.is_file():
        return "no file ships"
    about = run.about()
    words = [f"data/{run.file.name}"]
    if "seconds" in about and not isinstance(about["seconds"], dict):
        words.append(f"trained for {duration(about['seconds'])}")
    if figures := about.get("figures"):
        what = run.headline or list(figures)[-1]
        mean, half = figures[what]
        words.append(f"{what}: {mean:.3f} ± {half:.3f}")
    return ", ".join(words)


# --- words ----------------------------------------------------------------------------------------


def settings(usual: dict, words: list[str]) -> dict:
    """The settings that --set gives, of the types of the usual ones.

    Raises:
        ValueError: a word is no NAME=VALUE, or the value is of another type.
    """
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"--set {word}: write it as NAME=VALUE, such as alpha=0.1")
        found[name] = value_of(text, usual[name], word) if name in usual else text
    return found


def value_of(text: str, usual, word: str):
    """The value of a setting, read as what it usually is."""
    kind = type(usual)
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise ValueError(f"--set {word}: write True or False")
    try:
        return kind(text)
    except (ValueError, OverflowError):
        needs = "a whole number" if kind is int else "a number"
        raise ValueError(f"--set {word}: it needs {needs}, such as {usual}") from None


def check_device(name: str) -> None:
    """Refuse a device that this machine lacks.

    Raises:
        ValueError: says so.
    """
    try:
        torch.zeros(1, device=name).tolist()
    except (RuntimeError, AssertionError) as error:  # "meta" holds no numbers: NotImplementedError
        raise ValueError(f"--device {name}: this machine has no such device, use cpu") from error


def seed(text: str) -> int:
    """A seed from the command line."""
    if text.isdecimal() and int(text) < 2**63:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: choose a whole number of at least 0, below 2**63")


def seconds(text: str) -> float:
    """A waiting time from the command line."""
    try:
        if 0 < (value := float(text)) <= 86_400:
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text}: choose seconds above 0, and at most a day (86400)")


def add_parser(subparsers) -> None:
    """Add train, evaluate and list to ``python -m course_lib``."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    training = subparsers.add_parser("train", help="train a named run and score it on fresh tasks")
    training.add_argument("name", help="of a run: `python -m course_lib list` names them all")
    training.add_argument("--seed", type=seed, default=0, help="of starting weights and tasks")
    training.add_argument("--out", help="file to write; runs/NAME.safetensors unless told")
    training.add_argument(
        "--save-every", type=int, default=2000, help="outer steps between two saves"
    )
    training.add_argument(
        "--patience",
        type=seconds,
        default=processes.PATIENCE,
        metavar="SECONDS",
        help="with torchrun: how long a process waits for the others",
    )
    training.set_defaults(run=train)
    scoring = subparsers.add_parser("evaluate", help="score a trained file on fresh tasks")
    scoring.add_argument("file")
    scoring.set_defaults(run=evaluate)
    for parser in (training, scoring):
        text = "a setting, such as alpha=0.1; several may follow: `list --settings` names them"
        parser.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=text
        )
        parser.add_argument("--device", default=device)
    listing = subparsers.add_parser("list", help="every named run: its file, seconds and figures")
    listing.add_argument("--settings", action="store_true", help="also what --set may change")
    listing.set_defaults(run=list_runs)
