"""Training runs that come with the course, used only when the settings are exactly the ones asked for."""

from pathlib import Path

import torch

from course_lib import DATA
from course_lib.episodes import TaskFamily
from course_lib.learners.base import Learner
from course_lib.networks.small import conv4, mlp
from course_lib.training import checkpoints
from course_lib.training.outer_loop import Plan, Training, differences, meta_train, run_settings
from course_lib.training.progress_bar import duration

STRIDE = 100  # shipped losses are averages over this many outer steps


def ship(path, learner: Learner, settings: dict, run: Training, **about) -> None:
    """Write a finished run as a small file: weights, averaged losses, settings, and what else is worth knowing."""
    tensors = {f"learner.{name}": tensor for name, tensor in learner.state_dict().items()}
    whole = len(run.losses) // STRIDE * STRIDE
    tensors["losses"] = torch.tensor(run.losses[:whole]).view(whole // STRIDE, STRIDE).mean(1)
    tensors["first_losses"] = torch.tensor(run.losses[:STRIDE], dtype=torch.float64)
    checkpoints.write(
        path, tensors, {"settings": settings, "seconds": round(run.seconds, 1), **about}
    )


def load_or_train(
    name: str, learner: Learner, family: TaskFamily, plan: Plan, folder: Path = DATA
) -> str:
    """Fill the learner with the shipped run ``name``, or train it when any setting differs.

    Returns:
        One sentence that begins with "loaded" or "trained" and says why.

    Raises:
        CheckpointError: the shipped file is damaged.
    """
    settings = run_settings(learner, family, plan)
    path = folder / f"{name}.safetensors"
    if path.is_file():
        tensors, about = checkpoints.read(path)
        reason = differences(about["settings"], settings)
        if not reason:
            checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path.name)
            return f"loaded {path.name}: {plan.outer_steps} outer steps that took {duration(about['seconds'])} when it was made"
    else:
        reason = f"the course ships no {path.name}"
    run = meta_train(learner, family, plan)
    return f"trained for {duration(run.seconds)}, because {reason}"


def shipped_losses(name: str, folder: Path = DATA) -> torch.Tensor:
    """The outer loss of a shipped run, averaged over each 100 outer steps."""
    return checkpoints.read(folder / f"{name}.safetensors")[0]["losses"]


def shipped_network(name: str, folder: Path = DATA) -> torch.nn.Sequential:
    """The 1-40-40-1 network of a shipped sinusoid run, whatever learner trained it."""
    tensors, _ = checkpoints.read(folder / f"{name}.safetensors")
    network = mlp()
    checkpoints.load_weights(network, checkpoints.weights(tensors, "learner.network."), source=name)
    return network


def shipped_encoder(name: str, folder: Path = DATA) -> torch.nn.Sequential:
    """The conv4 of a shipped run of pictures, whatever metric learner trained it: (n, 1, 28, 28) -> (n, d)."""
    tensors, _ = checkpoints.read(folder / f"{name}.safetensors")
    weights = checkpoints.weights(tensors, "learner.encoder.")
    heads = [len(weight) for weight in weights.values() if weight.ndim == 2]
    network = conv4(len(weights["0.weight"]), *heads)
    checkpoints.load_weights(network, weights, source=name)
    return network
