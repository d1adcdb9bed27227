"""`python -m course_lib capstone FOLDER_OR_FILE`: every method of the course on your own data, and
a report."""

import argparse

import torch

from course_lib.chapters.ch14.report import places, write_report
from course_lib.chapters.ch14.sources import own_data
from course_lib.chapters.ch14.table import EPISODES, SEED, compare
from course_lib.commands.train import check_device, seed


def main(options: argparse.Namespace) -> int:
    """Print the table, and write the report where one was asked for."""
    if options.out is not None:
        places(options.out)  # refused before the work, not after it
    check_device(options.device)
    data = own_data(options.place, options.ways, options.device)
    print(f"{data.name}: {data.kind}, {data.says}", flush=True)
    found = compare(
        data,
        shots=options.shots,
        queries=options.queries,
        episodes=options.episodes,
        seed=options.seed,
        model=options.model,
    )
    print(found)
    if options.out is not None:
        print("wrote " + ", ".join(map(str, write_report(found, options.out))))
    return 0


def add_parser(subparsers) -> None:
    """Add capstone to ``python -m course_lib``."""
    parser = subparsers.add_parser("capstone", help="every method of the course on your own data")
    parser.add_argument("place", help="a folder of pictures, or a file of sentences or of curves")
    parser.add_argument("--ways", type=int, help="classes in a task; 5 unless told")
    parser.add_argument("--shots", type=int, default=1, help="examples of a class that are shown")
    parser.add_argument("--queries", type=int, help="of a class; up to 5 unless told")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="tasks, the same for all")
    parser.add_argument("--seed", type=seed, default=SEED, help="of the tasks")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="where the learners work")
    parser.add_argument("--model", help="folder or hub name of a language model, for sentences")
    parser.add_argument("--out", help="NAME of a report: NAME.html, NAME.md and NAME.png")
    parser.set_defaults(run=main)
