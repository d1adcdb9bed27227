"""Every method of the course that can answer a task of one's own data, in one list.

A method says what its learner is made of, which form of the items it reads, and what it was trained
on before. `learners` gives those that fit; the others come with a sentence that says why not.
"""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from course_lib.chapters import load_or_train
from course_lib.chapters.ch08 import study as pictures
from course_lib.chapters.ch09 import study as requests
from course_lib.chapters.ch14 import study
from course_lib.chapters.ch14.sources import OwnData
from course_lib.families.prompt_tokens import LABELS
from course_lib.families.prompt_worlds import ID
from course_lib.language_models.opening import TinyModel, open_model
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners import (
    MAML,
    Baseline,
    Learner,
    Nearest,
    Prompting,
    Prototypical,
    Template,
)
from course_lib.learners.answering import Answering
from course_lib.learners.metric import one_hot
from course_lib.networks import conv4

SIDE = 28  # pixels
GROUPS = ("nothing learned", "distances", "plain transfer", "inner loop", "prompting")
SINE_SCALE = 2.06  # standard deviation of the sine waves that the shipped learners know
# examples in a prompt to the course's own model, and words of each: it reads 128
SHOWN, WORDS = 12, 6


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Args:
        name: of the row.   group: one of `GROUPS`.   chapter: that teaches it.
        make: from the data to its learner, trained where there is something to train.
        moves: from the learner and N to how many numbers change in a task.
        form: which form of the items it reads.
        ways: how many classes its network can answer at most; None: any number.
        slow: seconds a task, roughly, where that is more than most readers wait for; it gets fewer
            episodes.
    """

    name: str
    group: str
    chapter: str
    make: Callable[[OwnData], Learner]
    moves: Callable[[Learner, int | None], int] = lambda learner, ways: 0
    form: str = "usual"
    ways: int | None = None
    slow: bool = False

    def why_not(self, data: OwnData) -> str:
        """Why it cannot answer these tasks; nothing where it can."""
        if self.ways and data.ways and data.ways > self.ways:
            return (
                f"its network has {self.ways} outputs, and a task has {data.ways} classes: ask for "
                f"at most {self.ways} ways, or train it with more"
            )
        return ""


def quietly(make, *given):
    """The learner without the line that says where it comes from."""
    with contextlib.redirect_stdout(io.StringIO()):
        return make(*given)


def trained_before(learner: Learner) -> int:
    """How many numbers of a learner were trained before the task. Yardsticks have none."""
    return sum(p.numel() for p in learner.parameters())


def head_moves(learner: Learner, ways: int | None) -> int:
    """A new linear layer for each task."""
    return ways * (learner.features + (type(learner) is Baseline))


def loop_moves(learner: MAML, ways: int | None) -> int:
    """The parameters that the inner loop moves."""
    weights = dict(learner.network.named_parameters())
    return sum(weights[name].numel() for name in learner.adapted)


# --- pictures -------------------------------------------------------------------------------------


def untrained(data: OwnData) -> Learner:
    """The control of every encoder: the same network before its training."""
    learner = Prototypical(conv4(channels=32, seed=0))
    return learner.requires_grad_(False)


def pixel_classifier(data: OwnData) -> Learner:
    """A linear classifier of the pixels, trained on the support set alone."""
    return Baseline(nn.Flatten(), 2, SIDE * SIDE).requires_grad_(False)


def named(run: str) -> Callable[[OwnData], Learner]:
    return lambda data: quietly(load_or_train, run)


def looked(name: str) -> Callable[[OwnData], Learner]:
    return lambda data: quietly(pictures.trained, name)


def of_family(name: str) -> Method:
    """A method of chapter 05, on its small network."""
    title = study.METHODS[name]
    return Method(f"{title}, small", "inner loop", "05", lambda data: study.trained(name),
                  loop_moves, ways=5)  # fmt: skip


PICTURES = [
    Method("pixels, nearest example", GROUPS[0], "01", lambda data: Nearest()),
    Method("pixels, nearest mean", GROUPS[0], "07", lambda data: Prototypical(nn.Flatten())),
    Method("pixels, linear classifier", GROUPS[0], "08", pixel_classifier, head_moves),
    Method("untrained network, nearest mean", GROUPS[0], "08", untrained),
    Method("Siamese", GROUPS[1], "06", looked("siamese")),
    Method("Matching", GROUPS[1], "07", looked("matching")),
    Method("Prototypical", GROUPS[1], "07", looked("prototypical")),
    Method("Relation", GROUPS[1], "07", looked("relation")),
    Method("Prototypical, altered pictures", GROUPS[1], "07", named("strokes_sturdy")),
    Method("Prototypical, long training", GROUPS[1], "07", named("strokes_prototypical")),
    Method("Baseline", GROUPS[2], "08", looked("baseline"), head_moves),
    Method("Baseline++", GROUPS[2], "08", looked("baseline++"), head_moves),
    Method("Meta-Baseline", GROUPS[2], "08", looked("meta-baseline")),
    Method("MAML", GROUPS[3], "08", looked("maml, support"), loop_moves, ways=5),
    *map(of_family, study.CHOSEN),
]

# --- sentences ------------------------------------------------------------------------------------


def trained_on_requests(name: str) -> Callable[[OwnData], Learner]:
    return lambda data: quietly(requests.trained, name)


class SharedWords(Learner):
    """The class whose examples share most words with the query, as a share of the query's words.
    Ids of words are compared, and nothing else is known about them."""

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: see `Learner.predict`."""
        same = (query_x[:, None, :, None] == support_x[None, :, None, :]).any(-1)
        real = query_x != 0
        shared = (same & real[:, None]).sum(-1) / real.sum(-1, keepdim=True)  # (Q, S)
        counts = one_hot(support_y[None])[0]
        return shared @ (counts / counts.sum(0))


def known_words(read: Callable) -> Callable:
    """The words of a sentence that the course's small model has seen; "it" where there is none."""

    def told(row) -> str:
        words = read(row).lower().split()
        return " ".join([word for word in words if word in ID][:WORDS]) or "it"

    return told


class InWays(Prompting):
    """Prompting with one made-up word for each class of a task, whatever the class."""

    def words_of(self, episode) -> list[list[str]]:
        return [self.labels[: episode.ways]] * len(episode)


def own_model(data: OwnData) -> Learner:
    """The course's small model: made-up labels, and only the words that it has seen."""
    model = TinyModel(shipped_model())
    labels = list(LABELS[: data.ways])
    return InWays(model, labels=labels, read=known_words(data.others["text"].text), shots=SHOWN)


def real_model(model) -> Callable[[OwnData], Learner]:
    """A model of Hugging Face: the labels of the file as they are."""

    def make(data: OwnData) -> Learner:
        template = Template("Request: {x}\nLabel: {y}\n\n", "Request: {x}\nLabel:", label=" {y}\n")
        names = [name.replace("_", " ") for name in data.family.names]
        # a model behind an address gives no probabilities: it writes, and its answer is read
        kind = Prompting if hasattr(model, "log_probs") else Answering
        return kind(model, template, names, read=data.others["text"].text)

    return make


SENTENCES = [
    Method("words shared, counted", GROUPS[0], "09", lambda data: SharedWords()),
    Method("bag of words", GROUPS[0], "09", lambda data: requests.bag_of_words()),
    Method("Prototypical", GROUPS[1], "09", trained_on_requests("prototypical")),
    Method("Baseline++", GROUPS[2], "09", trained_on_requests("baselinepp"), head_moves),
    Method("MAML, first order", GROUPS[3], "09", trained_on_requests("maml"), loop_moves, ways=5),
    Method("prompt, the course's model", GROUPS[4], "10", own_model, form="text", slow=True),
]

# --- curves ---------------------------------------------------------------------------------------


class MeanOfSupport(Learner):
    """The mean of the points that are shown, or with ``always`` the mean of all curves: 0."""

    def __init__(self, always: bool = False):
        super().__init__()
        self.always = always

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        mean = support_y.mean(0, keepdim=True) * (not self.always)
        return mean.expand(len(query_x), -1)


class NearestPoint(Learner):
    """The y of the shown point whose x is nearest."""

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        return support_y[torch.cdist(query_x, support_x).argmin(1)]


class WaveFit(Learner):
    """Least squares on 1, sin x and cos x: for whoever knows that the curve is a wave of period
    2 pi. A small penalty keeps it finite with fewer than three points."""

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        def features(x):
            return torch.cat([torch.ones_like(x), x.sin(), x.cos()], 1)

        X = features(support_x)
        penalty = 1e-2 * torch.eye(3, dtype=X.dtype, device=X.device)
        return features(query_x) @ torch.linalg.solve(X.T @ X + penalty, X.T @ support_y)


class Scaled(Learner):
    """A learner that was trained on larger y: what it is shown is multiplied, what it says
    divided."""

    def __init__(self, learner: Learner, scale: float):
        super().__init__()
        self.learner, self.scale = learner, scale

    def forward(self, episode):
        larger = type(episode)(
            episode.support_x, episode.support_y * self.scale, episode.query_x, episode.query_y
        )
        return self.learner(larger) / self.scale

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        return self.learner.predict(support_x, support_y * self.scale, query_x) / self.scale


def on_waves(name: str, steps: int) -> Callable[[OwnData], Learner]:
    """A learner of sine waves, with so many inner steps."""

    def make(data: OwnData) -> Learner:
        learner = quietly(load_or_train, name)
        learner.steps = steps
        return Scaled(learner, SINE_SCALE).eval()

    return make


def scaled_moves(learner: Scaled, ways: int | None) -> int:
    return loop_moves(learner.learner, ways)


CURVES = [
    Method("the mean of all curves", GROUPS[0], "01", lambda data: MeanOfSupport(always=True)),
    Method("the mean of the points shown", GROUPS[0], "01", lambda data: MeanOfSupport()),
    Method("nearest point", GROUPS[0], "01", lambda data: NearestPoint()),
    Method("least squares, 1, sin x, cos x", GROUPS[0], "01", lambda data: WaveFit(),
           lambda learner, ways: 3),
    Method("joint training, 10 steps", GROUPS[2], "03", on_waves("sinusoids_joint_5shot", 10),
           scaled_moves),
    Method("MAML, 1 step", GROUPS[3], "03", on_waves("sinusoids_maml_5shot", 1), scaled_moves),
    Method("MAML, 10 steps", GROUPS[3], "03", on_waves("sinusoids_maml_5shot", 10), scaled_moves),
]  # fmt: skip

TABLES = {"pictures": PICTURES, "sentences": SENTENCES, "curves": CURVES}


def methods_for(data: OwnData, model: str | None = None) -> list[Method]:
    """The methods for this kind of data, and with ``model``, a folder or hub name, prompting with a
    real language model.

    Raises:
        ValueError: a model was named and the data are no sentences, or it cannot be opened.
    """
    found = list(TABLES[data.kind])
    if model is None:
        return found
    if data.kind != "sentences":
        raise ValueError(f"model={model}: a language model reads sentences, not {data.kind}")
    opened = partial(real_model(open_model(model)))
    return [*found, Method("prompt, " + str(model).rstrip("/").split("/")[-1], GROUPS[4], "10",
                           opened, form="text", slow=True)]  # fmt: skip
