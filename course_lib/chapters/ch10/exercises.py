"""Exercises of chapter 10: find a label in a written answer, calibrate, choose a prompt honestly,
and find the nearest demonstrations."""

import re

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises import Exercise, told
from course_lib.learners import answering

NAMESPACE: dict = {}

# 10.match


def match(answer, labels):
    places = []
    for n, label in enumerate(labels):
        found = re.search(rf"\b{re.escape(label.lower())}\b", answer.lower())
        if found:
            places.append((found.start(), n))
    return min(places)[1] if places else None


def match_word_by_word(answer, labels):
    known = {label.lower(): n for n, label in enumerate(labels)}
    for word in re.findall(r"[a-z0-9]+", answer.lower()):
        if word in known:
            return known[word]
    return None


def match_by_library(answer, labels):
    return answering.match(answer, labels)


def equal_only(answer, labels):
    said = answer.strip().lower()
    return next((n for n, label in enumerate(labels) if label.lower() == said), None)


def begins_only(answer, labels):
    said = answer.strip().lower()
    return next((n for n, label in enumerate(labels) if said.startswith(label.lower())), None)


def first_of_the_list(answer, labels):
    words = re.findall(r"[a-z0-9]+", answer.lower())
    return next((n for n, label in enumerate(labels) if label.lower() in words), None)


def inside_words(answer, labels):
    places = [(answer.lower().find(label.lower()), n) for n, label in enumerate(labels)]
    places = [pair for pair in places if pair[0] >= 0]
    return min(places)[1] if places else None


def in_this_case_only(answer, labels):
    places = []
    for n, label in enumerate(labels):
        if found := re.search(rf"\b{re.escape(label)}\b", answer):
            places.append((found.start(), n))
    return min(places)[1] if places else None


def last_one(answer, labels):
    known = {label.lower(): n for n, label in enumerate(labels)}
    words = [w for w in re.findall(r"[a-z0-9]+", answer.lower()) if w in known]
    return known[words[-1]] if words else None


def guessed(answer, labels):
    found = match(answer, labels)
    return 0 if found is None else found


def the_label(answer, labels):
    found = match(answer, labels)
    return None if found is None else labels[found]


def match_cases(generator: torch.Generator) -> list[tuple]:
    """(what a model wrote, the labels)."""
    two, three = ["positive", "negative"], ["food", "phone", "travel"]
    return [
        ("Positive.", two),
        ("The sentiment is negative, not positive.", two),
        ("I like it very much", two),
        ("Positive\n\nReview: awful\nSentiment: negative", two),
        ("It is about travel.\nRequest: my phone is slow", three),
        ("nonpositive things, so: negative", two),
        ("negative", two),
        ("", three),
        (" Seafood? No: PHONE", three),
    ]


# 10.calibrate


def calibrate(p, p_cf):
    q = p / p_cf
    return q / q.sum(-1, keepdim=True)


def calibrate_with_logarithms(p, p_cf):
    return (p.log() - p_cf.log()).softmax(-1)


def multiplied(p, p_cf):
    return _shares(p * p_cf)


def subtracted(p, p_cf):
    return p - p_cf


def favourite_removed(p, p_cf):
    q = p.clone()
    q[:, p_cf.argmax()] = 0
    return _shares(q)


def favourite_divided(p, p_cf):
    q, n = p.clone(), p_cf.argmax()
    q[:, n] = q[:, n] / p_cf[n]
    return _shares(q)


def _shares(q):
    return q / q.sum(-1, keepdim=True)


def divided_by_zero(runs: list) -> bool:
    """Rows with the signs of p - p_cf, or all of these turned round, and enormous: the differences
    divided by their sum, which is 0."""

    def fits(inputs, result):
        if not isinstance(result, torch.Tensor) or result.shape != inputs[0].shape:
            return False
        agree = result.sign() * (inputs[0] - inputs[1]).sign()
        return bool((agree == agree[:, :1]).all()) and bool((result.abs() > 1000).any())

    return all(fits(*run) for run in runs)


def calibration_cases(generator: torch.Generator) -> list[tuple]:
    """(probabilities of the labels for each query (Q, N), the same for a query without content
    (N,))."""
    sizes = ((4, 2), (6, 3), (3, 5))
    return [
        tuple(
            (1.5 * torch.randn(*shape, generator=generator)).softmax(-1)
            for shape in ((queries, n), (n,))
        )
        for queries, n in sizes
    ]


# 10.honest


def honest(right, labelled):
    """The fresh queries stand behind the labelled ones."""
    best = right[:, :labelled].mean(1).argmax()
    return right[best, labelled:].mean()


def honest_in_a_loop(right, labelled):
    counts = [sum(row[:labelled].tolist()) for row in right]
    best = max(range(len(counts)), key=lambda i: counts[i])
    fresh = right[best][labelled:].tolist()
    return sum(fresh) / len(fresh)


def honest_cases(generator: torch.Generator) -> list[tuple]:
    """(right answers (P, Q) of 0 and 1, how many are labelled). One prompt is the best on the
    labelled queries, another on the fresh ones, and no figure is met twice."""
    found = []
    for prompts, queries, labelled in ((4, 20, 8), (6, 40, 8), (5, 50, 30)):
        while True:
            right = (torch.rand(prompts, queries, generator=generator) < 0.6).float()
            seen, fresh = right[:, :labelled].mean(1), right[:, labelled:].mean(1)
            tops = [part.topk(2) for part in (seen, fresh, right.mean(1))]
            firsts = [int(top.indices[0]) for top in tops]
            apart = all(top.values[0] > top.values[1] for top in tops)
            if apart and len(set(firsts)) == 3 and int(seen.argmin()) not in firsts:
                break
        found.append((right, labelled))
    return found


# 10.nearest


def nearest(query, examples, k):
    cosines = F.normalize(examples, dim=-1) @ F.normalize(query, dim=-1)
    return cosines.argsort(descending=True)[:k].flip(0)


def nearest_from_behind(query, examples, k):
    cosines = torch.cosine_similarity(examples, query[None], dim=-1)
    return cosines.argsort()[-k:]


def nearest_cases(generator: torch.Generator) -> list[tuple]:
    """(query (d,), examples (S, d), how many). Lengths differ, so that products and distances
    choose others than cosines do."""
    found = []
    for S, d, k in ((12, 4, 3), (20, 6, 4), (9, 3, 2)):
        examples = torch.randn(S, d, generator=generator)
        sizes = 0.3 + 3 * torch.rand(S, 1, generator=generator)
        found.append((torch.randn(d, generator=generator), examples * sizes, k))
    return found


def a_list_of(result) -> bool:
    return isinstance(result, torch.Tensor) and result.dim() == 1


EXERCISES = (
    Exercise(
        "10.match",
        solution=match,
        cases=match_cases,
        others=(match_word_by_word, match_by_library),
        read="When a model gives no probabilities",
        mistakes={
            equal_only: lambda n: (
                f"You ask whether the answer *is* a label. A model writes `{n.inputs[0]}`: look "
                "for the label inside it."
            ),
            begins_only: lambda n: (
                f"You look at the beginning only. In `{n.inputs[0]}` the label stands later. "
                "Search the whole answer, and take the label that stands first."
            ),
            (
                inside_words,
                "min(((answer.lower().find(l.lower()), n) for n, l in enumerate(labels) if "
                "l.lower() in answer.lower()), default=(0, None))[1]",
            ): (
                "You find labels inside longer words: `nonpositive` is not an answer of "
                "`positive`. Ask for whole words: `\\b` on both sides of the pattern."
            ),
            in_this_case_only: (
                "`Positive.` and `PHONE` are answers too: lower both, or search with "
                "`re.IGNORECASE`."
            ),
            (
                first_of_the_list,
                "next((n for n, l in enumerate(labels) if re.search(rf'\\b{l.lower()}\\b', "
                "answer.lower())), None)",
            ): (
                "You return the label that stands first in `labels`. It should be the one that "
                "stands first in the *answer*: `negative, not positive` means negative."
            ),
            last_one: (
                "You take the last label of the answer. A model goes on after it has answered, and "
                "often writes the next example itself. The first label is its answer."
            ),
            (guessed, "match(answer, labels) or 0"): (
                "Where no label stands you return class 0. Then a model that answers nothing is "
                "right whenever class 0 is. Return `None`, so that such answers can be counted."
            ),
            the_label: "You return the label's word. Its *number* is asked for: use `enumerate`.",
            "-1 if match(answer, labels) is None else match(answer, labels)": (
                "Where no label stands you return -1. As a place in a list that is the last one, "
                "so somebody will read it as a class. Return `None`."
            ),
        },
    ),
    Exercise(
        "10.calibrate",
        solution=calibrate,
        cases=calibration_cases,
        others=(calibrate_with_logarithms,),
        read="A query without content",
        mistakes={
            "_shares(p * p_cf)": (
                "You multiplied by p_cf. What the model favours anyway is favoured twice then "
                "({got:.2f} instead of {wanted:.2f}). Divide, to take the favour back."
            ),
            "p - p_cf": (
                "You subtracted p_cf ({got:.2f}). Such rows add up to 0 and are no "
                "probabilities. Compare by a ratio: how many times as likely is the label as "
                "without content ({wanted:.2f})?"
            ),
            "_shares((p - p_cf).clamp(min=1e-6))": (
                "You subtracted and cut off what fell below 0. A label that is less likely than "
                "without content may still win a share: {wanted:.2f}, not {got:.2f}. Divide."
            ),
            ("p / p_cf", "p / len(p_cf) / p_cf"): (
                "Those are the ratios, and the order of the labels is right. They do not add up "
                "to 1: divide each row by its sum ({wanted:.2f}, not {got:.2f})."
            ),
            (
                "(p.log() / p_cf.log()).softmax(-1)",
                "_shares(p.log() / p_cf.log())",
                "p.log() / p_cf.log()",
            ): (
                "You divided logarithms ({got:.2f}). The ratio is one of probabilities; for "
                "logarithms that is a *difference* ({wanted:.2f})."
            ),
            "(p / p_cf).softmax(-1)": (
                "You took a softmax of the ratios. The winner stays the same, but the shares do "
                "not: {got:.2f} instead of {wanted:.2f}. Ratios are no logits; divide by their "
                "sum."
            ),
            favourite_removed: (
                "You struck out the label that p_cf likes best, so it can never win. A bias is "
                "weighed against, not forbidden: {wanted:.2f}, not {got:.2f}."
            ),
            favourite_divided: (
                "You corrected the favourite label only. Every label has its own entry in p_cf: "
                "divide each by its own ({wanted:.2f}, not {got:.2f})."
            ),
            "_shares(p)": (
                "Your result is p as it was ({got:.2f}, not {wanted:.2f}). Rows that are only "
                "renormalised, or divided by one number for all labels, keep their shares. "
                "Divide each label by its *own* entry of p_cf."
            ),
            "(p - p_cf).softmax(-1)": (
                "You took a softmax of the differences p − p_cf ({got:.2f} instead of "
                "{wanted:.2f}). A softmax wants differences of *logarithms*. Or take the "
                "ratios, and divide by their sum."
            ),
            "_shares(p.log() - p_cf.log())": (
                "You divided logarithms by their sum: {got:.2f} instead of {wanted:.2f}. The "
                "logarithm of a ratio may be below 0, and is no share. Go back to the ratios "
                "with `.exp()` first."
            ),
            "p.log() - p_cf.log()": (
                "Those are the logarithms of the ratios ({got:.2f}). They are right, and no "
                "probabilities yet: a softmax along each row makes them so ({wanted:.2f})."
            ),
            "(p.log() - p_cf.log()).log_softmax(-1)": (
                "Those are the logarithms of the right probabilities: {got:.2f} for "
                "{wanted:.2f}. Probabilities are asked for: `softmax` in place of `log_softmax`."
            ),
            "torch.nn.functional.normalize(p / p_cf, dim=-1)": (
                "Your rows have *length* 1: their squares sum to 1 ({got:.2f}). Probabilities "
                "themselves sum to 1: divide each row by its sum ({wanted:.2f})."
            ),
            "_shares(p - p_cf)": told(
                "You subtracted p_cf and divided by the sum. p and p_cf both sum to 1, so the "
                "differences sum to 0: that gave {got:.3g}. Take ratios in place of differences "
                "({wanted:.2f}).",
                seen=divided_by_zero,
            ),
            "1, keepdim=True -> 1": lambda n: (
                f"There are {len(n.inputs[0])} sums, one for each query, and torch lays them "
                f"along the {n.inputs[0].shape[1]} labels of a row. "
                f"Make them a column of shape ({len(n.inputs[0])}, 1): `.sum(-1, keepdim=True)`."
            ),
            "_shares(p / p_cf[:, None])": lambda n: (
                f"You made p_cf a column of {len(n.inputs[1])}, as if there were one for each of "
                f"the {len(n.inputs[0])} queries. It has one entry "
                "for each *label*: `p / p_cf` divides every row by it."
            ),
            "-1, keepdim=True -> 0": (
                "Your columns sum to 1, and the rows should. It is the labels of *one* query "
                "that share the probability: sum along axis 1 ({wanted:.2f}, not {got:.2f})."
            ),
            "(-1, keepdim=True) -> ()": (
                "You divided by the sum over all queries at once ({got:.2f}). Each query has "
                "its own row that sums to 1 ({wanted:.2f})."
            ),
            "_shares(p / p.mean(0))": (
                "You divided by the mean over your queries and did not use p_cf. The queries "
                "then change each other's answers; a query without content is measured once, "
                "before any of them ({wanted:.2f}, not {got:.2f})."
            ),
            "_shares(p_cf / p)": (
                "The ratio is upside down: you divided p_cf by p, and the least likely label "
                "wins ({got:.2f} instead of {wanted:.2f})."
            ),
            "(p / p_cf).argmax(-1)": (
                "Those are the chosen labels. The probabilities after calibration are asked "
                "for: one row for each query."
            ),
        },
    ),
    Exercise(
        "10.honest",
        solution=honest,
        cases=honest_cases,
        others=(honest_in_a_loop,),
        read="Choosing a prompt, and what it costs",
        mistakes={
            (
                "right[:, :labelled].mean(1).max()",
                "right[right[:, :labelled].mean(1).argmax(), :labelled].mean()",
            ): (
                "You report the score on the queries that chose the prompt: {got:.2f}. The largest "
                "of several noisy numbers is too large. The chosen prompt has {wanted:.2f} on "
                "fresh queries."
            ),
            "right[:, labelled:].mean(1).max()": (
                "You chose on the fresh queries themselves ({got:.2f}). Their labels are for the "
                "report only; the choice knows `right[:, :labelled]`."
            ),
            (
                "right[right.mean(1).argmax(), labelled:].mean()",
                "right[right.mean(1).argmax()][labelled:].mean()",
            ): (
                "You chose on all queries, the fresh ones included ({got:.2f}, not {wanted:.2f}). "
                "That is the leak: whoever looks at all labels to choose a prompt is no longer "
                "few-shot."
            ),
            "right.mean(1).max()": (
                "You chose on all queries and scored on all of them ({got:.2f}). Choose on the "
                "first `labelled` columns and score on the rest ({wanted:.2f})."
            ),
            "right[right[:, :labelled].mean(1).argmax()].mean()": (
                "The choice is right. Its score is taken over all queries ({got:.2f}), and those "
                "that chose it flatter it. Leave them out: `labelled:`."
            ),
            "right[right[:, :labelled].mean(1).argmin(), labelled:].mean()": (
                "You chose the worst prompt: `argmax`, not `argmin`."
            ),
            "right[:, labelled:].mean()": (
                "That is the mean of all prompts on fresh queries: what you get without choosing. "
                "Choose a row first."
            ),
            "right[right[:, labelled:].mean(1).argmax(), :labelled].mean()": (
                "The two halves have changed places: you chose on the fresh queries and scored on "
                "the labelled ones."
            ),
            "right[:, :labelled].mean(1).argmax()": (
                "That is the number of the chosen prompt. Its share on the fresh queries is asked "
                "for ({wanted:.2f})."
            ),
        },
    ),
    Exercise(
        "10.nearest",
        solution=nearest,
        cases=nearest_cases,
        others=(nearest_from_behind,),
        read="Relevance: let the query choose its examples",
        mistakes={
            (
                "(examples @ query).argsort(descending=True)[:k].flip(0)",
                "(examples @ query).topk(k).indices.flip(0)",
            ): (
                "You compare by the product, and long vectors win whatever they say. Divide by the "
                "lengths: that is the cosine."
            ),
            (
                "(examples - query).norm(dim=-1).argsort()[:k].flip(0)",
                "torch.cdist(query[None], examples)[0].argsort()[:k].flip(0)",
            ): (
                "You compare by distance. It mixes the direction of a vector with its length. The "
                "cosine is asked for."
            ),
            (
                ".flip(0) -> ",
                "torch.cosine_similarity(examples, query[None], dim=-1).topk(k).indices",
            ): (
                "Those are the right examples, the most similar first. The last example of a "
                "prompt stands next to the query, and it should be the most similar one: turn "
                "them round."
            ),
            "descending=True -> ": (
                "You return the examples that are *least* like the query: `argsort` begins with "
                "the smallest."
            ),
            "F.normalize(examples, dim=-1) -> F.normalize(examples, dim=0)": (
                "You made the *columns* of the examples of length one. Each example is a row: "
                "`dim=-1`."
            ),
            "[:k].flip(0) -> .flip(0)": told(
                "You return all examples in order. Only the `k` nearest are shown: a prompt has "
                "room for few.",
            ),
        },
    ),
)
