"""Explorers of chapter 05: five outer loops on one parameter, and rates on a bowl of two."""

import math

import torch

from course_lib.classroom.explorer import Explorer, Points, Slider
from course_lib.classroom.figures import COLOURS

OUTER_STEPS, BETA = 60, 0.15
LOOPS = {  # name: colour, style of its line
    "joint": (COLOURS["joint"], "-"),
    "MAML": (COLOURS["theta"], "-"),
    "first order": (COLOURS["support"], "--"),
    "Reptile": (COLOURS["after"], "-"),
    "implicit": (COLOURS["query"], "-."),
}
LAMBDA, SOLVES = 1.0, 1  # of implicit MAML; with one parameter, one division solves the system


# One knob, theta. A task is a wave with amplitude A and phase p; its loss over all x, with the
# phase theta, is A^2 (1 - cos(theta - p)). Slope and curvature are written down.


def slope(theta: float, task: tuple) -> float:
    phase, amplitude = task
    return amplitude**2 * math.sin(theta - phase)


def curvature(theta: float, task: tuple) -> float:
    phase, amplitude = task
    return amplitude**2 * math.cos(theta - phase)


def direction(loop: str, theta: float, task: tuple, alpha: float, k: int) -> float:
    """The direction in which one outer loop wants theta to move down, for one task. Support and
    query are the same here: all x."""
    if loop == "joint":
        return slope(theta, task)
    phi, chain = theta, 1.0
    for _ in range(k):
        step = slope(phi, task)
        if loop == "implicit":
            step += LAMBDA * (phi - theta)
        chain *= 1 - alpha * curvature(phi, task)
        phi -= alpha * step
    if loop == "Reptile":
        return (theta - phi) / (alpha * k)
    if loop == "implicit":
        inverse = 1 + curvature(phi, task) / LAMBDA
        return slope(phi, task) / inverse if inverse > 0 else slope(phi, task)
    return slope(phi, task) * (chain if loop == "MAML" else 1.0)


def gradients_needed(loop: str, k: int) -> tuple[int, int]:
    """For one task and outer step: gradients, and products of a Hessian with a vector."""
    return {
        "joint": (1, 0),
        "MAML": (k + 1, k),
        "first order": (k + 1, 0),
        "Reptile": (k, 0),
        "implicit": (k + 1, SOLVES),
    }[loop]


def path(loop: str, tasks, theta: float, alpha: float, k: int) -> list[float]:
    """theta over the outer steps."""
    found = [theta]
    for _ in range(OUTER_STEPS):
        steps = [direction(loop, theta, task, alpha, k) for task in tasks]
        theta -= BETA * max(-3.0, min(3.0, sum(steps) / len(steps)))
        theta = max(-4.0, min(7.0, theta))
        found.append(theta)
    return found


def loss_after(theta: torch.Tensor, tasks, alpha: float, k: int) -> torch.Tensor:
    """The mean loss of the tasks after k plain inner steps, for each start."""
    phases, amplitudes = torch.tensor(tasks).T
    phi, square = theta[:, None].expand(-1, len(tasks)), amplitudes**2
    for _ in range(k):
        phi = phi - alpha * square * torch.sin(phi - phases)
    return (square * (1 - torch.cos(phi - phases))).mean(1)


def race(tasks: tuple, start: float, alpha: float, k: int) -> dict:
    """The path of every outer loop on the same tasks from the same start."""
    paths = {loop: path(loop, tasks, start, alpha, k) for loop in LOOPS}
    ends = torch.tensor([steps[-1] for steps in paths.values()])
    after = dict(zip(paths, loss_after(ends, tasks, alpha, k).tolist(), strict=True))
    return {"paths": paths, "tasks": tasks, "alpha": alpha, "k": k, "after": after}


def draw_race(result: dict, axes: dict) -> None:
    plane, race = axes["tasks"], axes["race"]
    for phase, amplitude in result["tasks"]:
        plane.plot([phase, phase], [0, amplitude], color=COLOURS["truth"], lw=1, ls=":")
    plane.plot(*zip(*result["tasks"], strict=True), "o", ms=11, color=COLOURS["truth"])
    for loop, steps in result["paths"].items():
        colour, style = LOOPS[loop]
        plane.axvline(steps[-1], color=colour, ls=style, lw=2)
        race.plot(steps, range(len(steps)), color=colour, ls=style, label=loop)
    plane.set(
        xlim=(-1, 4), ylim=(0, 3.4), xlabel="phase (radians)", ylabel="amplitude",
        title="Tasks: drag the dots",
    )  # fmt: skip
    race.set(
        xlim=(-1, 4), ylim=(OUTER_STEPS, 0), xlabel="theta, a phase (radians)",
        ylabel="outer step", title="Five outer loops, one start",
    )  # fmt: skip
    race.legend(fontsize=8.5, loc="lower right", frameon=True)


def said(result: dict) -> str:
    """Where each ends, what it costs, and how good its end is after k steps."""
    parts = []
    for loop, steps in result["paths"].items():
        gradients, products = gradients_needed(loop, result["k"])
        cost = f"{gradients} gradient{'' if gradients == 1 else 's'}"
        cost += f" + {products} HVP" if products else ""
        parts.append(f"{loop} {steps[-1]:.2f} (loss {result['after'][loop]:.2f}; {cost})")
    return (
        f"Ends, with the loss after k = {result['k']} and the cost of a task in an outer step: "
        + ", ".join(parts)
        + "."
    )


def five_loops() -> Explorer:
    """MAML, first order, Reptile, implicit MAML and joint training on tasks that you drag."""
    return Explorer(
        question="Same tasks, same start: where does each outer loop go?",
        compute=race,
        draw=draw_race,
        controls=[
            Points(
                "tasks", "tasks", value=((0.0, 3.0), (2.0, 1.0), (2.4, 1.0)), axes="tasks",
                bounds=((-1.0, 4.0), (0.3, 3.3)),
            ),
            Slider("start", "theta at the beginning", -1.0, 4.0, 0.25, value=1.0),
            Slider("alpha", "inner rate alpha", 0.01, 0.2, 0.01, value=0.1),
            Slider("k", "inner steps k", 1, 10, 1, value=3),
        ],
        number=said,
        alt=lambda r: (
            "Left: tasks as dots, phase against amplitude, with a vertical line where each outer "
            "loop ends. Right: theta over 60 outer steps, one line a loop. Ends: "
            + ", ".join(f"{loop} {steps[-1]:.1f}" for loop, steps in r["paths"].items())
            + "."
        ),
        size=(9.0, 3.7),
        mosaic=[["tasks", "race"]],
    )  # fmt: skip


# --- rates on a bowl ------------------------------------------------------------------------------

RATES = torch.cat([torch.linspace(0.01, 1.0, 60), torch.linspace(1.05, 2.5, 30)])


def bowl(steep: float, turn: float) -> torch.Tensor:
    """The Hessian of a bowl with curvatures ``steep`` and 1, turned by so many degrees."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    R = torch.tensor([[c, -s], [s, c]])
    return R @ torch.diag(torch.tensor([steep, 1.0])) @ R.T


def left_over(H: torch.Tensor, rates: torch.Tensor, k: int) -> torch.Tensor:
    """The mean loss after k steps phi <- phi - rates * gradient, as a share of the loss before.
    The starts have as much of their loss along the bowl as across; rates (..., 2)."""
    M = torch.linalg.matrix_power(torch.eye(2) - rates[..., :, None] * H, k)
    return torch.einsum("...ji,jk,...kl,li->...", M, H, M, torch.linalg.inv(H)) / 2


def best_rates(H: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best single rate and the best pair of rates on a grid."""
    one = RATES[left_over(H, RATES[:, None].expand(-1, 2), k).nan_to_num(1e9).argmin()]
    pairs = torch.cartesian_prod(RATES, RATES)
    own = pairs[left_over(H, pairs, k).nan_to_num(1e9).argmin()]
    return one.expand(2), own


def steps_on_bowl(steep: float, turn: float, k: int) -> dict:
    """What the best single rate and the best two rates leave over, and one walk of each."""
    H = bowl(steep, turn)
    found = {"H": H, "k": k, "steep": steep, "turn": turn}
    for name, rates in zip(("one", "own"), best_rates(H, k), strict=True):
        # a start with half of its loss in each direction
        phi, walk = 1.9 * torch.linalg.eigh(H)[1] @ torch.tensor([0.7, 0.7 / steep**0.5]), []
        for _ in range(k + 1):
            walk.append(phi)
            phi = phi - rates * (H @ phi)
        found[name] = {
            "rates": rates.tolist(),
            "walk": torch.stack(walk),
            "left": left_over(H, rates, k).item(),
        }
    return found


def draw_bowl(result: dict, axes: dict) -> None:
    plane, bars = axes["bowl"], axes["bars"]
    x = torch.linspace(-2, 2, 60)
    grid = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1)
    levels = (grid @ result["H"] * grid).sum(-1) / 2
    plane.contour(x, x, levels, levels=[0.1, 0.5, 1.5, 3, 6, 12], colors="#AAAAAA", linewidths=0.8)
    looks = {"one": (COLOURS["before"], "one rate"), "own": (COLOURS["after"], "a rate each")}
    for name, (colour, label) in looks.items():
        plane.plot(*result[name]["walk"].T, "-o", ms=5, color=colour, label=label)
    plane.set(
        xlim=(-2, 2), ylim=(-2, 2), xlabel="weight 1", ylabel="weight 2",
        title=f"A bowl, inner steps: {result['k']}",
    )  # fmt: skip
    plane.legend(loc="lower left", fontsize=9, frameon=True)
    for place, (name, (colour, _)) in enumerate(looks.items()):
        bars.barh(place, result[name]["left"], color=colour, height=0.6)
        rates = ", ".join(f"{rate:.2f}" for rate in result[name]["rates"])
        bars.text(0.02, place + 0.38, f"rates {rates}", fontsize=9.5, va="center")
    bars.set(
        xlim=(0, 1), ylim=(-0.6, 1.7), yticks=[0, 1], yticklabels=["one rate", "a rate each"],
        xlabel="loss left over, as a share of the loss before",
        title="Mean over all directions",
    )  # fmt: skip


def rates_on_a_bowl() -> Explorer:
    """What a rate for each weight can do that one rate cannot, and where it stops helping."""
    return Explorer(
        question="When does a rate for each weight beat one rate for all?",
        compute=steps_on_bowl,
        draw=draw_bowl,
        controls=[
            Slider("steep", "curvature across, along it is 1", 1.0, 20.0, 1.0, value=10.0),
            Slider("turn", "the bowl is turned by", 0, 45, 5, value=0, unit="degrees"),
            Slider("k", "inner steps k", 1, 5, 1, value=1),
        ],
        number=lambda r: (
            f"The best single rate leaves {100 * r['one']['left']:.0f} % of the loss, the best two "
            f"rates {100 * r['own']['left']:.0f} %."
        ),
        alt=lambda r: (
            f"Left: contours of a bowl with curvatures {r['steep']:.0f} and 1, turned by "
            f"{r['turn']} degrees, with a walk of {r['k']} steps for one rate and for a rate each. "
            f"Right: the loss left over, {r['one']['left']:.2f} and {r['own']['left']:.2f}."
        ),
        size=(9.0, 3.7),
        mosaic=[["bowl", "bars"]],
    )


EXPLORERS = (five_loops, rates_on_a_bowl)
