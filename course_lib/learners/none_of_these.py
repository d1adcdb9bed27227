"""None of these: let a learner say that a query belongs to none of the classes in the support set.

Every learner of the course answers with one of the classes that it was shown. A threshold on the
score of its best answer lets it decline. The threshold is chosen on other tasks, so that a wanted
share of the queries that do belong is kept; what it then catches of the foreign ones is its worth.
"""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.episodes import Episode

SCORES = {
    "largest": lambda logits: logits.amax(-1),
    "confidence": lambda logits: logits.softmax(-1).amax(-1),
}


def with_foreign_queries(episode: Episode, ways: int) -> tuple[Episode, Tensor]:
    """Tasks whose support sets show the first ``ways`` classes only, and the queries of the others.

    Args:
        episode: tasks with more classes, each with the same number of support and query items.

    Returns:
        The episode of the classes shown, and the foreign queries (T, Q', ...).

    Raises:
        ValueError: there are not more classes than ``ways``.
    """
    if episode.ways is None or not 2 <= ways < episode.ways:
        raise ValueError(f"ways={ways}: show at least 2 classes, and fewer than {episode.ways}")

    def split(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        T, order = len(x), (y >= ways).long().argsort(dim=1, stable=True)
        known = int((y[0] < ways).sum())
        x = x[torch.arange(T, device=x.device)[:, None], order]
        return x[:, :known], y.gather(1, order)[:, :known], x[:, known:]

    support_x, support_y, _ = split(episode.support_x, episode.support_y)
    query_x, query_y, foreign = split(episode.query_x, episode.query_y)
    names = {name: words[:, :ways] for name, words in episode.names.items()}
    four = {"support_x": support_x, "support_y": support_y, "query_x": query_x, "query_y": query_y}
    return replace(episode, **four, names=names), foreign


def best_scores(learner, episode: Episode, foreign: Tensor, kind: str = "largest") -> tuple:
    """How good the best answer is, for queries that belong and for foreign ones.

    Args:
        kind: "largest", the largest logit itself, such as minus the squared distance to the nearest
            prototype; or "confidence", the largest probability, which knows only how the classes
            compare.

    Returns:
        (T, Q) and (T, Q'), and whether the best answer of those that belong is right, (T, Q).
    """
    if kind not in SCORES:
        raise ValueError(f"kind={kind!r}: choose from {list(SCORES)}")
    unknown = torch.zeros(foreign.shape[:2], dtype=torch.long, device=foreign.device)
    with torch.no_grad():
        known = learner(episode)
        others = learner(replace(episode, query_x=foreign, query_y=unknown))
    score = SCORES[kind]
    return score(known), score(others), known.argmax(-1) == episode.query_y


def threshold(known: Tensor, keep: float = 0.95) -> float:
    """The score below which a share of 1 - keep of the queries that belong would be declined.
    Choose it on other tasks than those you report.

    Raises:
        ValueError: the share does not lie between 0 and 1.
    """
    if not 0 < keep < 1:
        raise ValueError(f"keep={keep}: a share of queries to keep lies between 0 and 1")
    return known.flatten().double().quantile(1 - keep).item()
