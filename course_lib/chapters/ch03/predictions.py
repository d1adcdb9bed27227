"""What readers of chapter 03 predict before they see it, and what is said to each answer."""

import torch

from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import paired


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
    share = differences[0].mean / scores["joint"][0].mean
    lines = [f"{name:5} before adaptation: {steps[0]}" for name, steps in scores.items()]
    lines += [f"joint minus MAML, paired: {differences[0]}, {abs(share):.1%} of the error"]
    return Outcome("equal" if abs(share) < 0.02 else "maml" if share > 0 else "joint", lines=lines)


def exploded(mse):
    """The share of tasks whose error is above 100, infinite or not a number."""
    return (~(mse < 100)).float().mean().item()


def longer(by_alpha):
    share, median = exploded(by_alpha[0.03]), by_alpha[0.03].nan_to_num(1e30).median()
    lines = [
        (
            f"alpha {a:5}: mean MSE {mse.mean():.2g}, median {mse.nan_to_num(1e30).median():.2f}, "
            f"above 100 on {exploded(mse):.1%} of {len(mse)} tasks"
        )
        for a, mse in by_alpha.items()
    ]
    return Outcome(
        "explodes" if share > 0.05 else "worse" if median > 0.3 else "faster", lines=lines
    )


def labels(accuracies, yardstick):
    lines = [
        f"{where}, labels {name}:\n   before a step {steps[0]}\n   after 3 steps {steps[3]}"
        for (where, name), steps in accuracies.items()
    ]
    known = accuracies["its training characters", "always the same"][0].mean
    new = [accuracies["new characters", name][3] for name in ("dealt anew", "always the same")]
    lines += [
        f"new characters, after 3 steps, dealt anew minus always the same: {paired(*new)}",
        f"new characters, nearest example by pixels: {yardstick}",
    ]
    return Outcome("chance" if known < 0.3 else "most" if known > 0.6 else "half", lines=lines)


PREDICTIONS = {
    "amplitude": Prediction(
        "Set k to 1: the outer loop now looks for the start with the least error after one inner "
        "step. Where will it put the amber dot?",
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
        "On 4000 fresh tasks, before any adaptation, whose start has the lower error?",
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
                "The same, to within one part in fifty",
                "Their curves are equally wrong: on so many tasks a difference shows, and it is a "
                "fraction of a percent. A network has enough knobs to be the best "
                "single curve and easy to change at once. MAML was not asked to be the first. A "
                "likely reason, not shown here: one short step repairs only so much, so it pays "
                "to start near the middle.",
            ),
        },
        before,
    ),
    "labels": Prediction(
        "The learner whose characters always had the same labels meets them again, in new "
        "drawings. Before any inner step, how often does it name the right one of five?",
        {
            "chance": (
                "About one time in five: without a step it knows nothing of the task",
                "So it is where labels are dealt anew. Here a character is called the same in "
                "every task, and that is learned once and for all. Nothing has to be adapted.",
            ),
            "half": (
                "About half of the time: one hundred outer steps are not enough for 25 characters",
                "It had 25 characters and met each of them in eighty tasks. A network of this size "
                "learns such a list by heart in less.",
            ),
            "most": (
                "Most of the time: the drawing alone tells the label",
                "The outer loss became small without the support set. That is learning a list by "
                "heart, and it does not help with the next five characters.",
            ),
        },
        labels,
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
