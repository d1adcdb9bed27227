"""MAML: a start from which a few gradient steps go far (Finn, Abbeel, Levine 2017)."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode, one_task
from course_lib.learners import recomputed
from course_lib.learners.base import Learner, right_shape
from course_lib.learners.compiled import Compiled, check_plain
from course_lib.learners.conv4_by_hand import gradient as fast
from course_lib.learners.inner_loop import Rates, not_frozen, query_predictions
from course_lib.learners.inner_optimizers import check_optimizer, learned, plain_numbers
from course_lib.learners.mismatch import NO_INFERENCE
from course_lib.learners.networks_that_adapt import check_network, head_of
from course_lib.networks.normalisation import update_averages

WAYS = ("higher", "autograd", "vmap", "fast", *recomputed.PRODUCTS)
COMPILED = "compiled"  # one more way, for plain MLPs only


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
            is the fast one of the three. "checkpointed" and "mixed" too, with little memory: see
            `recomputed`. "compiled" does, for a plain MLP: the whole meta-gradient by
            torch.compile, which takes a minute once and pays in long training.
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
        if isinstance(alpha, Tensor) and alpha.requires_grad:
            raise ValueError(
                'alpha is a tensor to be learned: write override={"lr": [alpha]} and way="higher"'
            )
        if not isinstance(alpha, int | float | Tensor) or not (math.isfinite(alpha) and alpha >= 0):
            raise ValueError(
                f"alpha={alpha!r}: the inner learning rate must be a finite number of at least 0"
            )
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ValueError(
                f"steps={steps!r}: use 0 for no adaptation, or a positive number of inner steps"
            )
        if not callable(loss_fn):
            raise ValueError(f"loss_fn={loss_fn!r}: give a function of (predictions, targets)")
        if adapt not in ("all", "head"):
            raise ValueError(f"adapt={adapt!r}: choose 'all' or 'head'")
        if way not in (*WAYS, COMPILED):
            raise ValueError(f"way={way!r}: choose one of {', '.join(WAYS)}, {COMPILED}")
        check_optimizer(inner_optimizer, override, way)
        check_network(network, first_order)
        if way == COMPILED:
            check_plain(network)
        self.network, self.loss_fn, self.compiled = network, loss_fn, Compiled()
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
        # what the override wants learned is a parameter of this learner like any other
        self.learned = nn.ParameterList(learned(override))

    @property
    def rates(self) -> float | Rates:
        """The inner learning rate; a subclass may have one for each parameter."""
        return self.alpha

    @property
    def adapted(self) -> list[str]:
        """Names of the parameters that the inner loop moves. Frozen ones stay where they are.

        Raises:
            ValueError: there are none.
        """
        names = not_frozen(self.network)
        if self.adapt == "head":
            layer, own = head_of(self.network)
            names = [name for name in own if name in names]
            if not names:
                raise ValueError(f"adapt='head': the last layer, {layer!r}, is frozen")
        if not names:
            raise ValueError(
                f"network {type(self.network).__name__} has no parameters that are not frozen: "
                "there is nothing that an inner loop could adapt"
            )
        return names

    def look(self, *given) -> None:
        """See `Learner.look`. The network may have been changed since the learner was built."""
        super().look(*given)
        tensors = given[0].four if isinstance(given[0], Episode) else given
        if torch.is_inference_mode_enabled() or any(tensor.is_inference() for tensor in tensors):
            raise ValueError(NO_INFERENCE)
        check_network(self.network, self.first_order)

    def support_loss(self, predictions: Tensor, targets: Tensor, ways: int | None) -> Tensor:
        """The inner loss of one task, once the predictions fit: a scalar."""
        right_shape(self, predictions, targets, ways, " of the support set")
        return self.loss_fn(predictions, targets)

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
        return self(one_task(support_x, support_y, query_x))[0]

    def outer_loss(self, episode: Episode) -> Tensor:
        """See `Learner.outer_loss`. While training, batch norm with running averages sees the
        support sets, at theta."""
        if self.training:
            update_averages(self.network, episode.support_x)
        if torch.is_grad_enabled() and (plan := self._plan(episode)):
            walk = {"alpha": self.rates, "steps": self.steps, "adapted": self.adapted}
            loss = fast.outer_loss(plan, self, episode, first_order=self.first_order, **walk)
            if loss is not None:
                return loss
        in_other_ways = partial(super().outer_loss, episode)
        if self.way == COMPILED and torch.is_grad_enabled():
            walk = {"alpha": self.alpha, "steps": self.steps, "adapted": self.adapted}
            walk |= {"first_order": self.first_order, "checked": in_other_ways}
            return self.compiled.loss(self.network, self.loss_fn, episode, **walk)
        return in_other_ways()

    def _plan(self, episode: Episode) -> fast.ByHand | None:
        """How to run the network with its derivatives written out, if that is asked for and
        possible."""
        wanted = self.way == "fast" and fast.takes(self.network, episode)
        return fast.plan_for(self.network) if wanted else None

    def _walk(self, episode: Episode, steps: int, every_step: bool, graph: bool) -> Tensor:
        walk = {"alpha": self.rates, "steps": steps, "adapted": self.adapted}
        loss = partial(self.support_loss, ways=episode.ways)
        if not graph and (plan := self._plan(episode)):
            return fast.predictions(plan, self.network, loss, episode, every_step, **walk)
        way = "vmap" if self.way in ("fast", COMPILED) else self.way
        walk |= {"first_order": self.first_order or not graph, **self.special}
        with torch.enable_grad():  # the inner loop needs gradients even where the caller wants none
            if way in recomputed.PRODUCTS and graph:
                return recomputed.query_predictions(self.network, loss, episode, way, **walk)
            way = "autograd" if way in recomputed.PRODUCTS else way  # nothing to walk back for
            predictions = query_predictions(
                self.network, loss, episode, way, every_step, graph, **walk
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
