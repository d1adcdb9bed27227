"""Exercise 10.label_score: the log probability of a label of several tokens."""

import math
import re

import torch

from course_lib.chapters.ch10.exercises_common import ANSWERS
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake, Numbers


def label_score(log_p, tokens, start):
    """Row i of log_p tells about token i + 1."""
    rows = torch.arange(start - 1, len(tokens) - 1)
    return log_p[rows, tokens[start:]].sum()


def label_score_in_a_loop(log_p, tokens, start):
    score = 0.0
    for i in range(start, len(tokens)):
        score += log_p[i - 1, tokens[i]].item()
    return score


def own_place(log_p, tokens, start):
    return log_p[torch.arange(start, len(tokens)), tokens[start:]].sum()


def mean_of_tokens(log_p, tokens, start):
    return _terms(log_p, tokens, start).mean()


def first_token(log_p, tokens, start):
    return _terms(log_p, tokens, start)[0]


def last_token(log_p, tokens, start):
    return _terms(log_p, tokens, start)[-1]


def first_left_out(log_p, tokens, start):
    return _terms(log_p, tokens, start)[1:].sum()


def probabilities_added(log_p, tokens, start):
    return _terms(log_p, tokens, start).exp().sum()


def log_of_added(log_p, tokens, start):
    return _terms(log_p, tokens, start).exp().sum().log()


def probability_itself(log_p, tokens, start):
    return _terms(log_p, tokens, start).exp().prod()


def logarithms_multiplied(log_p, tokens, start):
    return _terms(log_p, tokens, start).prod()


def prompt_as_well(log_p, tokens, start):
    return _terms(log_p, tokens, 1).sum()


def one_row_for_all(log_p, tokens, start):
    return log_p[start - 1, tokens[start:]].sum()


def likeliest_tokens(log_p, tokens, start):
    return log_p[start - 1 : -1].max(1).values.sum()


def minus_score(log_p, tokens, start):
    return -label_score(log_p, tokens, start)


def one_per_token(log_p, tokens, start):
    return _terms(log_p, tokens, start)


def every_pair(log_p, tokens, start):
    return log_p[start - 1 : -1][:, tokens[start:]].sum()


def every_pair_to_the_end(log_p, tokens, start):
    return log_p[start - 1 :, tokens[start:]].sum()


def every_pair_at_its_place(log_p, tokens, start):
    return log_p[start:, tokens[start:]].sum()


def pairs_not_added(log_p, tokens, start):
    return log_p[start - 1 : -1, tokens[start:]]


def pairs_to_the_end_not_added(log_p, tokens, start):
    return log_p[start - 1 :, tokens[start:]]


def pairs_at_their_place_not_added(log_p, tokens, start):
    return log_p[start:, tokens[start:]]


def last_left_out(log_p, tokens, start):
    return sum(log_p[i - 1, tokens[i]] for i in range(start, len(tokens) - 1))


def token_before(log_p, tokens, start):
    return log_p[torch.arange(start, len(tokens)), tokens[start - 1 : -1]].sum()


def two_rows_early(log_p, tokens, start):
    return log_p[torch.arange(start - 2, len(tokens) - 2), tokens[start:]].sum()


def own_place_from_the_prompt(log_p, tokens, start):
    return log_p[torch.arange(start - 1, len(tokens)), tokens[start - 1 :]].sum()


def last_row_for_all(log_p, tokens, start):
    return log_p[-1, tokens[start:]].sum()


def whole_rows(log_p, tokens, start):
    return log_p[start - 1 : -1].sum()


def rows_by_token(log_p, tokens, start):
    return log_p[tokens[start:]].sum()


def logarithm_of_logarithm(log_p, tokens, start):
    return sum(math.log(term) for term in _terms(log_p, tokens, start))


def past_the_end(log_p, tokens, start):
    return sum(log_p[i, tokens[i + 1]] for i in range(start - 1, len(tokens)))


def a_row_too_many(log_p, tokens, start):
    return log_p[torch.arange(start - 1, len(tokens)), tokens[start:]].sum()


def _terms(log_p, tokens, start):
    return log_p[torch.arange(start - 1, len(tokens) - 1), tokens[start:]]


def no_number(runs: list) -> bool:
    """math.log stops at a number below 0, and a tensor's log gives NaN."""
    return all(
        isinstance(result, ValueError)
        and ("domain" in str(result) or "positive" in str(result))
        or isinstance(result, (float, torch.Tensor))
        and bool(torch.as_tensor(result).isnan().any())
        for _, result in runs
    )


def unequal_lists(runs: list) -> bool:
    return any(
        isinstance(result, IndexError) and "could not be broadcast" in str(result)
        for _, result in runs
    )


def how_unequal(n: Numbers) -> str:
    sizes = re.findall(r"\[(\d+)\]", str(getattr(n.result, "error", "")))
    told = (
        f"{sizes[0]} rows and {sizes[1]} tokens"
        if len(sizes) == 2
        else "unequal numbers of rows and tokens"
    )
    return (
        f"You ask for {told}. Each token of the label needs one row, the one before it. For `tokens[start:]` the rows go from "
        "`start - 1` to `len(tokens) - 2`."
    )


def label_cases(generator: torch.Generator) -> list[tuple]:
    """(log probabilities (L, V), tokens (L,), where the label begins): labels of 2, 3 and 1 tokens."""
    made = []
    for length, words, start in ((6, 5, 4), (8, 7, 5), (5, 6, 4)):
        log_p = (2 * torch.randn(length, words, generator=generator)).log_softmax(1)
        made.append((log_p, torch.randint(words, (length,), generator=generator), start))
    return made


EXERCISE = Exercise(
    id="10.label_score",
    title="a label of several tokens",
    minutes=8,
    difficulty=2,
    cases=label_cases,
    solution=label_score,
    others=(label_score_in_a_loop,),
    mistakes=(
        Mistake(
            "own_place",
            own_place,
            "You read each token at its own place ({got:.2f} instead of {wanted:.2f}). Row i has read token i already and tells "
            "about the *next* one. Token i is predicted in row i − 1.",
            ANSWERS,
        ),
        Mistake(
            "mean_of_tokens",
            mean_of_tokens,
            "You took the mean over the tokens: {got:.2f}. The probability of the whole label is a product, so "
            "its logarithm is the sum, {wanted:.2f}. The mean is another score, which long labels suffer from less.",
            ANSWERS,
        ),
        Mistake(
            "first_token",
            first_token,
            "You scored the first token only: {got:.2f}. Two labels that begin alike would be equal. Every token of the label counts: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "last_token",
            last_token,
            "This is the last token alone ({got:.2f}), given that the others are there. Those others have their price too: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "first_left_out",
            first_left_out,
            "The first token of the label is missing: {got:.2f} instead of {wanted:.2f}. It is predicted at the last place of the prompt, row `start - 1`.",
            ANSWERS,
        ),
        Mistake(
            "probabilities_added",
            probabilities_added,
            "You added probabilities: {got:.2f}. Tokens that must *all* come are multiplied, which means adding the logarithms: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "log_of_added",
            log_of_added,
            "Yours is the logarithm of a sum of probabilities, {got:.2f}. That would be one token *or* the other at one "
            "place. Here all must come in turn: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "probability_itself",
            probability_itself,
            "This is the right probability, {got:.4f}. Its logarithm is asked for, {wanted:.2f}: for long labels the product is too small for a float.",
            ANSWERS,
        ),
        Mistake(
            "logarithms_multiplied",
            logarithms_multiplied,
            "You multiplied the logarithms ({got:.2f}). Probabilities are multiplied; their logarithms are added ({wanted:.2f}).",
            ANSWERS,
        ),
        Mistake(
            "prompt_as_well",
            prompt_as_well,
            "You scored the prompt too: {got:.2f}. It is given, not predicted. Begin with the token at `start`: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "one_row_for_all",
            one_row_for_all,
            "You read all tokens in one row, as if each of them came right after the prompt ({got:.2f}). The "
            "second is predicted after the first has been read: one row further ({wanted:.2f}).",
            ANSWERS,
        ),
        Mistake(
            "likeliest_tokens",
            likeliest_tokens,
            "This is the score of the tokens that the model would have chosen, {got:.2f}. Look up the tokens of the label, likely or not: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "minus_score",
            minus_score,
            "The sign is turned: {got:.2f} is a loss. The logarithm of a probability is never above 0: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "one_per_token",
            one_per_token,
            "Those are the right logarithms, one for each token of the label. Add them up: one number is the score.",
            ANSWERS,
        ),
        Mistake(
            "every_pair",
            every_pair,
            lambda n: (
                "A slice of rows together with `tokens[start:]` takes every token of the label in every row"
                + (". " if math.isnan(n.got) else f" ({n.got:.2f} instead of {n.wanted:.2f}). ")
                + "One row belongs to each token: give a list of rows, as in `torch.arange(...)`, and a list of tokens."
            ),
            ANSWERS,
            seen=any_of(
                every_pair,
                every_pair_to_the_end,
                every_pair_at_its_place,
                pairs_not_added,
                pairs_to_the_end_not_added,
                pairs_at_their_place_not_added,
            ),
        ),
        Mistake(
            "last_left_out",
            last_left_out,
            "The last token of the label is missing: {got:.2f} instead of {wanted:.2f}. `range` leaves out its end by itself. Count tokens up to "
            "`len(tokens)`, or rows up to `len(tokens) - 1`.",
            ANSWERS,
        ),
        Mistake(
            "token_before",
            token_before,
            "You shifted the wrong way: in row i you look up token i − 1, which that row has read already ({got:.2f}). Row i tells about "
            "token i + 1: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "two_rows_early",
            two_rows_early,
            "Your rows begin one too early, at `start - 2`: {got:.2f} instead of {wanted:.2f}. That row has not read the whole prompt yet. It "
            "predicts the prompt's last token.",
            ANSWERS,
        ),
        Mistake(
            "own_place_from_the_prompt",
            own_place_from_the_prompt,
            "You moved rows and tokens together, so each token is still read at its own place ({got:.2f}). And the last token of the "
            "prompt counts as well. Move the rows alone: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "last_row_for_all",
            last_row_for_all,
            "You read all tokens in the last row ({got:.2f}). It has read the whole label, and tells what comes *after* it. "
            "Each token is predicted in the row before it: {wanted:.2f}.",
            ANSWERS,
        ),
        Mistake(
            "whole_rows",
            whole_rows,
            "You summed whole rows of log_p: {got:.2f}. A row has one entry for every token of the vocabulary. Only that of the token "
            "which really follows counts ({wanted:.2f}): `log_p[row, token]`.",
            ANSWERS,
            seen=any_of(whole_rows, rows_by_token),
        ),
        Mistake(
            "logarithm_of_logarithm",
            logarithm_of_logarithm,
            lambda n: (
                f"`log_p` holds logarithms already, such as {float(_terms(*n.inputs)[0]):.2f}. You take the logarithm once more, and a "
                "number below 0 has none. Add up the entries as they are."
            ),
            ANSWERS,
            seen=no_number,
        ),
        Mistake(
            "past_the_end",
            past_the_end,
            lambda n: (
                f"Your loop asks for token {len(n.inputs[1])} of {len(n.inputs[1])}, and they count from 0. The last row tells what comes "
                f"after the text, and no token of the label is there. Stop at row {len(n.inputs[1]) - 2}."
            ),
            ANSWERS,
        ),
        Mistake("a_row_too_many", a_row_too_many, how_unequal, ANSWERS, seen=unequal_lists),
    ),
    hints=(
        "`log_p[i]` has read the tokens up to and including i. Which token does it predict?",
        "The rows are `start - 1` to `len(tokens) - 2`, one for each of `tokens[start:]`.",
    ),
)
