"""The commands behind ``python -m course_lib``: train and evaluate without a notebook."""

import argparse
import shlex
import sys
from pathlib import Path

import torch

from course_lib import checkpoints, learners, shipped
from course_lib.evaluate import evaluate, evaluate_each_step, test_episodes
from course_lib.families import Sinusoids
from course_lib.meta_train import Plan, differences, meta_train, run_settings
from course_lib.networks import mlp
from course_lib.progress_bar import duration

METHODS = {"maml": learners.MAML, "joint": learners.Joint}
CHECKED_STEPS = (0, 1, 5, 10)


def build(options: argparse.Namespace):
    """Learner, family and plan from the words of the command line, on the chosen device.

    Raises:
        ValueError: a setting is out of range, or there is no such device.
    """
    try:
        torch.empty(1, device=options.device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {options.device}: this machine has no such device, use cpu") from error
    if options.episodes < 2:
        raise ValueError(f"--episodes {options.episodes}: an interval needs at least 2")
    family = Sinusoids(device=options.device)
    learner = METHODS[options.method](
        mlp(seed=options.seed),
        alpha=options.alpha,
        steps=options.inner_steps,
        first_order=options.first_order,
        adapt=options.adapt,
        way=options.way,
    ).to(options.device)
    queries = options.shots if options.queries is None else options.queries
    plan = Plan(options.outer_steps, options.tasks, options.shots, queries, options.beta, options.seed)
    return learner, family, plan


def command(options: argparse.Namespace) -> str:
    """The command that repeats this training, with every setting spelled out, so that a changed default changes nothing."""
    words = ["python", "-m", "course_lib", "train"]
    for name, value in vars(options).items():
        if name in ("out", "device", "save_every") or value is None or value is False or callable(value):
            continue
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)


def test_scores(learner, family, options) -> dict[int, object]:
    """MSE on fresh tasks after 0, 1, 5 and 10 inner steps."""
    episode = test_episodes(family, options.episodes, shots=options.shots, queries=100, seed=options.test_seed)
    scores = evaluate_each_step(learner, episode, max(CHECKED_STEPS))
    return {step: scores[step] for step in CHECKED_STEPS}


test_scores.__test__ = False


def print_scores(scores: dict) -> None:
    for step, score in scores.items():
        print(f"after {step:2d} inner steps: {score}")


def train(options: argparse.Namespace) -> int:
    """Meta-train, score on fresh tasks, and write the file that `shipped.load_or_train` reads."""
    learner, family, plan = build(options)
    settings = run_settings(learner, family, plan)
    out = Path(options.out or f"runs/sinusoids_{options.method}_{options.shots}shot.safetensors")
    running = out.with_name(out.name + ".run")
    try:
        run = meta_train(learner, family, plan, checkpoint=running, save_every=options.save_every)
    except KeyboardInterrupt:
        print(f"\ninterrupted: the same command goes on from the last save, every {options.save_every} outer steps", file=sys.stderr)
        return 130
    print(f"trained for {duration(run.seconds)}" + (f", resumed at outer step {run.resumed_at}" if run.resumed_at else ""))
    scores = test_scores(learner, family, options)
    print_scores(scores)
    figures = {str(step): [score.mean, score.half_width] for step, score in scores.items()}
    shipped.ship(out, learner, settings, run, command=command(options), test_mse=figures, test_episodes=options.episodes)
    print(f"wrote {out}; the run itself is in {running}")
    return 0


def score(options: argparse.Namespace) -> int:
    """Score a trained file on fresh tasks."""
    learner, family, plan = build(options)
    tensors, about = checkpoints.read(options.file)
    matter = ("learner", "alpha", "inner_steps", "adapt", "shots")
    here, there = run_settings(learner, family, plan), about["settings"]
    if differing := differences({name: there[name] for name in matter}, {name: here[name] for name in matter}):
        print(f"note, it was trained otherwise: {differing}")
    checkpoints.load_weights(learner, checkpoints.weights(tensors), source=options.file)
    print_scores(test_scores(learner, family, options))
    episode = test_episodes(family, options.episodes, shots=options.shots, queries=100, seed=options.test_seed)
    print(f"after its own {options.inner_steps} inner steps: {evaluate(learner, episode)}")
    return 0


def seed(text: str) -> int:
    """A seed from the command line."""
    if text.isdecimal() and int(text) < 2**63:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: choose a whole number of at least 0, below 2**63")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", choices=["sinusoids"], default="sinusoids")
    parser.add_argument("--method", choices=METHODS, default="maml")
    parser.add_argument("--shots", type=int, default=10, help="support items a task")
    parser.add_argument("--queries", type=int, default=None, help="query items a task; as many as shots unless told")
    parser.add_argument("--tasks", type=int, default=25, help="tasks an outer step")
    parser.add_argument("--outer-steps", type=int, default=70_000)
    parser.add_argument("--alpha", type=float, default=0.01, help="inner learning rate")
    parser.add_argument("--beta", type=float, default=1e-3, help="outer learning rate, of Adam")
    parser.add_argument("--inner-steps", type=int, default=1)
    parser.add_argument("--first-order", action="store_true")
    parser.add_argument("--adapt", choices=["all", "head"], default="all")
    parser.add_argument("--way", choices=["vmap", "higher", "autograd"], default="vmap", help="to the meta-gradient")
    parser.add_argument("--seed", type=seed, default=0, help="of starting weights and training tasks")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--episodes", type=int, default=2000, help="fresh tasks to score on")
    parser.add_argument("--test-seed", type=seed, default=12345)


def add_parser(subparsers) -> None:
    """Add train and evaluate to ``python -m course_lib``."""
    training = subparsers.add_parser("train", help="meta-train a learner and score it on fresh tasks")
    add_options(training)
    training.add_argument("--out", help="file to write; runs/... unless told")
    training.add_argument("--save-every", type=int, default=2000, help="outer steps between two saves")
    training.set_defaults(run=train)
    scoring = subparsers.add_parser("evaluate", help="score a trained file on fresh tasks")
    add_options(scoring)
    scoring.add_argument("file")
    scoring.set_defaults(run=score)
