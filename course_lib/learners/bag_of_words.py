"""The yardstick for sentences: count the words, weigh the rare ones more, take the class whose
words point the same way."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners.base import Learner
from course_lib.learners.prototypical import cosine, prototypes
from course_lib.networks.sentences import check_ids, idf


class BagOfWords(Learner):
    """Nearest centroid of idf-weighted word counts, by cosine: the logit of a class is cos(v(q),
    c_n), c_n the mean of v over its examples.

    v(s) has a number for each word id: how often s holds it, times its `idf`, and is scaled to
    length 1 (Rocchio's classifier). Nothing is trained; idf is counted once, in sentences that are
    given.

    Args:
        rows: (n, L) ids of the sentences to count in, such as ``Intents(part="train").rows``.
        words: how many ids there are: ``len(vocabulary)``.

    Raises:
        ValueError: rows are no word ids, or an id is beyond ``words``.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(self, rows: Tensor, words: int):
        super().__init__()
        if rows.numel() and int(rows.max()) >= words:
            raise ValueError(f"words={words}, and an id is {int(rows.max())}: give len(vocabulary)")
        self.register_buffer("idf", idf(rows, words))

    def count(self, ids: Tensor) -> Tensor:
        """v of each sentence: (..., L) -> (..., words).

        Raises:
            ValueError: the ids are no whole numbers.
        """
        check_ids(ids, len(self.idf))
        counts = torch.zeros(*ids.shape[:-1], len(self.idf)).scatter_add_(
            -1, ids, (ids != 0).to(self.idf.dtype)
        )
        return F.normalize(counts * self.idf, dim=-1)

    def forward(self, episode: Episode) -> Tensor:
        return cosine(
            self.count(episode.query_x),
            prototypes(self.count(episode.support_x), episode.support_y),
        )

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: see `Learner.predict`."""
        points = prototypes(self.count(support_x)[None], support_y[None])
        return cosine(self.count(query_x)[None], points)[0]
