"""Meta-SGD: the outer loop learns the step sizes along with the start (Li, Zhou, Chen, Li 2017)."""

import torch
from torch import Tensor, nn

from course_lib.episodes import Episode
from course_lib.learners.inner_loop import Rates
from course_lib.learners.maml import MAML

KINDS = ("element", "layer", "one")
KNOWS_RATES = ("higher", "autograd", "vmap", "fast")  # the ways that take a rate for each parameter


class MetaSGD(MAML):
    """MAML whose inner learning rate is learned: phi = theta - alpha * gradient, where alpha has an
    entry for every number in theta and * goes element by element (Li et al., equation 3).

    A rate may turn negative: it is learned without a bound, as in the paper.

    Args:
        network, loss_fn, steps, first_order, adapt, way: as for `MAML`; "fast" goes by vmap.
        alpha: where every rate starts.
        rates: "element", one for each number (Meta-SGD); "layer", one for each parameter tensor; or
            "one" for all.
        per_step: a set of rates for each inner step (as in MAML++, Antoniou et al. 2019). Steps
            beyond those of training take the last set.

    Raises:
        ValueError: as for `MAML`; there is no such kind of rates; an inner optimiser or override is
            given besides.
    """

    def __init__(self, network, loss_fn=nn.functional.mse_loss, *, alpha=0.01, steps=1,
                 rates="element", per_step=False, **settings):  # fmt: skip
        if "inner_optimizer" in settings or "override" in settings:
            raise ValueError(
                "MetaSGD adapts by plain gradient steps: leave inner_optimizer and override out"
            )
        if (way := settings.get("way", "higher")) not in KNOWS_RATES:
            raise ValueError(
                f"way={way!r} knows one rate for all: for MetaSGD choose one of "
                f"{', '.join(KNOWS_RATES)}"
            )
        if rates not in KINDS:
            raise ValueError(f"rates={rates!r}: choose one of {', '.join(KINDS)}")
        super().__init__(network, loss_fn, alpha=alpha, steps=steps, **settings)
        self.kind, self.per_step = rates, bool(per_step)
        sets = max(1, steps) if per_step else 1
        like = [dict(network.named_parameters())[name] for name in self.adapted]
        self.named = self.adapted  # of the parameters that the rates belong to, in their order
        shapes = {
            "element": [p.shape for p in like],
            "layer": [() for _ in like],
            "one": [()],
        }[rates]
        self.learned_rates = nn.ParameterList(
            torch.full((sets, *shape), float(alpha), dtype=like[0].dtype, device=like[0].device)
            for shape in shapes
        )

    @property
    def rates(self) -> Rates:
        """For each adapted parameter its rates, one for each step or one for all."""
        own = list(self.learned_rates) * (len(self.named) if self.kind == "one" else 1)
        return {name: list(sets) for name, sets in zip(self.named, own, strict=True)}

    def look(self, *given) -> None:
        """See `Learner.look`. What is adapted may not change once the rates are there."""
        super().look(*given)
        if self.adapted != self.named:
            raise ValueError(
                "other parameters are frozen than when MetaSGD was built, and its rates belong to "
                "those: build it again"
            )

    def _plan(self, episode: Episode) -> None:
        """The derivatives written out by hand know one rate only."""
        return None

    def settings(self) -> dict:
        return super().settings() | {"rates": self.kind, "per_step": self.per_step}

    def sizes(self) -> dict[str, Tensor]:
        """What was learned, for pictures: parameter name -> (sets, ...) step sizes."""
        return {name: torch.stack(sets).detach() for name, sets in self.rates.items()}
