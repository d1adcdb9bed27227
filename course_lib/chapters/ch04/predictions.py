"""What readers of chapter 04 predict before they see it, and what is said to each answer."""

from course_lib.classroom.predictions import Outcome, Prediction

BEST_SINGLE = 3.01  # mean squared error of the best curve that does not adapt


def double_k(kept):
    """kept: {(order, k): bytes} for k = 8 and 16."""
    second, first = (kept[order, 16] / kept[order, 8] for order in ("second", "first"))
    right = "both" if first > 1.5 else "square" if second > 3 else "second"
    lines = [f"{order} order, k = {k:2}: {b / 1e6:7.2f} MB kept" for (order, k), b in kept.items()]
    return Outcome(right if second > 1.5 else "neither", lines=lines)


def hessian_cost(count):
    """count: operations of a gradient and of each way to H v, in a network of 1,761 parameters."""
    ratio = max(count[way] / count["gradient"] for way in count if way != "gradient")
    lines = [f"{way:22} {n:9,} operations, {n / count['gradient']:.2f} gradients"
             for way, n in count.items()]  # fmt: skip
    return Outcome("few" if ratio < 10 else "root" if ratio < 200 else "all", lines=lines)


def same_curvature(two):
    """two: the cosine and the ratio of lengths, first order against second."""
    turned, other_length = two["cosine"] < 0.999, abs(two["ratio"] - 1) > 0.01
    right = "both" if turned and other_length else "direction" if turned else "length"
    return Outcome(
        right if turned or other_length else "nothing",
        lines=f"cosine {two['cosine']:.3f}; the true gradient is {two['ratio']:.2f} times as long",
    )


def few_tasks(table):
    """table: {tasks: [mean after one step, seed by seed]}, "endless" among them."""
    five, endless = (sum(table[name]) / len(table[name]) for name in ("5", "endless"))
    right = "same" if five < 1.3 * endless else "between" if five < BEST_SINGLE else "useless"
    lines = [
        f"{name:>8} tasks: MSE on new waves after 1 step {'  '.join(f'{e:.2f}' for e in errors)}"
        for name, errors in table.items()
    ]
    return Outcome(right, lines=[*lines, "one column a training seed; best single curve 3.01"])


PREDICTIONS = {
    "double_k": Prediction(
        "You go from 8 inner steps to 16. Look at what the graph keeps just before the outer "
        "backward pass. What happens to it?",
        {
            "second": (
                "Second order: twice as much. First order: the same",
                "Second order keeps what each step will be asked for again. First order treats "
                "gradients as constants, so no step is asked again, and only the query pass stays.",
            ),
            "both": (
                "Twice as much for both: there are twice as many steps",
                "Right for second order. But count the orange nodes that are left after the "
                "first-order cut: none. A step that nobody differentiates leaves nothing behind.",
            ),
            "square": (
                "Second order: four times as much, since steps act on steps",
                "Steps do act on steps, but as a chain: each one is differentiated once, where it "
                "stands. Twice the steps, twice the nodes.",
            ),
            "neither": (
                "The same for both: the network has not grown",
                "The network has not, the graph has: every step is another forward pass, at "
                "another phi, and its activations stay until they are used.",
            ),
        },
        double_k,
    ),
    "hessian_cost": Prediction(
        "The network has 1,761 parameters, so its Hessian has 1,761 columns. Counted in "
        "gradients, what does one product H v cost, exactly and not approximated?",
        {
            "all": (
                "About 1,761: each column is the derivative of one entry of the gradient",
                "That is the price of writing H down. H v asks how the gradient changes along one "
                "direction, and that is one derivative of one number, gradient · v.",
            ),
            "root": (
                "About 42, the square root: there must be a saving",
                "There is, and it goes further. No column is ever made: one number, "
                "gradient · v, is differentiated once.",
            ),
            "few": (
                "About 3",
                "H v is one more derivative: of gradient · v backwards, or of the gradient along "
                "v forwards. A derivative costs a small multiple of the function itself.",
            ),
        },
        hessian_cost,
    ),
    "same_curvature": Prediction(
        "The support loss is equally curved in all directions, H = hI, with alpha·h = 0.5. "
        "The inner loop takes one step. What does first order get wrong?",
        {
            "nothing": (
                "Nothing: the curvature does not depend on the direction",
                "It does not, and so it cannot turn the gradient. It shortens it: the factor is "
                "(I − alpha H) = 0.5 I.",
            ),
            "length": (
                "The length, not the direction",
                "(I − alpha H) c = (1 − alpha h) c: the same direction, half as long. Adam, which "
                "measures its own step, would hardly notice. What turns a gradient is a "
                "*difference* of curvatures.",
            ),
            "direction": (
                "The direction, not the length",
                "To turn c, the factor must treat two directions differently. With H = hI it "
                "multiplies all by 1 − alpha h.",
            ),
            "both": (
                "Both",
                "In a network, yes. Here (I − alpha H) is a number times I, and a number cannot "
                "turn anything.",
            ),
        },
        same_curvature,
    ),
    "few_tasks": Prediction(
        "MAML meets the same 5 sine waves in every outer step, with fresh points each time. On "
        "new waves, after one inner step, how good is it? (Endless waves: about 0.9. Best curve "
        "without adaptation: 3.01.)",
        {
            "same": (
                "About as good as with endless waves: the points never repeat",
                "Fresh points teach the five curves well. What must be learned is how curves "
                "*differ*, and of that there are five examples.",
            ),
            "between": (
                "Worse than with endless waves, and better than no adaptation",
                "Five tasks are five examples of the thing to be learned. They show that waves "
                "differ in height and phase, and leave most of the range untried.",
            ),
            "useless": (
                "No better than the best single curve",
                "That would be memorising five curves. But one start must serve all five, so it "
                "has to adapt, and a part of that carries over.",
            ),
        },
        few_tasks,
    ),
}
