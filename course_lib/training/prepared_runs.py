"""Commands for the runs that chapters prepare: regressions read in context, and short requests. Learner, family and plan come from their modules."""

import argparse
from dataclasses import replace

from course_lib.chapters.ch09 import study as intent_line_up
from course_lib.chapters.ch10 import regressions as regressions_in_context
from course_lib.episodes import TaskFamily
from course_lib.learners import Learner
from course_lib.training import checkpoints
from course_lib.training.evaluation import evaluate
from course_lib.training.outer_loop import Plan

METHODS = {
    "regressions": ["in_context"],
    "intents": ["prototypical", "maml", "baselinepp"],
}  # the first is the usual one
EPISODES = {"regressions": 2000, "intents": 600}
FROM_PLAN = ("outer_steps", "tasks", "shots", "queries", "beta")


def prepare(data: str, method: str, seed: int, device: str) -> tuple[Learner, TaskFamily, Plan]:
    """As the chapter prepares it. Requests stay on the CPU, where they take seconds."""
    return (
        regressions_in_context.prepare(seed, device)
        if data == "regressions"
        else intent_line_up.prepare(method, seed)
    )


def filled(o: argparse.Namespace) -> argparse.Namespace:
    """The options with what the chapter chose in the place of what was not given."""
    full = argparse.Namespace(**vars(o))
    full.method = o.method or METHODS[o.data][0]
    full.episodes = EPISODES[o.data] if o.episodes is None else o.episodes
    if full.method in METHODS[o.data]:
        plan = prepare(o.data, full.method, o.seed, "cpu")[2]
        for name in FROM_PLAN:
            if getattr(o, name) is None:
                setattr(full, name, getattr(plan, name))
    return full


def build(o: argparse.Namespace) -> tuple[Learner, TaskFamily, Plan]:
    """Learner, family and plan with the options' numbers.

    Raises:
        ValueError: one is out of range.
    """
    learner, family, plan = prepare(o.data, o.method, o.seed, o.device)
    return (
        learner,
        family,
        replace(plan, seed=o.seed, **{name: getattr(o, name) for name in FROM_PLAN}),
    )


def report(learner: Learner, o: argparse.Namespace) -> dict[str, dict]:
    """Print the scores on fresh tasks beside the yardsticks of the chapter, and return the learner's: [mean, half of the interval] for each."""
    if o.data == "regressions":
        return {"test_mse": regressions_in_context.print_scores(learner, o.episodes, o.test_seed)}
    bag, found = intent_line_up.bag_of_words(), {}
    for shots in intent_line_up.SHOTS:
        episode = intent_line_up.episodes(shots, count=o.episodes, seed=o.test_seed)
        for name, who in ((o.method, learner), ("bag of words", bag)):
            score = evaluate(who, episode, batch=50)
            print(
                f"intents of held-out domains, {intent_line_up.WAYS}-way {shots}-shot, {name}: {score}",
                flush=True,
            )
            if who is learner:
                found[str(shots)] = [score.mean, score.half_width]
    return {"test_accuracy": found}


def loaded(path, o: argparse.Namespace) -> tuple[Learner, argparse.Namespace]:
    """The learner that a file holds, which also names the method.

    Raises:
        ValueError: no learner of these data fits the file, or it was trained when there were other sentences.
    """
    tensors, about = checkpoints.read(path)
    for method in METHODS[o.data]:
        learner, family, _ = prepare(o.data, method, 0, o.device)
        if learner.settings()["learner"] == about["settings"].get("learner"):
            if about["settings"].get("fingerprint") != family.settings().get(
                "fingerprint"
            ):  # of the sentences: a word's number may be another's now
                raise ValueError(
                    f"{path} was trained on other sentences than data/intents holds now: train it again"
                )
            checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path)
            return learner, argparse.Namespace(**{**vars(o), "method": method})
    raise ValueError(
        f"{path} holds none of {', '.join(METHODS[o.data])}: choose a file of `python -m course_lib train --data {o.data}`"
    )
