"""The runs of chapters 01 to 03: sinusoids, MAML beside joint training. And what chapter 03
measures on them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import MAML, Joint, inner_loop
from course_lib.training.recipes import curve_run

RUNS = [
    curve_run(
        f"sinusoids_{name}_{shots}shot",
        f"{says} on sine waves, {shots} points a task",
        method,
        shots=shots,
        queries=shots,
    )
    for name, says, method in (("maml", "MAML", MAML), ("joint", "joint training", Joint))
    for shots in (5, 10)
]


def largest_curvature(network: nn.Module, phi: dict[str, Tensor], x: Tensor, y: Tensor) -> float:
    """The largest eigenvalue, by size, of the Hessian of the mean squared error at phi: power
    iteration with Hessian-vector products (Pearlmutter 1994)."""
    parameters = list(phi.values())
    loss = F.mse_loss(functional_call(network, phi, (x,)), y)
    gradient = parameters_to_vector(torch.autograd.grad(loss, parameters, create_graph=True))
    v = torch.ones_like(gradient)
    for _ in range(30):
        v = v / v.norm()
        Hv = parameters_to_vector(torch.autograd.grad(gradient @ v, parameters, retain_graph=True))
        h, v = (v @ Hv).item(), Hv
    return h


def curvature(network: nn.Module, k: int, episode: Episode) -> tuple[float, float, float]:
    """The median, over tasks, of the largest curvature of the support loss after k inner steps at
    alpha = 0.01, and the 95 % interval of that median (bootstrap over tasks, 2,000 draws)."""
    found = []
    for x, y, _, _ in episode:
        walk = {"alpha": 0.01, "steps": k, "first_order": True}
        phi = inner_loop.written_out(network, F.mse_loss, x, y, **walk)[k]
        phi = {name: value.detach().requires_grad_() for name, value in phi.items()}
        found.append(largest_curvature(network, phi, x, y))
    h, dice = torch.tensor(found), torch.Generator().manual_seed(0)
    drawn = h[torch.randint(len(h), (2000, len(h)), generator=dice)].median(1).values.sort().values
    return h.median().item(), drawn[50].item(), drawn[1949].item()


def drawn_characters(classes: int, drawings: int = 20) -> list[Tensor]:
    """Invented characters and their drawings: for each class (drawings, 1, 28, 28)."""
    family = Strokes(scripts=1, characters=classes)
    numbers = torch.arange(classes).repeat_interleave(drawings)
    return list(family.draw(numbers, generator=family.generator(0)).split(drawings))
