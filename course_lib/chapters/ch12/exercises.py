"""Exercises of chapter 12: the loss of an answer, forgetting, and when tuning pays."""

import math

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises import Exercise

NAMESPACE = {}

LOSS = "One task, written out"
FORGET, PAYS = "What is forgotten", "When does tuning pay?"

# 12.answer_loss


def answer_loss(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place - 1], tokens[rows, place])


def answer_loss_in_a_loop(scores, tokens, place):
    losses = [-scores[i, p - 1].log_softmax(-1)[tokens[i, p]] for i, p in enumerate(place.tolist())]
    return sum(losses) / len(losses)


def minus_the_score(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return -scores[rows, place - 1, tokens[rows, place]].mean()


def minus_the_probability(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return -scores[rows, place - 1].softmax(-1)[rows, tokens[rows, place]].mean()


def up_to_the_answer(scores, tokens, place):
    losses = [
        F.cross_entropy(scores[i, :p], tokens[i, 1 : p + 1]) for i, p in enumerate(place.tolist())
    ]
    return torch.stack(losses).mean()


def among_the_answers(scores, tokens, place):
    rows = torch.arange(len(tokens))
    answers, y = tokens[rows, place].unique(return_inverse=True)
    return F.cross_entropy(scores[rows, place - 1][:, answers], y)


def answer_cases(generator: torch.Generator) -> list[tuple]:
    """(scores (B, L, V), tokens (B, L), place of the answer (B,)): rows of several lengths, filled
    up with 0."""
    cases = []
    for B, L, V in ((3, 6, 7), (4, 5, 9), (2, 8, 5)):
        tokens, place = (
            torch.randint(1, V, (B, L), generator=generator),
            torch.randint(2, L, (B,), generator=generator),
        )
        place[0] = L - 2
        tokens[torch.arange(L) > place[:, None]] = 0
        scores = torch.randn(B, L, V, generator=generator).requires_grad_()
        cases.append((scores, tokens, place))
    return cases


# 12.forgotten


def forgotten(before, after, group, mine):
    others = group != mine
    return (before[others] - after[others]).mean()


def forgotten_in_a_loop(before, after, group, mine):
    falls = [
        float(b) - float(a) for b, a, g in zip(before, after, group, strict=False) if int(g) != mine
    ]
    return sum(falls) / len(falls)


def gain(before, after, group, mine):
    return -forgotten(before, after, group, mine)


def sizes(before, after, group, mine):
    return (before - after)[group != mine].abs().mean()


def forgetting_cases(generator: torch.Generator) -> list[tuple]:
    """(accuracy before, after, group of each task, group that was tuned on).

    Groups differ in size. The tuned group gains, and so do some others; in the last case the others
    gain on the whole.
    """
    cases = []
    for sizes_of_groups, mine, most, rise in (
        ((2, 3, 5, 3), 1, 0.4, 0.1),
        ((2, 4, 3), 0, 0.4, 0.1),
        ((6, 3, 4, 5, 2), 2, 0.14, 0.12),
    ):
        n, each = sum(sizes_of_groups), torch.tensor(sizes_of_groups)
        group = torch.arange(len(each)).repeat_interleave(each)[
            torch.randperm(n, generator=generator)
        ]
        before = 0.7 + 0.15 * torch.rand(n, generator=generator)
        after = before - most * torch.rand(n, generator=generator) + rise
        after[group == mine] = 0.97
        cases.append((before, after, group, mine))
    return cases


# 12.break_even


def break_even(training, tuned, prompted):
    if tuned >= prompted:
        return None
    return math.floor(training / (prompted - tuned)) + 1


def break_even_by_counting(training, tuned, prompted):
    if tuned >= prompted:
        return None
    n = 0
    while training + n * tuned >= n * prompted:
        n += 1
    return n


def always_some_day(training, tuned, prompted):
    if tuned == prompted:
        return None
    return math.floor(training / abs(prompted - tuned)) + 1


def enough_to_be_equal(training, tuned, prompted):
    return None if tuned >= prompted else math.ceil(training / (prompted - tuned))


def prices(_: torch.Generator) -> list[tuple]:
    """(seconds of training, seconds a query after tuning, seconds a query with the long prompt).

    Costs are equal after 2, 3, 11.4, 0.1 and 2.75 queries; in the last two, tuning never pays.
    """
    paying = [
        (1.0, 0.25, 0.75),
        (3.0, 0.5, 1.5),
        (10.0, 0.125, 1.0),
        (0.25, 0.25, 2.0),
        (1.375, 1.5, 2.0),
    ]
    return [*paying, (2.0, 0.5, 0.25), (2.0, 0.5, 0.5)]


EXERCISES = (
    Exercise(
        "12.answer_loss",
        solution=answer_loss,
        cases=answer_cases,
        others=(answer_loss_in_a_loop,),
        gradients=True,
        read=LOSS,
        mistakes={
            "place - 1 -> place": (
                "You read the scores at the answer's own place ({got:.3f} instead of "
                "{wanted:.3f}). There the model foretells what comes after the answer: it has "
                "already read it."
            ),
            "[rows, place] -> [rows, place - 1]": (
                "You ask for the token before the answer, {got:.3f} instead of {wanted:.3f}. "
                "Scores one place earlier, but the token at the place itself."
            ),
            "F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())": (
                "You took the mean over all tokens, the filling too: {got:.3f} instead of "
                "{wanted:.3f}. The task teaches answers, so only the answer counts."
            ),
            "F.cross_entropy(scores[:, -2], tokens[:, -1])": (
                "You took the last column: {got:.3f} instead of {wanted:.3f}. Rows differ in "
                "length, and the ends of the short ones are filling. Use `place`."
            ),
            "answer_loss(scores, tokens, place) * len(tokens)": (
                "You added the losses, {got:.3f}. Their mean is {wanted:.3f}, and does not grow "
                "with the number of examples."
            ),
            minus_the_score: (
                "You took the score of the answer for its log probability: {got:.3f} instead of "
                "{wanted:.3f}. The softmax over all words is missing."
            ),
            minus_the_probability: (
                "You took the probability without its logarithm: {got:.3f} instead of {wanted:.3f}."
            ),
            "-answer_loss(scores, tokens, place)": (
                "The sign is turned round, {got:.3f}: making this smaller would unlearn the "
                "answers. It is minus the log probability, {wanted:.3f}."
            ),
            up_to_the_answer: (
                "You took every token up to the answer: {got:.3f} instead of {wanted:.3f}. That "
                "would also teach the model to foretell the questions."
            ),
            among_the_answers: (
                "Your softmax is over the answers of this batch only: {got:.3f} instead of "
                "{wanted:.3f}. Over all words, the model also learns which words are answers."
            ),
            (
                "F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), "
                "ignore_index=0)"
            ): (
                "You left out the filling, but every word of the question still counts: "
                "{got:.3f} instead of {wanted:.3f}. Take one place of each row."
            ),
            (
                "F.cross_entropy(scores.flatten(0, 1), tokens.flatten())",
                "F.cross_entropy(scores.flatten(0, 1), tokens.flatten(), ignore_index=0)",
            ): (
                "You took every place, and at each the scores of that same place: {got:.3f} "
                "instead of {wanted:.3f}. Only the answer counts, and the scores one place "
                "before it."
            ),
            (
                "F.cross_entropy(scores[:, -1], tokens[torch.arange(len(tokens)), place])",
                "F.cross_entropy(scores[:, -1], tokens[:, -1])",
            ): (
                "You read the scores of the last column: {got:.3f} instead of {wanted:.3f}. In "
                "short rows that is filling, and nowhere the place before the answer. Read at "
                "`place - 1` of each row."
            ),
            "F.cross_entropy(scores[:, -2], tokens[torch.arange(len(tokens)), place])": (
                "You read the scores of the last column but one: {got:.3f} instead of "
                "{wanted:.3f}. That is right for the longest rows only; `place - 1` differs "
                "from row to row."
            ),
            "answer_loss(scores.softmax(-1), tokens, place)": (
                "You gave probabilities to `cross_entropy`, which takes a softmax itself: "
                "{got:.3f} instead of {wanted:.3f}. Give it the scores."
            ),
            "- 1 -> - 2": (
                "You read the scores two places before the answer, {got:.3f} instead of "
                "{wanted:.3f}. The scores one place before it foretell the answer."
            ),
            (
                "place - 1], tokens[rows, place -> place], tokens[rows, place + 1",
                "[rows, place] -> [rows, place + 1]",
            ): (
                "You ask for the token after the answer, at `place + 1`, which is filling or "
                "past the end of the row. The answer stands at `place`, and the scores for it "
                "at `place - 1`."
            ),
        },
    ),
    Exercise(
        "12.forgotten",
        solution=forgotten,
        cases=forgetting_cases,
        others=(forgotten_in_a_loop,),
        read=FORGET,
        mistakes={
            "(before - after).mean()": (
                "The tuned group is in your mean, and it gains: {got:.3f} instead of "
                "{wanted:.3f}. Forgetting is about the others."
            ),
            "(before[group == mine] - after[group == mine]).mean()": (
                "You measured the group that was tuned on: {got:+.3f}. That is learning. On the "
                "others accuracy falls by {wanted:.3f}."
            ),
            "-forgotten(before, after, group, mine)": (
                "The sign is turned round: {got:+.3f}. A fall is a positive number here, before "
                "minus after: {wanted:.3f}."
            ),
            "after[group != mine].mean()": (
                "This is the accuracy that is left, {got:.3f}. Without what it was before, "
                "nobody knows whether anything was lost: {wanted:.3f}."
            ),
            "1 - after[group != mine].mean() / before[group != mine].mean()": (
                "You return the share that was lost, {got:.3f}. Asked for is the fall in "
                "accuracy, {wanted:.3f}."
            ),
            "1 - after[group != mine].mean()": (
                "You return the errors after tuning, {got:.3f}. Some of them were there before: "
                "the fall is {wanted:.3f}."
            ),
            "(before - after)[group != mine].max()": (
                "This is the task that lost most, {got:.3f}. The mean fall is {wanted:.3f}."
            ),
            "(before - after)[group != mine].sum() / len(group)": (
                "You divide by the number of all tasks: {got:.3f} instead of {wanted:.3f}. The "
                "mean goes over the others only."
            ),
            "(before - after)[group != mine].clamp(min=0).mean()": (
                "You count falls and leave out what rose: {got:.3f} instead of {wanted:.3f}. By "
                "luck alone some tasks rise and some fall."
            ),
            (
                "torch.stack([(before[group == g] - after[group == g]).mean() for g in "
                "group.unique() if g != mine]).mean()"
            ): (
                "You took a mean for each group and then the mean of these: {got:.3f} instead "
                "of {wanted:.3f}. Groups differ in size, and here every task counts alike."
            ),
            "forgotten(before, after, group, mine).clamp(min=0)": (
                "You return {got:.3f} where the others gained. Then nothing is forgotten, and "
                "the fall is below 0: {wanted:.3f}."
            ),
            "forgotten(before, after, group, mine).abs()": (
                "You dropped the sign: {got:.3f} looks like a fall where the others gained. "
                "There it is {wanted:.3f}."
            ),
            "(before - after)[group != mine].abs().mean()": (
                "You took the size of each difference, so that a gain counts as a fall: "
                "{got:.3f} instead of {wanted:.3f}. Leave out the `abs`."
            ),
            "((before - after) / before)[group != mine].mean()": (
                "You divide each fall by what the accuracy was before: {got:.3f}. The fall "
                "itself is asked for, {wanted:.3f}."
            ),
            "(before - after)[group != mine].median()": (
                "This is the median of the falls, {got:.3f}. Asked for is their mean, {wanted:.3f}."
            ),
            "(before - after)[torch.arange(len(before)) != mine].mean()": (
                "You left out the one task at place `mine`: {got:.3f} instead of {wanted:.3f}. "
                "`mine` is the number of a *group*: compare it with `group`."
            ),
        },
    ),
    Exercise(
        "12.break_even",
        solution=break_even,
        cases=prices,
        others=(break_even_by_counting,),
        read=PAYS,
        mistakes={
            "None if tuned >= prompted else math.floor(training / prompted) + 1": (
                "You let the tuned model answer for nothing: {got:.0f} instead of {wanted:.0f}. "
                "Each of its queries costs something too."
            ),
            "None if tuned >= prompted else math.floor(training / (prompted - tuned))": (
                "With {got:.0f} queries tuning is not cheaper yet. The next whole number is: "
                "{wanted:.0f}."
            ),
            "None if tuned >= prompted else training / (prompted - tuned)": (
                "{got:.2f} is where the two cost the same. Asked for is the first whole number "
                "of queries at which tuning is cheaper: {wanted:.0f}."
            ),
            always_some_day: (
                "Where a tuned query costs more than a prompted one, no number of queries pays "
                "the training back. Return None."
            ),
            "None if tuned >= prompted else math.floor(training / (prompted + tuned)) + 1": (
                "You add the two prices of a query: {got:.0f} instead of {wanted:.0f}. What a "
                "query saves is their difference."
            ),
            "None if tuned >= prompted else math.ceil(training / (prompted - tuned))": (
                "After {got:.0f} queries the two cost exactly the same, and cheaper begins one "
                "later: {wanted:.0f}. `math.ceil` leaves a whole number as it is; take "
                "`math.floor(...) + 1`."
            ),
            "enough_to_be_equal(training, tuned, prompted) + 1 if tuned < prompted else None": (
                "One query too many: {got:.0f} instead of {wanted:.0f}. `math.ceil` has gone up "
                "already, except at a whole number. `math.floor(...) + 1` is right for both."
            ),
            "None if tuned >= prompted else round(training / (prompted - tuned)) + 1": (
                "`round` goes up where more than half is left, and then 1 is too many: "
                "{got:.0f} instead of {wanted:.0f}. Round down, then add 1."
            ),
            "None if tuned >= prompted else round(training / (prompted - tuned))": (
                "You take the nearest whole number, {got:.0f}, which may be one at which tuning "
                "is not cheaper yet: {wanted:.0f} is the next above."
            ),
            (
                "None if tuned >= prompted else math.floor((training + tuned) / (prompted - "
                "tuned)) + 1"
            ): (
                "You add a tuned query to the training, and its price is in the difference "
                "already: {got:.0f} instead of {wanted:.0f}."
            ),
            (
                "None if tuned >= prompted else math.floor(training / tuned) + 1",
                "None if tuned >= prompted else training / tuned",
                "training / tuned",
                "math.floor(training / tuned) + 1",
            ): (
                "You divide by the price of a tuned query: {got:.2f} instead of {wanted:.0f}. "
                "The training is paid back by what a query *saves*, `prompted - tuned`."
            ),
            (
                "None if tuned > prompted else math.floor(training / (prompted - tuned)) + 1",
                "None if tuned > prompted else math.ceil(training / (prompted - tuned))",
                "None if tuned > prompted else training / (prompted - tuned)",
            ): (
                "At equal prices you divide by 0. A query saves nothing there, so that tuning "
                "never pays: return None for `tuned >= prompted`."
            ),
            (
                "math.floor(training / (prompted - tuned)) + 1",
                "math.ceil(training / (prompted - tuned))",
                "training / (prompted - tuned)",
            ): (
                "Nothing stops you where a query saves nothing: a negative number of queries "
                "comes out, or a division by 0. Return None for `tuned >= prompted` first."
            ),
        },
    ),
)
