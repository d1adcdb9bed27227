"""The same numbers from other people's libraries: this course's meta-gradient and its prototypes
beside learn2learn, TorchOpt, easyfsl and peft.

None of them is needed for the course. Each function gives ours and theirs, so that a reader can
move on knowing what corresponds to what.
"""

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector as flat

from course_lib.episodes import Episode
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import MAML
from course_lib.learners.prototypical import prototypes
from course_lib.networks import conv4, mlp

ALPHA, STEPS = 0.01, 2


@dataclass(frozen=True)
class Library:
    """One library.

    Args:
        module: what is imported of it.   install: what to do where it is missing.
        what: is computed with both.   good_for: when to move on to it.
        pair: gives ours and theirs.
    """

    module: str
    install: str
    what: str
    good_for: str
    pair: Callable[[], tuple[Tensor, Tensor]]

    @property
    def missing(self) -> str:
        """What to do before it can be used; nothing where it can."""
        try:
            importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            return f"{error.name} is not installed: {self.install}"
        except (ImportError, RuntimeError) as error:  # a torchvision built for another torch
            said = str(error).split("\n")[0]
            return f"{self.module} cannot be imported here ({said}): {self.install}"
        return ""


def waves() -> tuple[Episode, nn.Module]:
    """Ten sine waves and the network of chapter 03, in double precision."""
    family = Sinusoids()
    episode = family.sample(10, shots=5, queries=5, generator=family.generator(0))
    return episode.map(Tensor.double), mlp(seed=0).double()


def our_meta_gradient(episode: Episode, network: nn.Module) -> Tensor:
    """MAML's, second order, after two inner steps."""
    loss = MAML(network, alpha=ALPHA, steps=STEPS, way="autograd").outer_loss(episode)
    return flat(torch.autograd.grad(loss, list(network.parameters())))


def with_torchopt() -> tuple[Tensor, Tensor]:
    """TorchOpt: a differentiable optimiser steps the module itself; its state is put back after
    each task."""
    import torchopt

    episode, network = waves()
    theirs = copy.deepcopy(network)
    inner = torchopt.MetaSGD(theirs, lr=ALPHA)
    start = torchopt.extract_state_dict(theirs, by="reference")
    began = torchopt.extract_state_dict(inner, by="reference")
    losses, parameters = [], list(theirs.parameters())
    for support_x, support_y, query_x, query_y in episode:
        for _ in range(STEPS):
            inner.step(F.mse_loss(theirs(support_x), support_y))
        losses.append(F.mse_loss(theirs(query_x), query_y))
        torchopt.recover_state_dict(theirs, start)
        torchopt.recover_state_dict(inner, began)
    gradient = torch.autograd.grad(torch.stack(losses).mean(), parameters)
    return our_meta_gradient(episode, network), flat(gradient)


def with_learn2learn() -> tuple[Tensor, Tensor]:
    """learn2learn: a clone of the module for each task, adapted in place."""
    import learn2learn

    episode, network = waves()
    theirs = learn2learn.algorithms.MAML(copy.deepcopy(network), lr=ALPHA, first_order=False)
    losses = []
    for support_x, support_y, query_x, query_y in episode:
        learner = theirs.clone()
        for _ in range(STEPS):
            learner.adapt(F.mse_loss(learner(support_x), support_y))
        losses.append(F.mse_loss(learner(query_x), query_y))
    gradient = torch.autograd.grad(torch.stack(losses).mean(), list(theirs.parameters()))
    return our_meta_gradient(episode, network), flat(gradient)


def with_easyfsl() -> tuple[Tensor, Tensor]:
    """easyfsl: one object that is shown a support set. Its prototypes are ours; its scores are
    minus the distance, where the paper and this course square it."""
    from easyfsl.methods import PrototypicalNetworks

    family, encoder = Strokes(ways=5, scripts=2), conv4(channels=8, seed=0).double().eval()
    episode = family.sample(1, shots=3, queries=2, generator=family.generator(0))
    x, y = episode.support_x.double(), episode.support_y
    theirs = PrototypicalNetworks(encoder)
    with torch.no_grad():
        theirs.process_support_set(x[0], y[0])
        return prototypes(encoder(x[0])[None], y)[0], theirs.prototypes


def with_peft() -> tuple[Tensor, Tensor]:
    """peft: LoRA of rank 2 around a network, and the gradient for its thin matrices; ours is
    W + (a / r) B A, as in chapter 12."""
    from peft import LoraConfig, get_peft_model

    episode, network = waves()
    x, y = episode.support_x.flatten(0, 1), episode.support_y.flatten(0, 1)
    layer = next(name for name, part in network.named_modules() if isinstance(part, nn.Linear))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LoraConfig(
            r=2, lora_alpha=4, target_modules=[layer], init_lora_weights=False, lora_dropout=0.0
        )
        theirs = get_peft_model(copy.deepcopy(network), config).double()
    thin = {name: p for name, p in theirs.named_parameters() if "lora_" in name}
    gradient = torch.autograd.grad(F.mse_loss(theirs(x), y), list(thin.values()))
    A, B = (p.detach().clone().requires_grad_() for p in thin.values())
    weight = network.get_parameter(f"{layer}.weight") + 4 / 2 * B @ A
    ours = torch.func.functional_call(network, {f"{layer}.weight": weight}, (x,))
    return flat(torch.autograd.grad(F.mse_loss(ours, y), [A, B])), flat(gradient)


LIBRARIES = {
    "TorchOpt": Library(
        "torchopt", "pip install torchopt graphviz", "MAML's meta-gradient, two inner steps",
        "other inner optimisers, implicit gradients, many GPUs", with_torchopt,
    ),
    "easyfsl": Library(
        "easyfsl.methods",
        "pip install easyfsl, and the torchvision that belongs to your torch",
        "prototypes of a drawn task",
        "metric learners on photographs, with large backbones", with_easyfsl,
    ),
    "peft": Library(
        "peft", "pip install peft transformers", "the gradient of LoRA's thin matrices",
        "tuning real language models", with_peft,
    ),
    "learn2learn": Library(
        "learn2learn",
        "its last release is source that does not build on Python 3.11 and later: try an older "
        "Python, or read its algorithms/maml.py beside chapter 03",
        "MAML's meta-gradient, two inner steps", "its data sets and ready tasks of vision and RL",
        with_learn2learn,
    ),
}  # fmt: skip


def beside(name: str) -> str:
    """One line: how far their numbers are from ours, or what is missing.

    Raises:
        ValueError: there is no such library here.
    """
    if name not in LIBRARIES:
        raise ValueError(f"{name!r}: choose one of {', '.join(LIBRARIES)}")
    library = LIBRARIES[name]
    if library.missing:
        return library.missing
    ours, theirs = library.pair()
    gap = (ours - theirs).abs().max().item()
    return f"{name}: {library.what}, {ours.numel()} numbers, largest difference {gap:.0e}"
