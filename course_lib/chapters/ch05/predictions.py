"""What readers of chapter 05 predict before they see it, and what is said to each answer."""

from course_lib.classroom.predictions import Outcome, Prediction


def flat_tasks(ends):
    place = ends["MAML"]
    lines = [f"{loop:12} ends at theta = {theta:.2f}" for loop, theta in ends.items()]
    return Outcome("steep" if place < 0.6 else "middle" if place < 1.6 else "flat", lines=lines)


def one_step(cosines):
    right = max(cosines, key=cosines.get) if max(cosines.values()) > 0.99 else "neither"
    lines = [f"cosine of the angle to the gradient of {n}: {c:.6f}" for n, c in cosines.items()]
    return Outcome(right, lines=lines)


def turned(left):
    one, own = left[45]
    gain = {angle: f"{pair[0]:.0%} with one rate, {pair[1]:.0%} with two" for angle, pair in
            left.items()}  # fmt: skip
    lines = [f"turned by {angle:2} degrees, loss left over: {said}" for angle, said in gain.items()]
    return Outcome("all" if own < 0.05 else "half" if own < 0.8 * one else "none", lines=lines)


def memory(kept):
    lines = [
        f"{name:14} k = 5: {row[5] / 1000:7.0f} kB   k = 40: {row[40] / 1000:7.0f} kB"
        for name, row in kept.items()
    ]
    grows = kept["implicit MAML"][40] / kept["implicit MAML"][5]
    return Outcome("same" if grows < 1.3 else "eight" if grows > 4 else "twice", lines=lines)


PREDICTIONS = {
    "flat_tasks": Prediction(
        "One wave of amplitude 3 has phase 0. Two waves of amplitude 1 have phases 2 and 2.4. The "
        "loss of the tall wave is nine times as curved. Joint training ends at 0.2, near the tall "
        "wave. Where does MAML end, with three inner steps at alpha = 0.1?",
        {
            "steep": (
                "Nearer still to the tall wave: its error counts most",
                "It counts most before the steps. Three steps almost solve the tall wave from "
                "anywhere, so after them it hardly counts.",
            ),
            "middle": (
                "In the middle: MAML treats all tasks alike",
                "It weighs each task by the error that is left after the steps, and these are far "
                "from alike: the tall wave leaves almost none.",
            ),
            "flat": (
                "At the flat waves",
                "The tall wave is steep, so three steps solve it from far away. The flat ones "
                "barely move in three steps, so the start has to be near them already.",
            ),
        },
        flat_tasks,
    ),
    "one_step": Prediction(
        "Reptile with k = 1: one gradient step on all points of a task, then theta moves a little "
        "towards phi. Averaged over tasks, which gradient does theta walk along?",
        {
            "joint training": (
                "That of joint training",
                "With one step theta − phi is alpha times the gradient at theta. Nothing has been "
                "evaluated anywhere else, so nothing can be known of what a step does.",
            ),
            "MAML": (
                "That of MAML with one step: it has the same inner loop",
                "The inner loop is the same, but MAML then asks for the loss *at* phi. Reptile "
                "with one step has never evaluated anything at phi.",
            ),
            "first order": (
                "That of first-order MAML",
                "First order evaluates a gradient at phi. Reptile with one step stops before "
                "that: its only gradient is taken at theta.",
            ),
        },
        one_step,
    ),
    "turned": Prediction(
        "A bowl with curvatures 10 and 1, straight along the axes: two rates solve it in one step, "
        "1/10 and 1. Now the bowl is turned by 45 degrees. How much of the advantage is left?",
        {
            "all": (
                "All of it: the curvatures are still 10 and 1",
                "The curvatures are, but their directions are not those of the weights. A rate "
                "belongs to a weight, and each weight now shares in both curvatures.",
            ),
            "half": (
                "About half of it",
                "A fair guess for a small turn. At 45 degrees both weights see the same curvature, "
                "and nothing is left to tell them apart.",
            ),
            "none": (
                "None",
                "At 45 degrees the two weights are alike, so the best two rates are one rate. "
                "Rates for each weight stretch space along its axes, and cannot turn it.",
            ),
        },
        turned,
    ),
    "memory": Prediction(
        "You lengthen the inner loop from 5 steps to 40. What happens to the memory that implicit "
        "MAML needs for its outer gradient?",
        {
            "same": (
                "It stays the same",
                "Only the end is kept. The walk could have 4,000 steps, or be taken by another "
                "optimiser: the gradient looks at phi alone.",
            ),
            "eight": (
                "It grows eightfold, as the loop does",
                "That is MAML, which keeps every step to walk back along it. Implicit MAML never "
                "walks back.",
            ),
            "twice": (
                "It grows, but less: conjugate gradients need a few steps again",
                "They do take steps, but each is a Hessian-vector product at the same phi, over "
                "one and the same graph.",
            ),
        },
        memory,
    ),
}
