"""Four explorers with every kind of control, for the tests of the machinery; the chapters have
their own."""

import numpy as np

from course_lib.classroom.explorer import Choice, Explorer, Points, Slider, Text, Toggle
from course_lib.classroom.figures import COLOURS

X = np.linspace(-5, 5, 200)
SHAPES = {"sine": np.sin, "triangle": lambda z: 2 / np.pi * np.arcsin(np.sin(z))}


def waves():
    def compute(amplitude, phase, shape, shots):
        xs = np.random.default_rng(0).uniform(-5, 5, shots)
        return amplitude * SHAPES[shape](X + phase), xs, amplitude * SHAPES[shape](xs + phase)

    def draw(result, axes):
        wave, xs, ys = result
        axes.plot(X, wave, color=COLOURS["truth"], label="the task")
        axes.scatter(xs, ys, color=COLOURS["support"], zorder=3, label="support points")
        axes.set(
            xlim=(-5, 5), ylim=(-5.5, 5.5), xlabel="input x", ylabel="output y", title="One task"
        )
        axes.legend(loc="upper right")

    return Explorer(
        question="How different can two tasks be?",
        compute=compute,
        draw=draw,
        controls=[
            Slider("amplitude", "A, amplitude", 0.1, 5.0, 0.1, value=1.0),
            Slider("phase", "phase (rad)", 0.0, 3.1, 0.1, value=0.0),
            Choice("shape", "shape of the wave", ["sine", "triangle"], value="sine"),
            Slider("shots", "K, support points", 1, 20, 1, value=5),
        ],
        number=lambda result: f"Outputs reach from {result[0].min():.2f} to {result[0].max():.2f}.",
        alt=lambda result: (
            f"A wave of height {result[0].max():.1f} with {len(result[1])} support points on it."
        ),
    )


def prototypes():
    def compute(support, outlier, squared, temperature):
        groups = np.array(support).reshape(2, -1, 2)
        centres = groups.mean(axis=1)
        centres[0] = (groups[0].sum(axis=0) + outlier[0]) / 4
        line = np.stack([np.linspace(-3, 3, 120), np.zeros(120)], axis=-1)
        distance = ((line[:, None] - centres) ** 2).sum(axis=-1) ** (1.0 if squared else 0.5)
        return (
            groups,
            outlier,
            centres,
            1 / (1 + np.exp((distance[:, 0] - distance[:, 1]) / temperature)),
        )

    def draw(result, axes):
        groups, outlier, centres, first = result
        for group, marker in zip(groups, "os", strict=True):
            axes["plane"].scatter(*group.T, marker=marker, color=COLOURS["support"])
        axes["plane"].scatter(*np.array(outlier).T, marker="X", color=COLOURS["support"])
        axes["plane"].scatter(*centres.T, marker="*", s=200, color=COLOURS["prototype"])
        axes["plane"].set(
            xlim=(-3, 3),
            ylim=(-2, 2),
            xlabel="first coordinate",
            ylabel="second coordinate",
            title="Two classes",
        )
        axes["sure"].plot(np.linspace(-3, 3, 120), first, color=COLOURS["query"])
        axes["sure"].set(
            xlim=(-3, 3),
            ylim=(0, 1),
            xlabel="first coordinate",
            ylabel="p(first class)",
            title="Along the middle",
        )

    bounds = ((-2.9, 2.9), (-1.9, 1.9))
    return Explorer(
        question="What does one outlier do to a prototype?",
        compute=compute,
        draw=draw,
        controls=[
            Points(
                "support",
                "support point",
                ((-1.5, 0.5), (-1, -0.5), (-2, -0.2), (1.2, 0.6), (1.6, -0.4), (2, 0.3)),
                bounds,
                "plane",
            ),
            Points("outlier", "outlier", ((-2.5, 1.5),), bounds, "plane", move="x"),
            Toggle("squared", "squared distance", True),
            Slider("temperature", "tau, temperature", 0.1, 10.0, 0.25, value=1.0, log=True),
        ],
        number=lambda result: (
            f"The first prototype lies at ({result[2][0, 0]:.2f}, {result[2][0, 1]:.2f})."
        ),
        alt=lambda result: (
            "Two groups of points with a star at the mean of each, and the probability of the "
            "first."
        ),
        mosaic=[["plane", "sure"]],
    )


def descent():
    def compute(step, alpha):
        if alpha > 0.8:
            raise OverflowError("this toy leaves its valley")
        path = [np.array([2.0, 1.8])]
        for _ in range(step):
            path.append(path[-1] - alpha * np.array([3.0, 0.6]) * path[-1])
        path = np.array(path)
        return path, 0.5 * (np.array([3.0, 0.6]) * path**2).sum(axis=1)

    def draw(result, axes):
        path, loss = result
        axes["map"].plot(*path.T, "o-", color=COLOURS["after"])
        axes["map"].set(
            xlim=(-3, 3),
            ylim=(-3, 3),
            xlabel="first weight",
            ylabel="second weight",
            title="Where the steps go",
        )
        axes["loss"].plot(loss, "o-", color=COLOURS["after"])
        axes["loss"].set(
            xlim=(-0.5, 20.5),
            ylim=(1e-6, 1e3),
            yscale="log",
            xlabel="inner steps",
            ylabel="support loss",
            title="What they bring",
        )

    return Explorer(
        question="When does a larger inner rate stop paying?",
        compute=compute,
        draw=draw,
        controls=[
            Slider("step", "inner steps", 0, 20, 1, value=5, play=True, unit="steps"),
            Slider("alpha", "alpha, inner rate", 0.1, 0.9, 0.1, value=0.6),
        ],
        number=lambda result: f"Support loss {result[1][-1]:.3g} after {len(result[1]) - 1} steps.",
        alt=lambda result: (
            f"A path of {len(result[1]) - 1} steps towards the bottom of a valley, and the loss "
            "along it."
        ),
        mosaic=[["map", "loss"]],
        size=(9.0, 3.4),
    )


def writing():
    def compute(story, wanted):
        words = story.split()
        return {
            "lengths": [len(word) for word in words],
            "lines": story.count("\n") + 1,
            "found": words.count(wanted),
            "wanted": wanted,
        }

    def draw(result, axes):
        axes.bar(range(len(result["lengths"])), result["lengths"], color=COLOURS["query"])
        axes.axhline(result["found"], color=COLOURS["support"])
        axes.set(
            xlim=(-1, max(10, len(result["lengths"]))),
            ylim=(0, 15),
            xlabel="word",
            ylabel="letters",
            title=f"{result['lines']} lines",
        )

    return Explorer(
        question="How long are your words?",
        compute=compute,
        draw=draw,
        controls=[
            Text(
                "story",
                "your story",
                "a dog\nand a cat",
                rows=4,
                most=200,
                samples=(("short", "a dog"), ("long", "hippopotamus\nand a rhinoceros")),
            ),
            Text("wanted", "word to count", "a", most=40),
        ],
        number=lambda result: (
            f"{len(result['lengths'])} words, {sum(result['lengths'])} letters, {result['found']} "
            f"times {result['wanted']!r}."
        ),
        alt=lambda result: f"Bars for the lengths of {len(result['lengths'])} words.",
        size=(9.0, 2.4),
    )
