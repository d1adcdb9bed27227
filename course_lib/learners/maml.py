"""MAML: a start from which a few gradient steps go far (Finn, Abbeel, Levine 2017)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode
from course_lib.learners.base import Learner
from course_lib.learners.conv4_by_hand import gradient as fast
from course_lib.learners.inner_loop import query_predictions
from course_lib.networks.normalisation import update_averages

WAYS = ("higher", "autograd", "vmap", "fast")
OPTIMIZERS = (torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad)


class MAML(Learner):
    """Adapt by gradient descent on the support set; the outer loop learns where to start.

    Args:
        network: its parameters are theta, the start. Its `BatchNorm` layers say whose statistics
            normalise the queries.
        loss_fn: inner and outer loss, (predictions, targets) -> scalar.
        alpha: inner learning rate.   steps: inner steps k.
        first_order: drop the second derivatives (FOMAML).
        adapt: "all" layers, or only the "head": the last layer that has parameters (as ANIL does).
        way: "higher", "autograd" or "vmap": three ways to the same numbers. "fast" gives them too:
            for conv4 on a CPU with the derivatives written out by hand, elsewhere by vmap, which
            is the fast one of the three.
        inner_optimizer, override: for way="higher" only; see `inner_loop.with_higher`.

    Raises:
        ValueError: a setting is out of range or would fail silently later.
    """

    def __init__(
        self,
        network: nn.Module,
        loss_fn=F.mse_loss,
        *,
        alpha: float = 0.01,
        steps: int = 1,
        first_order: bool = False,
        adapt: str = "all",
        way: str = "higher",
        inner_optimizer=torch.optim.SGD,
        override: dict | None = None,
    ):
        super().__init__()
        if not (math.isfinite(alpha) and alpha >= 0):
            raise ValueError(
                f"alpha={alpha}: the inner learning rate must be a finite number of at least 0"
            )
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(
                f"steps={steps}: use 0 for no adaptation, or a positive number of inner steps"
            )
        if not list(network.parameters()):
            raise ValueError(
                f"network {type(network).__name__} has no parameters: there is nothing that an "
                "inner loop could adapt"
            )
        if adapt not in ("all", "head"):
            raise ValueError(f"adapt={adapt!r}: choose 'all' or 'head'")
        if way not in WAYS:
            raise ValueError(f"way={way!r}: choose one of {', '.join(WAYS)}")
        check_optimizer(inner_optimizer, override, way)
        check_normalisation(network)
        self.network, self.loss_fn = network, loss_fn
        self.alpha, self.steps, self.first_order, self.adapt, self.way = (
            alpha,
            steps,
            first_order,
            adapt,
            way,
        )
        self.special = (
            {"inner_optimizer": inner_optimizer, "override": override} if way == "higher" else {}
        )

    @property
    def adapted(self) -> list[str]:
        """Names of the parameters that the inner loop moves."""
        names = [name for name, _ in self.network.named_parameters()]
        if self.adapt == "all":
            return names
        layer = names[-1].rpartition(".")[0]
        return [name for name in names if name.rpartition(".")[0] == layer]

    def after_each_step(self, episode: Episode, steps: int | None = None) -> Tensor:
        """Query predictions after 0, 1, ..., k inner steps: (k + 1, T, Q, outputs), cut from
        theta's graph."""
        return self._walk(
            episode, self.steps if steps is None else steps, every_step=True, graph=False
        )

    def forward(self, episode: Episode) -> Tensor:
        """Query predictions after the inner loop: (T, Q, outputs). Works under ``torch.no_grad()``
        too."""
        return self._walk(episode, self.steps, every_step=False, graph=torch.is_grad_enabled())

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: see `Learner.predict`."""
        # the walk never looks at query_y, so any tensor of the right length can stand in its place
        return self(Episode(support_x[None], support_y[None], query_x[None], query_x[None]))[0]

    def outer_loss(self, episode: Episode) -> Tensor:
        """See `Learner.outer_loss`. While training, batch norm with running averages sees the
        support sets, at theta."""
        if self.training:
            update_averages(self.network, episode.support_x)
        if torch.is_grad_enabled() and (plan := self._plan(episode)):
            return fast.outer_loss(
                plan,
                self,
                episode,
                first_order=self.first_order,
                alpha=self.alpha,
                steps=self.steps,
                adapted=self.adapted,
            )
        return super().outer_loss(episode)

    def _plan(self, episode: Episode) -> fast.ByHand | None:
        """How to run the network with its derivatives written out, if that is asked for and
        possible."""
        return (
            fast.plan_for(self.network)
            if self.way == "fast" and episode.query_x.device.type == "cpu"
            else None
        )

    def _walk(self, episode: Episode, steps: int, every_step: bool, graph: bool) -> Tensor:
        walk = {"alpha": self.alpha, "steps": steps, "adapted": self.adapted}
        if not graph and (plan := self._plan(episode)):
            return fast.predictions(plan, self.network, self.loss_fn, episode, every_step, **walk)
        way = "vmap" if self.way == "fast" else self.way
        walk |= {"first_order": self.first_order or not graph, **self.special}
        with torch.enable_grad():  # the inner loop needs gradients even where the caller wants none
            predictions = query_predictions(
                self.network, self.loss_fn, episode, way, every_step, **walk
            )
        return predictions if graph else predictions.detach()

    def settings(self) -> dict:
        """The way is not among them: it changes the time, not the numbers."""
        return super().settings() | {
            "alpha": self.alpha,
            "inner_steps": self.steps,
            "first_order": self.first_order,
            "adapt": self.adapt,
            "network": str(self.network),
            "loss": getattr(self.loss_fn, "__name__", str(self.loss_fn)),
            "inner_optimizer": self.special.get("inner_optimizer", torch.optim.SGD).__name__,
            "override": plain_numbers(self.special.get("override")),
        }


def plain_numbers(override: dict | None) -> dict | None:
    """The tensors of an override as lists of numbers, to be compared and stored."""
    return override and {
        key: [torch.as_tensor(value).tolist() for value in values]
        for key, values in override.items()
    }


def check_optimizer(inner_optimizer, override: dict | None, way: str) -> None:
    """Refuse what ``higher`` would take wrongly or without a word.

    Raises:
        ValueError: says what to use instead.
    """
    plain = inner_optimizer is torch.optim.SGD and override is None
    if way != "higher" and not plain:
        raise ValueError(
            f"way={way!r} takes plain gradient steps: for another inner optimiser or override use "
            "way='higher'"
        )
    if inner_optimizer not in OPTIMIZERS:
        name = getattr(inner_optimizer, "__name__", inner_optimizer)
        raise ValueError(
            f"higher cannot differentiate through {name}: use torch.optim.SGD or torch.optim.Adam"
        )
    known = inner_optimizer([torch.zeros(1)], lr=0.1).defaults
    for key in override or {}:
        if key not in known:
            raise ValueError(
                f"override key {key!r} is no setting of {inner_optimizer.__name__}: choose from "
                f"{sorted(known)}"
            )


def check_normalisation(network: nn.Module) -> None:
    """Refuse batch norm that would carry running averages from one task into the next, unasked.

    Raises:
        ValueError: names the layer and the setting to change.
    """
    for name, module in network.named_modules():
        if getattr(module, "track_running_stats", False):
            raise ValueError(
                f"layer {name!r} ({type(module).__name__}) keeps running averages, which leak "
                "between tasks in an inner loop: build it with track_running_stats=False, or use "
                "course_lib.networks.normalisation.BatchNorm"
            )
