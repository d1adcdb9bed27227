"""The runs of chapter 14: the MAML family of chapter 05 with its weights kept, so that it can be
tried on anybody's pictures."""

from functools import partial
from types import SimpleNamespace

from course_lib.chapters.ch05.bench import METHODS, learner_of, strokes
from course_lib.learners import MAML, Learner
from course_lib.training.evaluation import Score, evaluate_each_step
from course_lib.training.runs import FROM_PLAN, Run, printed

OUTER_STEPS = 300  # as in chapter 05, where rates and steps were chosen and three seeds compared
# inner rate and inner steps at test time, as chapter 05 chose them on tasks of its training side
CHOSEN = {
    "maml": (0.1, 3), "first order": (0.1, 10), "anil": (0.1, 10), "meta-sgd": (0.1, 10),
    "reptile": (0.3, 10), "imaml": (0.1, 10),
}  # fmt: skip


def prepare(name: str, o: SimpleNamespace):
    """Learner, family and plan, as in chapter 05."""
    bench = strokes(o.outer_steps)
    plan = bench.plan(**{setting: getattr(o, setting) for setting in FROM_PLAN}, seed=o.seed)
    return learner_of(name, bench, o.alpha, o.seed), bench.training, plan


def report(learner: MAML, o: SimpleNamespace) -> dict[str, Score]:
    """On the 400 tasks of chapter 05, of scripts held out."""
    scores = evaluate_each_step(learner, strokes(o.outer_steps).tasks(), o.test_steps)
    return printed({f"held-out scripts, 5-way 1-shot, {o.test_steps} steps": scores[-1]})


def run_of(name: str) -> Run:
    """The run of one method of the family."""
    plan = strokes(OUTER_STEPS).plan(seed=0)
    alpha, steps = CHOSEN[name]
    usual = {setting: getattr(plan, setting) for setting in FROM_PLAN}
    usual |= {"alpha": alpha, "test_steps": steps, "episodes": 400}
    says = f"{METHODS[name]} of chapter 05, its weights kept for chapter 14"
    return Run(f"own_{name.replace(' ', '_').replace('-', '_')}", says, usual,
               partial(prepare, name), report)  # fmt: skip


def trained(name: str) -> Learner:
    """A method of the family after its training, with the steps that it takes at test time."""
    run = run_of(name)
    learner = run.load()
    learner.steps = run.usual["test_steps"]
    return learner


RUNS = [run_of(name) for name in CHOSEN]
