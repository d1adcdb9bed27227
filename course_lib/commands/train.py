"""The commands behind ``python -m course_lib``: train and evaluate without a notebook."""

import argparse
import shlex
import sys
from pathlib import Path

import torch

from course_lib.training import builders, checkpoints, prepared_runs, shipped
from course_lib.training import pretraining as language_training
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step, test_episodes
from course_lib.training.outer_loop import differences, meta_train, run_settings
from course_lib.training.progress_bar import duration

CHECKED_STEPS = (0, 1, 5, 10)
UNTOLD = ("out", "device", "save_every", "file")  # no part of what a run computes


def build(options: argparse.Namespace):
    """Learner, family and plan from the words of the command line, on the chosen device.

    Raises:
        ValueError: a setting is out of range, or there is no such device.
    """
    builders.check_device(options.device)
    if options.episodes < 2:
        raise ValueError(f"--episodes {options.episodes}: an interval needs at least 2")
    if builders.KINDS[options.data] == "prepared":
        return prepared_runs.build(options)
    return builders.learner(options), builders.training_family(options), builders.plan(options)


def command(options: argparse.Namespace) -> str:
    """The command that repeats this training, with every setting spelled out, so that a changed default changes nothing."""
    words = ["python", "-m", "course_lib", "train"]
    for name, value in vars(options).items():
        if name in UNTOLD or value is None or value is False or callable(value):
            continue
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)


def test_scores(learner, options) -> dict[str, Score]:
    """On fresh tasks: the score, for learners that adapt by steps after 0, 1, 5 and 10 of them. By what each score is of."""
    family = builders.testing_family(options)
    if options.data == "sinusoids":
        episode = test_episodes(
            family, options.episodes, shots=options.shots, queries=100, seed=options.test_seed
        )
    else:
        episode = test_episodes(
            family,
            options.episodes,
            shots=options.shots,
            queries=options.queries,
            seed=options.test_seed,
        )
    if not hasattr(learner, "after_each_step"):
        return {
            f"{options.data}, {options.ways}-way {options.shots}-shot": evaluate(learner, episode)
        }
    steps = sorted({*CHECKED_STEPS, learner.steps})
    scores = evaluate_each_step(learner, episode, max(steps))
    return {f"after {step:2d} inner steps": scores[step] for step in steps}


test_scores.__test__ = False


def print_scores(scores: dict[str, Score]) -> None:
    for what, score in scores.items():
        print(f"{what}: {score}")


def report(learner, options: argparse.Namespace) -> dict[str, dict]:
    """Print the scores on fresh tasks and return them as a file keeps them: [mean, half of the interval] for each."""
    scores = test_scores(learner, options)
    print_scores(scores)
    figures = {what: [score.mean, score.half_width] for what, score in scores.items()}
    if options.data == "sinusoids":
        return {"test_mse": {what.split()[1]: figure for what, figure in figures.items()}}
    return {"test_accuracy": figures}


def train(options: argparse.Namespace) -> int:
    """Meta-train, score on fresh tasks, and write the file that `shipped.load_or_train` reads."""
    options = builders.filled(options)
    if options.data == "worlds":
        return train_language(options)
    learner, family, plan = build(options)
    settings = run_settings(learner, family, plan)
    out = Path(options.out or f"runs/{usual_name(options)}.safetensors")
    running = out.with_name(out.name + ".run")
    try:
        run = meta_train(learner, family, plan, checkpoint=running, save_every=options.save_every)
    except KeyboardInterrupt:
        print(
            f"\ninterrupted: the same command goes on from the last save, every {options.save_every} outer steps",
            file=sys.stderr,
        )
        return 130
    print(
        f"trained for {duration(run.seconds)}"
        + (f", resumed at outer step {run.resumed_at}" if run.resumed_at else "")
    )
    figures = (
        prepared_runs.report(learner, options)
        if builders.KINDS[options.data] == "prepared"
        else report(learner, options)
    )
    shipped.ship(
        out,
        learner,
        settings,
        run,
        command=command(options),
        **figures,
        test_episodes=options.episodes,
    )
    print(f"wrote {out}; the run itself is in {running}")
    return 0


def usual_name(options: argparse.Namespace) -> str:
    """What a run is called unless told; those of a chapter are called as the files that ship."""
    if builders.KINDS[options.data] == "prepared":
        return f"{options.data}_{options.method}"
    ways = "" if options.ways is None else f"{options.ways}way_"
    return f"{options.data}_{options.method}_{ways}{options.shots}shot"


def train_language(options: argparse.Namespace) -> int:
    """Train the small language model and write it, with an early copy beside it: what `language_training.shipped_model` reads."""
    builders.check_device(options.device)
    out = Path(
        options.out or f"runs/tiny_gpt{f'_seed{options.seed}' if options.seed else ''}.safetensors"
    )  # one seed does not overwrite another
    plan = language_training.LanguagePlan(
        steps=options.outer_steps, rate=options.beta, seed=options.seed
    )
    model, early, about = language_training.run(plan, options.device)
    about["command"] = command(options)
    for path, weights in ((out, model.state_dict()), (out.with_stem(f"{out.stem}_early"), early)):
        if weights:
            model.load_state_dict(weights)
            print(f"{path.name}:")
            figures = language_training.report(model, options.episodes)
            checkpoints.write(path, weights, about | {"accuracy": figures})
            print(f"wrote {path}")
    return 0


def score(options: argparse.Namespace) -> int:
    """Score a trained file on fresh tasks."""
    check_made_for(options.file, options.data)
    if builders.KINDS[options.data] == "prepared":
        options = builders.filled(options)
        builders.check_device(options.device)
        prepared_runs.report(*prepared_runs.loaded(options.file, options))
        return 0
    if options.data == "worlds":
        options = builders.filled(options)
        file = Path(options.file)
        language_training.report(
            language_training.shipped_model(file.stem, file.parent), options.episodes
        )
        return 0
    if builders.KINDS[options.data] == "pictures":
        learner, made = trained(options.file, options.device)
        options = builders.filled(options)
        if made.method == "maml" and options.ways != made.ways:
            raise ValueError(
                f"--ways {options.ways}: this learner has a head of {made.ways} classes, use --ways {made.ways}"
            )
    else:
        tensors, about = checkpoints.read(options.file)
        options = builders.filled(options)
        learner, family, plan = build(options)
        matter = ("learner", "alpha", "inner_steps", "adapt", "shots")
        here, there = run_settings(learner, family, plan), about["settings"]
        if differing := differences(
            {name: there[name] for name in matter}, {name: here[name] for name in matter}
        ):
            print(f"note, it was trained otherwise: {differing}")
        checkpoints.load_weights(learner, checkpoints.weights(tensors), source=options.file)
    print_scores(test_scores(learner, options))
    return 0


def check_made_for(path, data: str) -> None:
    """Refuse a file that was trained on other kinds of tasks; pictures are told by the command that made the file, see `trained`.

    Raises:
        ValueError: says so.
    """
    _, about = checkpoints.read(path)
    named = {"sinusoids": "sinusoids", "linear regressions": "regressions", "intents": "intents"}
    found = "worlds" if "size" in about else named.get(about.get("settings", {}).get("family"))
    if builders.KINDS[data] != "pictures" and found != data:
        raise ValueError(
            f"{path} was not trained on {data}: "
            + (
                f"evaluate it with --data {found}"
                if found
                else "choose another file, or --data strokes"
            )
        )


def trained(path, device: str = "cpu"):
    """The learner for pictures that a file of the train command holds, and the options it was trained with.

    Raises:
        ValueError: the file was made otherwise, or is damaged.
    """
    tensors, about = checkpoints.read(path)
    words = shlex.split(about.get("command", ""))
    if words[:4] != ["python", "-m", "course_lib", "train"]:
        raise ValueError(
            f"{path} names no command that made it: choose a file of `python -m course_lib train`"
        )
    made = builders.filled(training_parser().parse_args([*words[4:], "--device", device]))
    if builders.KINDS[made.data] != "pictures":
        raise ValueError(f"{path} was trained on {made.data}: evaluate it with --data {made.data}")
    made.start = None  # its weights are replaced anyway
    learner = builders.learner(made)
    checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path)
    return learner, made


def seed(text: str) -> int:
    """A seed from the command line."""
    if text.isdecimal() and int(text) < 2**63:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: choose a whole number of at least 0, below 2**63")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options that are None take the usual value of their data: see `builders.USUAL`."""
    add = parser.add_argument
    add("--data", choices=builders.KINDS, default="sinusoids")
    methods = [
        *builders.CURVES,
        *builders.METRIC,
        *builders.LANGUAGE,
        *sum(prepared_runs.METHODS.values(), []),
    ]
    add("--method", choices=dict.fromkeys(methods), default=None)
    add("--ways", type=int, default=None, help="classes in an episode")
    add(
        "--shots",
        type=int,
        default=None,
        help="support items a task, or a class where there are classes",
    )
    add("--queries", type=int, default=None, help="query items a task or class")
    add("--tasks", type=int, default=None, help="tasks an outer step")
    add("--outer-steps", type=int, default=None)
    add("--alpha", type=float, default=None, help="inner learning rate")
    add(
        "--beta",
        type=float,
        default=None,
        help="outer learning rate, of Adam; of the small language model its only one",
    )
    add("--decay", action="store_true", help="let beta sink to 0")
    add("--inner-steps", type=int, default=None)
    add("--first-order", action="store_true")
    add("--adapt", choices=["all", "head"], default="all")
    add(
        "--gradient",
        choices=["fast", "vmap", "higher", "autograd"],
        default="fast",
        help="way to the meta-gradient",
    )
    add("--channels", type=int, default=None, help="of conv4")
    add("--half", action="store_true", help="compute in bfloat16 while training (metric learners)")
    add(
        "--statistics",
        choices=["query", "support", "running"],
        default=None,
        help="of batch norm in MAML on pictures",
    )
    add(
        "--start", default=None, help="a trained file whose encoder to start from (metric learners)"
    )
    add(
        "--scripts",
        type=int,
        default=None,
        help="how many scripts to invent for training on strokes",
    )
    add(
        "--within",
        type=float,
        default=None,
        help="share of tasks whose classes come from one script or alphabet",
    )
    add(
        "--rotations",
        action="store_true",
        help="Omniglot: each rotation is a class of its own, in training",
    )
    add(
        "--part",
        default="evaluation",
        help="Omniglot: what to test on: background, evaluation or all",
    )
    add("--seed", type=seed, default=0, help="of starting weights and training tasks")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--episodes", type=int, default=None, help="fresh tasks to score on")
    add("--test-seed", type=seed, default=12345)


def training_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    parser = parser or argparse.ArgumentParser()
    add_options(parser)
    parser.add_argument("--out", help="file to write; runs/... unless told")
    parser.add_argument(
        "--save-every", type=int, default=2000, help="outer steps between two saves"
    )
    parser.set_defaults(run=train)
    return parser


def add_parser(subparsers) -> None:
    """Add train and evaluate to ``python -m course_lib``."""
    training_parser(
        subparsers.add_parser("train", help="meta-train a learner and score it on fresh tasks")
    )
    scoring = subparsers.add_parser("evaluate", help="score a trained file on fresh tasks")
    add_options(scoring)
    scoring.add_argument("file")
    scoring.set_defaults(run=score)
