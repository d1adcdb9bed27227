"""The small language model after it has practised a rule over two words, and everyone on tasks in
which looking an example up is not enough."""

from pathlib import Path

from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families.two_words import NotMixture, TwoWords
from course_lib.files import check_place
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.look_up import LookUp
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate
from course_lib.training.pretraining import LanguageRun, PretrainingPlan, train_language_model
from course_lib.training.progress_bar import duration

RULES = {  # what the tables call them
    "not, practised kinds": ("not", False, True),
    "not, held-out kinds": ("not",),
    "either-or, other kinds": ("either-or",),
    "either-or, shown kinds": ("either-or", True),
}
SHOTS, TASKS, TEST_SEED, WATCH_SEED = 8, 400, 15, 16


def tasks_of(rule: str, shots: int = SHOTS, count: int = TASKS, seed: int = TEST_SEED) -> Episode:
    """Held-out tasks of one of the `RULES`, with one query each."""
    family = TwoWords(*RULES[rule])
    return family.sample(count, shots=shots, queries=1, generator=family.generator(seed))


def alike(words: Tensor) -> Tensor:
    """The cosine of the two words of a pair, as the only feature: (..., 2, W) -> (..., 1)."""
    return words.prod(-2).sum(-1, keepdim=True)


def everyone(rule: str, practised: TinyGPT, shots: int = SHOTS, count: int = TASKS) -> dict[str, Score]:  # noqa: E501
    """Looking up and reading on the same tasks, by who answers."""
    tasks, model = tasks_of(rule, shots, count), shipped_model()
    learners = {
        "nearest example": LookUp(model.embedding.weight),
        "by likeness": LookUp(model.embedding.weight, alike),
        "read, before": InContext(model),
        "read, after": InContext(practised),
    }
    return {who: evaluate(learner, tasks) for who, learner in learners.items()}


class NotRun(LanguageRun):
    """The training of the model that has practised: it goes on from ``tiny_gpt``."""

    def train(
        self, out: Path, seed: int = 0, device: str = "cpu", save_every: int = 0, **changed
    ) -> None:
        """Practise, print the scores, and write the file."""
        o = self.settings(seed, device, **changed)
        check_place(out)
        plan = PretrainingPlan(steps=o.steps, rate=o.rate, warm_up=50, seed=seed)
        watched = {rule: tasks_of(rule, 8, 60, WATCH_SEED) for rule in RULES}
        along: list[list[float]] = []

        def look(model: TinyGPT) -> None:
            along.append([evaluate(InContext(model), tasks).mean for tasks in watched.values()])
            print(100 * len(along), *(f"{mean:.2f}" for mean in along[-1]), flush=True)

        model, _, history, seconds = train_language_model(
            plan, watch=100, device=device, progress=False, look=look, start=shipped_model(),
            mixture=NotMixture(plan.length),
        )  # fmt: skip
        print(f"trained for {duration(seconds)}")
        about = {"settings": {"steps": o.steps, "rate": o.rate}, "size": model.settings()}
        about |= {"seconds": round(seconds, 1), "history": history, "along": along}
        checkpoints.write(out, model.cpu().state_dict(), about | self.stamp(seed, **changed))
        print(f"wrote {out}")

    def evaluate_file(self, path: Path, device: str = "cpu", **changed) -> None:
        """Print everyone's scores on fresh tasks."""
        for rule in RULES:
            for who, score in everyone(rule, self.load(path)).items():
                print(f"{rule}, {SHOTS} examples, {who}: {score}", flush=True)


RUN = NotRun(
    "tiny_gpt_not",
    'the small language model after practice on the rule "not"',
    usual={"steps": 700, "rate": 3e-3},
)


def practised() -> TinyGPT:
    """The model that has practised, as it ships."""
    return RUN.load()
