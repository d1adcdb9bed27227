"""Joint training: one network for all tasks at once, adapted only at test time. MAML's plainest
rival."""

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners.base import right_shape
from course_lib.learners.maml import MAML


class Joint(MAML):
    """Learn to fit every task with the same parameters; adapt like MAML when tested.

    The only line that differs from MAML is the outer loss: it is taken at theta, before any
    adaptation, on all points of the episode. Finn et al. (2017, section 5.1) call this pretraining
    on all tasks. Arguments as for `MAML`.
    """

    def outer_loss(self, episode: Episode) -> Tensor:
        x = torch.cat([episode.support_x, episode.query_x], dim=1).flatten(0, 1)
        y = torch.cat([episode.support_y, episode.query_y], dim=1).flatten(0, 1)
        return self.loss_fn(right_shape(self, self.network(x), y, episode.ways), y)
