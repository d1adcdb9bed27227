"""How often pixel comparison is right, measured once: a slider cannot wait for 600 episodes."""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.families import Strokes
from course_lib.training.evaluation import Score
from course_lib.training.runs import Measurement

WAYS, SHOTS, SLOPPINESS = (2, 5, 10, 20), tuple(range(1, 11)), (0.0, 0.5, 1.0, 1.5, 2.0)


def pixel_distances(support_x: Tensor, query_x: Tensor) -> Tensor:
    """The distance from each query drawing to each support drawing, pixel by pixel: (S, ...) and
    (Q, ...) -> (Q, S)."""
    return torch.cdist(query_x.flatten(1), support_x.flatten(1))


def pixel_nearest(support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
    """The class of the support drawing that is nearest to each query drawing: (Q,)."""
    return support_y[pixel_distances(support_x, query_x).argmin(1)]


@lru_cache
def family_of(sloppiness: float, ways: int = 5) -> Strokes:
    return Strokes(ways=ways, sloppiness=sloppiness)


def measure(sloppiness: float, episodes: int = 600, seed: int = 5) -> Tensor:
    """Accuracy of pixel comparison and half of its 95 % interval, to thousandths: (ways, shots, 2).

    All numbers of ways and shots look at parts of the same 20-way 10-shot episodes, so that they
    can be compared.
    """
    most, family = max(WAYS), family_of(sloppiness, max(WAYS))
    scores = {(ways, shots): [] for ways in WAYS for shots in SHOTS}
    chance = family.generator(seed)
    for _ in range(episodes):
        episode = family.sample(1, shots=max(SHOTS), queries=2, generator=chance)
        ((support_x, support_y, query_x, query_y),) = episode
        order, asked = support_y.argsort(stable=True), query_y.argsort(stable=True)
        distances = pixel_distances(support_x[order], query_x[asked])
        distances = distances.view(most, 2, most, max(SHOTS))
        for ways, shots in scores:
            nearest = distances[:ways, :, :ways, :shots].amin(3).argmin(2)
            scores[ways, shots].append((nearest == torch.arange(ways)[:, None]).float().mean())
    both = [Score(torch.stack(values)) for values in scores.values()]
    found = torch.tensor([[score.mean, score.half_width] for score in both])
    return found.view(len(WAYS), len(SHOTS), 2).mul(1000).round() / 1000


def measure_all(o) -> tuple[dict[str, Tensor], dict]:
    """For each sloppiness of the slider."""
    found = torch.stack([measure(sloppiness) for sloppiness in SLOPPINESS])
    return {"accuracy": found}, {"sloppiness": SLOPPINESS, "ways": WAYS, "shots": SHOTS}


RUNS = [
    Measurement(
        "pixels_accuracy",
        "how often the nearest drawing by pixels is right, by sloppiness, ways and shots",
        measure=measure_all,
    )
]


@lru_cache
def measured() -> Tensor:
    """Accuracy and half of its interval: (sloppiness, ways, shots, 2)."""
    return RUNS[0].tensors()["accuracy"]
