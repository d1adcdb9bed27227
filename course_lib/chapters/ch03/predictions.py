"""What readers of chapter 03 predict before they see it, and what is said to each answer."""

import torch

from course_lib.classroom.predictions import Outcome, Prediction


def two_tasks(theta):
    return Outcome(
        "middle" if abs(theta - 3) < 0.01 else "small" if theta < 3 else "large",
        lines=f"theta after 500 outer steps: {theta:.4f}",
    )


def amplitude(found):
    joint_A, maml_A = (found[name][0].amplitude.item() for name in ("Joint", "MAML"))
    lines = [
        (
            f"{name:5} starts at A = {wave.amplitude.item():.2f}, p = {wave.phase.item():.2f}\n   "
            f"   before: {before}\n      after:  {after}"
        )
        for name, (wave, before, after) in found.items()
    ]
    return Outcome(
        "larger" if maml_A > joint_A + 0.2 else "smaller" if maml_A < joint_A - 0.2 else "same",
        lines=lines,
    )


def detach(reached):
    right = (
        "none"
        if reached["phi detached"] is None
        else "first"
        if torch.equal(*reached.values())
        else "plain"
    )
    return Outcome(
        right, lines=[f"theta.grad with the {name}: {value}" for name, value in reached.items()]
    )


def before(differences, scores):
    low, high = (
        differences[0].mean - differences[0].half_width,
        differences[0].mean + differences[0].half_width,
    )
    lines = [f"{name:5} before adaptation: {steps[0]}" for name, steps in scores.items()] + [
        f"joint minus MAML, paired: {differences[0]}"
    ]
    return Outcome("equal" if low < 0 < high else "maml" if low > 0 else "joint", lines=lines)


def exploded(mse):
    """The share of tasks whose error is above 100, infinite or not a number."""
    return (~(mse < 100)).float().mean().item()


def longer(by_alpha):
    share, median = exploded(by_alpha[0.03]), by_alpha[0.03].nan_to_num(1e30).median()
    lines = [
        (
            f"alpha {a:5}: mean MSE {mse.mean():.2g}, median {mse.nan_to_num(1e30).median():.2f}, "
            f"above 100 on {exploded(mse):.1%} of 600 tasks"
        )
        for a, mse in by_alpha.items()
    ]
    return Outcome(
        "explodes" if share > 0.05 else "worse" if median > 0.3 else "faster", lines=lines
    )


PREDICTIONS = {
    "amplitude": Prediction(
        "Set k to 1: the outer loop now looks for the start with the least error after one inner "
        "step. Where will it put the yellow dot?",
        {
            "same": (
                "Where it is: least wrong before a step is least wrong after it",
                "It would be, if every start moved equally well. But the slope for the phase "
                "contains A, so a larger A turns the same error into a longer step.",
            ),
            "smaller": (
                "At a smaller amplitude: a flat wave is far from nobody",
                "Least wrong, perhaps, and hard to move: at amplitude zero the slope for the "
                "phase vanishes (chapter 02). MAML goes the other way, towards starts that a "
                "step can move.",
            ),
            "larger": (
                "At a larger amplitude",
                "The slope for the phase is proportional to A. A larger A turns the same error "
                "into a longer step of the phase, and for that MAML accepts being worse before "
                "the step.",
            ),
        },
        amplitude,
    ),
    "two_tasks": Prediction(
        "Two tasks: amplitude 1 and amplitude 5, the same five support points. Where does the "
        "outer loop put θ, with one inner step?",
        {
            "middle": (
                "In the middle, at 3: the same place as without any adaptation",
                "Both tasks have the same curvature 2s, so one step closes the same share of "
                "both gaps. What is best before the step stays best after it.",
            ),
            "small": (
                "Nearer to 1: small waves are easier to change",
                "That would need a wave that bends more readily when it is small. Here the "
                "curvature is 2s for both tasks: one step closes the same share of both gaps.",
            ),
            "large": (
                "Nearer to 5: the large task has the larger error",
                "The larger error pulls harder, but only because θ is farther away. In the "
                "middle the two pulls are equal.",
            ),
        },
        two_tasks,
    ),
    "detach": Prediction(
        "A colleague writes phi = (theta - alpha * gradient).detach().requires_grad_() and calls "
        "it first-order MAML. Which gradient does theta get?",
        {
            "first": (
                "The first-order gradient, as intended",
                "That was the intention. First order keeps the step φ = θ − α·g and treats g "
                "alone as a constant. Detaching φ throws away the θ in front as well.",
            ),
            "plain": (
                "The ordinary gradient of the loss at theta",
                "The query loss was never evaluated at θ, so nothing could return that gradient.",
            ),
            "none": (
                "None at all: training stands still",
                "φ no longer depends on θ. `backward` raises no error, `theta.grad` stays None, "
                "and an optimiser skips the parameter without a word.",
            ),
        },
        detach,
    ),
    "before": Prediction(
        "On 600 fresh tasks, before any adaptation, whose start has the lower error?",
        {
            "maml": (
                "MAML's, clearly: it is the better model",
                "As a model of any one task it is no better. What makes it better is hidden from "
                "this measurement: how it moves.",
            ),
            "joint": (
                "Joint training's, clearly: it was trained for exactly this",
                "A good argument, and with the two-knob wave it held. A network has 1,761 knobs. "
                "It can be the best single curve and easy to change at once.",
            ),
            "equal": (
                "They cannot be told apart",
                "Their curves are equally wrong. A network has enough knobs to be the best "
                "single curve and easy to change at once. MAML was not asked to be the first. A "
                "likely reason, not shown here: one short step repairs only so much, so it pays "
                "to start near the middle.",
            ),
        },
        before,
    ),
    "longer": Prediction(
        "At test time you make alpha three times larger: 0.03 instead of 0.01. What do ten inner "
        "steps from MAML's start do?",
        {
            "faster": (
                "Much the same, in fewer steps",
                "A reasonable hope if the start were a gentle valley. The outer loop never saw a "
                "longer step, and had no reason to keep the ground gentle for one.",
            ),
            "worse": (
                "Somewhat worse than at 0.01 on every task, still far better than joint training",
                "On many tasks you are right, as the median shows. On the others each overshoot "
                "is larger than the last, and a mean forgives no explosion.",
            ),
            "explodes": (
                "On a good part of the tasks the error grows without bound",
                "The outer loop made the ground steep where that helps a step of 0.01. On these "
                "tasks a longer step overshoots, and each overshoot is larger than the last.",
            ),
        },
        longer,
    ),
}
