"""Exercise 10.calibrate: contextual calibration."""

import torch

from course_lib.chapters.ch10.exercises_common import CALIBRATION
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake


def calibrate(p, p_cf):
    q = p / p_cf
    return q / q.sum(-1, keepdim=True)


def calibrate_with_logarithms(p, p_cf):
    return (p.log() - p_cf.log()).softmax(-1)


def multiplied(p, p_cf):
    return _shares(p * p_cf)


def subtracted(p, p_cf):
    return p - p_cf


def subtracted_and_cut(p, p_cf):
    return _shares((p - p_cf).clamp(min=1e-6))


def not_renormalised(p, p_cf):
    return p / p_cf


def logits_divided(p, p_cf):
    return (p.log() / p_cf.log()).softmax(-1)


def shares_of_divided_logits(p, p_cf):
    return _shares(p.log() / p_cf.log())


def logits_divided_alone(p, p_cf):
    return p.log() / p_cf.log()


def times_the_even_share(p, p_cf):
    return p / len(p_cf) / p_cf


def logarithms_of_ratios(p, p_cf):
    return p.log() - p_cf.log()


def softmax_of_ratios(p, p_cf):
    return (p / p_cf).softmax(-1)


def favourite_removed(p, p_cf):
    q = p.clone()
    q[:, p_cf.argmax()] = 0
    return _shares(q)


def favourite_divided(p, p_cf):
    q, n = p.clone(), p_cf.argmax()
    q[:, n] = q[:, n] / p_cf[n]
    return _shares(q)


def nothing_calibrated(p, p_cf):
    """Also p / p.sum(-1, keepdim=True), p / p_cf.sum() and _shares(p / p_cf.max()): all of them are p."""
    return _shares(p)


def softmax_of_differences(p, p_cf):
    return (p - p_cf).softmax(-1)


def shares_of_logarithms(p, p_cf):
    return _shares(p.log() - p_cf.log())


def logarithms_returned(p, p_cf):
    return (p.log() - p_cf.log()).log_softmax(-1)


def length_one(p, p_cf):
    return torch.nn.functional.normalize(p / p_cf, dim=-1)


def differences_over_their_sum(p, p_cf):
    return _shares(p - p_cf)


def sums_without_a_column(p, p_cf):
    q = p / p_cf
    return q / q.sum(-1)


def column_of_beliefs(p, p_cf):
    return _shares(p / p_cf[:, None])


def over_queries(p, p_cf):
    q = p / p_cf
    return q / q.sum(0)


def all_together(p, p_cf):
    q = p / p_cf
    return q / q.sum()


def mean_of_the_queries(p, p_cf):
    return _shares(p / p.mean(0))


def turned_round(p, p_cf):
    return _shares(p_cf / p)


def winners(p, p_cf):
    return (p / p_cf).argmax(-1)


def _shares(q):
    return q / q.sum(-1, keepdim=True)


def divided_by_zero(runs: list) -> bool:
    """Rows with the signs of p - p_cf, or all of these turned round, and enormous: the differences divided by their sum, which is 0."""

    def fits(inputs, result):
        if not isinstance(result, torch.Tensor) or result.shape != inputs[0].shape:
            return False
        agree = result.sign() * (inputs[0] - inputs[1]).sign()
        return bool((agree == agree[:, :1]).all()) and bool((result.abs() > 1000).any())

    return all(fits(*run) for run in runs)


def calibration_cases(generator: torch.Generator) -> list[tuple]:
    """(probabilities of the labels for each query (Q, N), the same for a query without content (N,))."""
    sizes = ((4, 2), (6, 3), (3, 5))
    return [
        tuple(
            (1.5 * torch.randn(*shape, generator=generator)).softmax(-1)
            for shape in ((queries, n), (n,))
        )
        for queries, n in sizes
    ]


EXERCISE = Exercise(
    id="10.calibrate",
    title="contextual calibration",
    minutes=7,
    difficulty=2,
    cases=calibration_cases,
    solution=calibrate,
    others=(calibrate_with_logarithms,),
    mistakes=(
        Mistake(
            "multiplied",
            multiplied,
            "You multiplied by p_cf. What the model favours anyway is favoured twice then ({got:.2f} instead of {wanted:.2f}). "
            "Divide, to take the favour back.",
            CALIBRATION,
        ),
        Mistake(
            "subtracted",
            subtracted,
            "You subtracted p_cf ({got:.2f}). Such rows add up to 0 and are no probabilities. Compare by a ratio: how many "
            "times as likely is the label as without content ({wanted:.2f})?",
            CALIBRATION,
        ),
        Mistake(
            "subtracted_and_cut",
            subtracted_and_cut,
            "You subtracted and cut off what fell below 0. A label that is less likely than without content "
            "may still win a share: {wanted:.2f}, not {got:.2f}. Divide.",
            CALIBRATION,
        ),
        Mistake(
            "not_renormalised",
            not_renormalised,
            "Those are the ratios, and the order of the labels is right. They do not add up to 1: divide each "
            "row by its sum ({wanted:.2f}, not {got:.2f}).",
            CALIBRATION,
            seen=any_of(not_renormalised, times_the_even_share),
        ),
        Mistake(
            "logits_divided",
            logits_divided,
            "You divided logarithms ({got:.2f}). The ratio is one of probabilities; for logarithms that is a *difference* ({wanted:.2f}).",
            CALIBRATION,
            seen=any_of(logits_divided, shares_of_divided_logits, logits_divided_alone),
        ),
        Mistake(
            "softmax_of_ratios",
            softmax_of_ratios,
            "You took a softmax of the ratios. The winner stays the same, but the shares do not: {got:.2f} "
            "instead of {wanted:.2f}. Ratios are no logits; divide by their sum.",
            CALIBRATION,
        ),
        Mistake(
            "favourite_removed",
            favourite_removed,
            "You struck out the label that p_cf likes best, so it can never win. A bias is weighed against, not forbidden: {wanted:.2f}, not {got:.2f}.",
            CALIBRATION,
        ),
        Mistake(
            "favourite_divided",
            favourite_divided,
            "You corrected the favourite label only. Every label has its own entry in p_cf: divide each by its own ({wanted:.2f}, not {got:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "nothing_calibrated",
            nothing_calibrated,
            "Your result is p as it was ({got:.2f}, not {wanted:.2f}). Rows that are only renormalised, or divided by one number for all "
            "labels, keep their shares. Divide each label by its *own* entry of p_cf.",
            CALIBRATION,
        ),
        Mistake(
            "softmax_of_differences",
            softmax_of_differences,
            "You took a softmax of the differences p − p_cf ({got:.2f} instead of {wanted:.2f}). A softmax wants differences of *logarithms*. "
            "Or take the ratios, and divide by their sum.",
            CALIBRATION,
        ),
        Mistake(
            "shares_of_logarithms",
            shares_of_logarithms,
            "You divided logarithms by their sum: {got:.2f} instead of {wanted:.2f}. The logarithm of a ratio may be below 0, and is no share. "
            "Go back to the ratios with `.exp()` first.",
            CALIBRATION,
        ),
        Mistake(
            "logarithms_of_ratios",
            logarithms_of_ratios,
            "Those are the logarithms of the ratios ({got:.2f}). They are right, and no probabilities yet: a softmax along each row makes "
            "them so ({wanted:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "logarithms_returned",
            logarithms_returned,
            "Those are the logarithms of the right probabilities: {got:.2f} for {wanted:.2f}. Probabilities are asked for: `softmax` "
            "in place of `log_softmax`.",
            CALIBRATION,
        ),
        Mistake(
            "length_one",
            length_one,
            "Your rows have *length* 1: their squares sum to 1 ({got:.2f}). Probabilities themselves sum to 1: divide each row by its sum ({wanted:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "differences_over_their_sum",
            differences_over_their_sum,
            "You subtracted p_cf and divided by the sum. p and p_cf both sum to 1, so the differences sum to 0: that gave {got:.3g}. "
            "Take ratios in place of differences ({wanted:.2f}).",
            CALIBRATION,
            seen=divided_by_zero,
        ),
        Mistake(
            "sums_without_a_column",
            sums_without_a_column,
            lambda n: (
                f"There are {len(n.inputs[0])} sums, one for each query, and torch lays them along the {n.inputs[0].shape[1]} labels of a row. "
                f"Make them a column of shape ({len(n.inputs[0])}, 1): `.sum(-1, keepdim=True)`."
            ),
            CALIBRATION,
        ),
        Mistake(
            "column_of_beliefs",
            column_of_beliefs,
            lambda n: (
                f"You made p_cf a column of {len(n.inputs[1])}, as if there were one for each of the {len(n.inputs[0])} queries. It has one entry "
                "for each *label*: `p / p_cf` divides every row by it."
            ),
            CALIBRATION,
        ),
        Mistake(
            "over_queries",
            over_queries,
            "Your columns sum to 1, and the rows should. It is the labels of *one* query that share the probability: sum "
            "along axis 1 ({wanted:.2f}, not {got:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "all_together",
            all_together,
            "You divided by the sum over all queries at once ({got:.2f}). Each query has its own row that sums to 1 ({wanted:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "mean_of_the_queries",
            mean_of_the_queries,
            "You divided by the mean over your queries and did not use p_cf. The queries then change each "
            "other's answers; a query without content is measured once, before any of them ({wanted:.2f}, not {got:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "turned_round",
            turned_round,
            "The ratio is upside down: you divided p_cf by p, and the least likely label wins ({got:.2f} instead of {wanted:.2f}).",
            CALIBRATION,
        ),
        Mistake(
            "winners",
            winners,
            "Those are the chosen labels. The probabilities after calibration are asked for: one row for each query.",
            CALIBRATION,
        ),
    ),
    hints=(
        "If a query says nothing, p is p_cf. What should the calibrated row be then?",
        "Divide by `p_cf`, label by label. Then divide each row by its sum.",
    ),
)
