"""The unrolled inner loop as autograd holds it: its nodes and edges, walked from grad_fn, and what
a cut leaves of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

SUPPORT, QUERY = torch.linspace(-4, 4, 5), torch.linspace(-5, 5, 9)
PHASE = 1.0  # of the task; the model knows the amplitude, 2, and looks for the phase


def wave_loss(phase: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of 2 sin(x - phase) on the task 2 sin(x - 1)."""
    return (2 * torch.sin(x - phase) - 2 * torch.sin(x - PHASE)).square().mean()


def unrolled(theta: Tensor, alpha: float, k: int, loose=(), cut_phi: int | None = None):
    """phi^0, ..., phi^k, the inner gradients, and the query loss at phi^k.

    Args:
        loose: the steps whose gradient is detached, counted from 0.
        cut_phi: the step whose result phi is detached, if any.
    """
    path, gradients = [theta], []
    for j in range(k):
        (g,) = torch.autograd.grad(wave_loss(path[-1], SUPPORT), path[-1], create_graph=True)
        gradients.append(g)
        phi = path[-1] - alpha * (g.detach() if j in loose else g)
        path.append(phi.detach().requires_grad_() if j == cut_phi else phi)
    return path, gradients, wave_loss(path[-1], QUERY)


def parents(node) -> list:
    """The nodes that a node hands its gradient to."""
    return [after for after, _ in node.next_functions if after is not None]


def reachable(node, stop=()) -> list:
    """Every node that the backward pass visits from here, each once; none beyond those in stop."""
    found, ahead = [], [node]
    while ahead:
        here = ahead.pop()
        if here is None or here in found or here in stop:
            continue
        found.append(here)
        ahead += parents(here)
    return found


@dataclass
class Drawn:
    """A graph to draw: places of the nodes, their names, their kind, and edges as pairs of
    places."""

    places: list[tuple[float, float]]
    names: list[str]
    kinds: list[str]  # "theta", "phi", "gradient", "query"
    alive: list[bool]
    edges: list[tuple[int, int]]
    alive_edges: list[bool]


def root_of(theta: Tensor):
    """The node that stands for theta."""
    return theta.view_as(theta).grad_fn.next_functions[0][0]


def placed(k: int, loose: tuple[int, ...] = (), cut_phi: int | None = None) -> Drawn:
    """The whole graph for k steps, laid out from theta (left) to the query loss (right), and which
    of it is left when some edges are cut."""
    theta = torch.tensor(2.5, requires_grad=True)
    path, gradients, loss = unrolled(theta, 0.1, k)
    stations = [root_of(theta)] + [phi.grad_fn for phi in path[1:]]
    regions = [("query", k, reachable(loss.grad_fn, stop=stations))]
    for j in range(k):
        scaled = [node for node in parents(stations[j + 1]) if node is not stations[j]]
        regions.append(("gradient", j, reachable(scaled[0], stop=stations)))
    nodes, places, kinds = list(stations), [(float(j), 0.0) for j in range(k + 1)], []
    kinds = ["theta"] + ["phi"] * k
    for kind, j, region in regions:
        for node, place in zip(region, layout(region, stations[j], float(j), kind), strict=True):
            nodes.append(node)
            places.append(place)
            kinds.append(kind)
    number = {node: i for i, node in enumerate(nodes)}
    edges = [(number[node], number[after]) for node in nodes for after in parents(node)]
    cut = cut_edges_of(edges, kinds, k, loose, cut_phi)
    alive = survivors(edges, cut, number[loss.grad_fn], len(nodes))
    return Drawn(
        places,
        [short(node) for node in nodes],
        kinds,
        alive,
        edges,
        [edge not in cut and alive[edge[0]] for edge in edges],
    )


def cut_edges_of(edges, kinds, k: int, loose, cut_phi: int | None) -> set:
    """The edges that detaching takes away. Stations stand first: node j is phi^j."""
    gone = {(a, b) for a, b in edges if a - 1 in loose and a <= k and kinds[b] == "gradient"}
    if cut_phi is not None:
        gone |= {(a, b) for a, b in edges if a == cut_phi + 1}
    return gone


def survivors(edges, cut, start: int, count: int) -> list[bool]:
    """Which nodes the backward pass still visits."""
    after = {}
    for a, b in edges:
        if (a, b) not in cut:
            after.setdefault(a, []).append(b)
    seen, ahead = set(), [start]
    while ahead:
        here = ahead.pop()
        if here not in seen:
            seen.add(here)
            ahead += after.get(here, [])
    return [i in seen for i in range(count)]


def layout(region: list, station, left: float, kind: str) -> list[tuple[float, float]]:
    """Places for the nodes between one phi and the next: to the right by how far a node is from
    the phi it reads, upwards side by side."""
    depth = {station: 0}

    def far(node) -> int:
        if node not in depth:
            depth[node] = 1 + max((far(n) for n in parents(node) if n in inside), default=0)
        return depth[node]

    inside = set(region) | {station}
    levels, places = {}, {}
    for node in region:
        levels.setdefault(far(node), []).append(node)
    deepest = max(levels)
    base = 0.0 if kind == "query" else 0.42
    for level, nodes in levels.items():
        for row, node in enumerate(nodes):
            places[node] = (left + 0.06 + 0.88 * level / (deepest + 1), base + 0.34 * row)
    return [places[node] for node in region]


def short(node) -> str:
    """What a node does, as torch calls it: "Mul", "Sin"; "theta" for the leaf."""
    name = node.name().rpartition("::")[2]
    return "theta" if name == "AccumulateGrad" else name.split("Backward")[0]
