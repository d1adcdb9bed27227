"""Exercises of chapter 10: write a prompt, score a label of several tokens, a ceiling, calibration,
and a gradient step without weights."""

import math
import re
from collections.abc import Callable

import torch

from course_lib.classroom.exercises import Exercise, Numbers, told

NAMESPACE: dict = {}

# 10.write_prompt


def write_prompt(words, y, names):
    """The last word is the query; those before it are the examples."""
    prompt = ""
    for word, n in zip(words[:-1], y[:-1], strict=False):
        prompt += f"{word} : {names[n]}\n"
    return prompt + f"{words[-1]} :"


def write_prompt_by_joining(words, y, names):
    lines = [f"{word} : {names[n]}" for word, n in zip(words, y, strict=False)]
    return "\n".join([*lines[:-1], f"{words[-1]} :"])


def answer_told(words, y, names):
    return "\n".join(f"{word} : {names[n]}" for word, n in zip(words, y, strict=False))


def answer_told_with_newline(words, y, names):
    return answer_told(words, y, names) + "\n"


def _examples(words, y, names):
    return "".join(f"{word} : {names[n]}\n" for word, n in zip(words[:-1], y[:-1], strict=False))


def all_are_texts(runs: list) -> bool:
    return all(isinstance(result, str) for _, result in runs)


def first_other_line(n: Numbers) -> str:
    """Where the reader's prompt leaves the right one, as two lines to compare."""
    if not isinstance(n.result, str):
        return "Your function does not return a text in every case"
    mine, right = n.result.splitlines(keepends=True), n.right.splitlines(keepends=True)
    place = next(
        (i for i, pair in enumerate(zip(mine, right, strict=False)) if pair[0] != pair[1]),
        min(len(mine), len(right)),
    )
    have, want = (
        repr(lines[place]) if place < len(lines) else "nothing" for lines in (mine, right)
    )
    return (
        f"Line {place + 1} of your prompt differs from the form that the model knows. It is "
        f"`{have}`, and `{want}` is wanted."
    )


def lists_left_alone(function: Callable) -> str | None:
    """None, or a sentence if the function changes the lists that it is given."""
    given = ["dog", "saw", "cow"], [0, 1, 0], ["blip", "zug"]
    before = [list(part) for part in given]
    function(*given)
    for name, was, now in zip(("words", "y", "names"), before, given, strict=False):
        if was != now:
            return (
                f"The prompt is right, but your function changes the list `{name}`: `{was}` "
                f"before, `{now}` after. The list belongs to whoever calls, and a second call "
                "with it may give another prompt. `words[-1]` and `words[:-1]` only read; "
                "`.pop()` and `del` take out."
            )
    return None


def prompt_cases(generator: torch.Generator) -> list[tuple]:
    """(words, their classes, names of the classes): the last word is the query. In the last case it
    stands alone."""
    return [
        (["dog", "saw", "cow"], [0, 1, 0], ["blip", "zug"]),
        (["rain", "oak", "elm", "hail", "pine"], [1, 0, 0, 1, 0], ["tove", "pax"]),
        (["tea", "ant", "rose", "wasp"], [2, 0, 1, 0], ["gorp", "nox", "rill"]),
        (["flute"], [1], ["dorn", "kolp"]),
    ]


# 10.label_score


def label_score(log_p, tokens, start):
    """Row i of log_p tells about token i + 1."""
    rows = torch.arange(start - 1, len(tokens) - 1)
    return log_p[rows, tokens[start:]].sum()


def label_score_in_a_loop(log_p, tokens, start):
    score = 0.0
    for i in range(start, len(tokens)):
        score += log_p[i - 1, tokens[i]].item()
    return score


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
        f"You ask for {told}. Each token of the label needs one row, the one before it. For "
        "`tokens[start:]` the rows go from `start - 1` to `len(tokens) - 2`."
    )


def label_cases(generator: torch.Generator) -> list[tuple]:
    """(log probabilities (L, V), tokens (L,), where the label begins): labels of 2, 3 and 1
    tokens."""
    made = []
    for length, words, start in ((6, 5, 4), (8, 7, 5), (5, 6, 4)):
        log_p = (2 * torch.randn(length, words, generator=generator)).log_softmax(1)
        made.append((log_p, torch.randint(words, (length,), generator=generator), start))
    return made


# 10.ceiling


def ceiling(k, ways):
    return 1 - (1 - 1 / ways) ** k


def ceiling_example_by_example(k, ways):
    shown = 0.0
    for _ in range(k):
        shown += (1 - shown) / ways
    return shown


def caret_met(runs: list) -> bool:
    return all(isinstance(result, TypeError) and "for ^" in str(result) for _, result in runs)


def ceiling_cases(generator: torch.Generator) -> list[tuple]:
    """(examples, labels)."""
    return [(2, 4), (4, 4), (8, 4), (3, 2), (16, 5), (1, 3), (0, 4)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


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


# 10.one_step


EXERCISES = (
    Exercise(
        "10.write_prompt",
        solution=write_prompt,
        cases=prompt_cases,
        others=(write_prompt_by_joining,),
        properties=(("lists_left_alone", lists_left_alone),),
        read="A prompt is a support set",
        mistakes={
            '"\\n".join(f"{word} : {names[n]}" for word, n in zip(words, y))': (
                "Your prompt tells the answer: the query's own label stands in its last line. "
                "`y[-1]` is what the model has to find. End with the query and ` :`."
            ),
            'answer_told(words, y, names) + "\\n"': (
                "Your loop treats the query as one more example, its label included. The last "
                "word gets no label and no end of line."
            ),
            'answer_told_with_newline(words, y, names) + f"{words[-1]} :"': (
                "The query is asked at the end, and it is already answered one line above. A "
                "query is not part of its own support set: loop over `words[:-1]`."
            ),
            "_examples(words, y, names) + words[-1]": told(
                "Your prompt ends with the query and without ` :`. In every example the label "
                "follows a `:`. Without it the most likely next token is the `:` itself.",
                read="The model answers",
            ),
            'f"{words[-1]} :\\n" + _examples(words, y, names).removesuffix("\\n")': told(
                "You ask first and show the examples after it. The model reads from left to "
                "right: what comes after the query cannot change the answer there. And the next "
                "token is no longer the label.",
                read="The model answers",
            ),
            '"".join(f"{word} : {n}\\n" for word, n in zip(words[:-1], y[:-1])) + f"{words[-1]} :"': (  # noqa: E501
                "You wrote class numbers. Nobody told the model that class 0 has a name; the "
                "label word is `names[n]`, and it is the token to be predicted."
            ),
            'write_prompt(words, y, names) + "\\n"': told(
                "Your prompt goes on after the query: it ends with `\\n`. The model would then "
                "begin a new line, with a new word. Its answer is read at the last `:`.",
                read="The model answers",
            ),
            'write_prompt(words, y, names) + " "': told(
                "There is a space after the last `:`. This course's small model does not see "
                "spaces. Many large ones do: there the space belongs to the next token, and "
                "such a prompt ends in mid-word.",
                read="The model answers",
            ),
            'write_prompt(words, y, names).replace("\\n", " ")': (
                "All examples stand on one line. A label ends with `\\n`; without it a label "
                "and the next word look like one answer."
            ),
            'write_prompt(words, y, names).replace("\\n", "")': (
                "The `\\n` after each label is missing, so a label and the next word melt into "
                "one word that the model has never seen."
            ),
            (
                '"".join(f"{names[n]} : {word}\\n" for word, n in zip(words[:-1], y[:-1])) + '
                'f"{words[-1]} :"'
            ): (
                "Your examples are the wrong way round: the label comes before its word. The "
                "query shows the word first, so the model would have to continue with a word "
                "after a word."
            ),
            'write_prompt(words, y, names).replace(" ", "")': (
                "The spaces around `:` are missing. `dog:blip` is one unknown word to this "
                "model, not three tokens."
            ),
            'write_prompt(words, y, names).replace(" :", ":")': (
                "Your `:` is glued to the word before it. `dog:` is not a token of this model; "
                "`dog` and `:` are two."
            ),
            "_examples(words, y, names)": (
                "Those are the examples, and nobody is asked. Add the query, the last of "
                "`words`, and ` :`."
            ),
            (
                (
                    '"".join(f"{word} : {names[i % len(names)]}\\n" for i, word in '
                    'enumerate(words[:-1])) + f"{words[-1]} :"'
                ),
                (
                    '"".join(f"{word} : {names[i]}\\n" for i, word in enumerate(words[:-1])) + '
                    'f"{words[-1]} :"'
                ),
            ): (
                "You dealt out the names in turn. There are as many names as classes, and any "
                "number of examples. An example's label is the name of *its* class: "
                "`names[y[i]]`, not `names[i]`."
            ),
            'write_prompt(words, y, names).replace("\\n", "\\\\n")': (
                "Your prompt contains a backslash and an n, two characters. The end of a line "
                'is written `"\\n"` in a plain text, with one backslash.'
            ),
            '"".join(_examples(words, y, names).splitlines(keepends=True)[-1:]) + f"{words[-1]} :"': lambda n: (  # noqa: E501
                f"Only the last of your {len(n.inputs[0]) - 1} examples is left. `prompt = ...` "
                "in the loop throws away what was there before; `prompt += ...` adds to it."
            ),
            'f"{words[-1]} :"': lambda n: (
                f"Your prompt is `{n.result}` and shows none of the {len(n.inputs[0]) - 1} "
                "examples. That is zero-shot. Write their lines first."
            ),
            (
                '"".join(f"{word} : {name}\\n" for word, name in zip(words[:-1], names)) + '
                'f"{words[-1]} :"'
            ): lambda n: (
                "You paired the words with `names`, and `y` is not used. `zip` stops at the "
                f"shorter list: of {len(n.inputs[0]) - 1} examples {n.result.count(chr(10))} are "
                "left. Pair the words with `y`, and look up `names[n]`."
            ),
            (
                '"".join(f"{word} : {names[n - 1]}\\n" for word, n in zip(words[:-1], y[:-1])) '
                '+ f"{words[-1]} :"'
            ): lambda n: (
                f"You look up `names[n - 1]`. Classes count from 0 here: class {n.inputs[1][0]} "
                f"is `{n.inputs[2][n.inputs[1][0]]}`, "
                f"and your first line says `{n.inputs[2][n.inputs[1][0] - 1]}`. It is `names[n]`."
            ),
            (
                '"".join(f"{word} : {names[n]}\\n" for word, n in zip(words[:-1], y[1:])) + '
                'f"{words[-1]} :"'
            ): lambda n: (
                f"Each word has the label of the word after it: `{n.inputs[0][0]}` has class "
                f"{n.inputs[1][0]}, and yours says {n.inputs[1][1]}. "
                "The last example even gets the query's own label. Leave out the end of both "
                "lists: `words[:-1]` and `y[:-1]`."
            ),
            'write_prompt(words, y, names).replace(":", "=")': told(
                first_other_line, seen=all_are_texts
            ),
        },
    ),
    Exercise(
        "10.label_score",
        solution=label_score,
        cases=label_cases,
        others=(label_score_in_a_loop,),
        read="The model answers",
        mistakes={
            "log_p[torch.arange(start, len(tokens)), tokens[start:]].sum()": (
                "You read each token at its own place ({got:.2f} instead of {wanted:.2f}). Row "
                "i has read token i already and tells about the *next* one. Token i is "
                "predicted in row i − 1."
            ),
            "_terms(log_p, tokens, start).mean()": (
                "You took the mean over the tokens: {got:.2f}. The probability of the whole "
                "label is a product, so its logarithm is the sum, {wanted:.2f}. The mean is "
                "another score, which long labels suffer from less."
            ),
            "_terms(log_p, tokens, start)[0]": (
                "You scored the first token only: {got:.2f}. Two labels that begin alike would "
                "be equal. Every token of the label counts: {wanted:.2f}."
            ),
            "_terms(log_p, tokens, start)[-1]": (
                "This is the last token alone ({got:.2f}), given that the others are there. "
                "Those others have their price too: {wanted:.2f}."
            ),
            "_terms(log_p, tokens, start)[1:].sum()": (
                "The first token of the label is missing: {got:.2f} instead of {wanted:.2f}. It "
                "is predicted at the last place of the prompt, row `start - 1`."
            ),
            "_terms(log_p, tokens, start).exp().sum()": (
                "You added probabilities: {got:.2f}. Tokens that must *all* come are "
                "multiplied, which means adding the logarithms: {wanted:.2f}."
            ),
            "_terms(log_p, tokens, start).exp().sum().log()": (
                "Yours is the logarithm of a sum of probabilities, {got:.2f}. That would be one "
                "token *or* the other at one place. Here all must come in turn: {wanted:.2f}."
            ),
            "_terms(log_p, tokens, start).exp().prod()": (
                "This is the right probability, {got:.4f}. Its logarithm is asked for, "
                "{wanted:.2f}: for long labels the product is too small for a float."
            ),
            "_terms(log_p, tokens, start).prod()": (
                "You multiplied the logarithms ({got:.2f}). Probabilities are multiplied; their "
                "logarithms are added ({wanted:.2f})."
            ),
            "_terms(log_p, tokens, 1).sum()": (
                "You scored the prompt too: {got:.2f}. It is given, not predicted. Begin with "
                "the token at `start`: {wanted:.2f}."
            ),
            "log_p[start - 1, tokens[start:]].sum()": (
                "You read all tokens in one row, as if each of them came right after the prompt "
                "({got:.2f}). The second is predicted after the first has been read: one row "
                "further ({wanted:.2f})."
            ),
            "log_p[start - 1 : -1].max(1).values.sum()": (
                "This is the score of the tokens that the model would have chosen, {got:.2f}. "
                "Look up the tokens of the label, likely or not: {wanted:.2f}."
            ),
            "-label_score(log_p, tokens, start)": (
                "The sign is turned: {got:.2f} is a loss. The logarithm of a probability is "
                "never above 0: {wanted:.2f}."
            ),
            "_terms(log_p, tokens, start)": (
                "Those are the right logarithms, one for each token of the label. Add them up: "
                "one number is the score."
            ),
            (
                "log_p[start - 1 : -1][:, tokens[start:]].sum()",
                "log_p[start - 1 :, tokens[start:]].sum()",
                "log_p[start:, tokens[start:]].sum()",
                "log_p[start - 1 : -1, tokens[start:]]",
                "log_p[start - 1 :, tokens[start:]]",
                "log_p[start:, tokens[start:]]",
            ): lambda n: (
                (
                    "A slice of rows together with `tokens[start:]` takes every token of the "
                    "label in every row"
                )
                + (". " if math.isnan(n.got) else f" ({n.got:.2f} instead of {n.wanted:.2f}). ")
                + (
                    "One row belongs to each token: give a list of rows, as in "
                    "`torch.arange(...)`, and a list of tokens."
                )
            ),
            "sum(log_p[i - 1, tokens[i]] for i in range(start, len(tokens) - 1))": (
                "The last token of the label is missing: {got:.2f} instead of {wanted:.2f}. "
                "`range` leaves out its end by itself. Count tokens up to `len(tokens)`, or "
                "rows up to `len(tokens) - 1`."
            ),
            "log_p[torch.arange(start, len(tokens)), tokens[start - 1 : -1]].sum()": (
                "You shifted the wrong way: in row i you look up token i − 1, which that row "
                "has read already ({got:.2f}). Row i tells about token i + 1: {wanted:.2f}."
            ),
            "log_p[torch.arange(start - 2, len(tokens) - 2), tokens[start:]].sum()": (
                "Your rows begin one too early, at `start - 2`: {got:.2f} instead of "
                "{wanted:.2f}. That row has not read the whole prompt yet. It predicts the "
                "prompt's last token."
            ),
            "log_p[torch.arange(start - 1, len(tokens)), tokens[start - 1 :]].sum()": (
                "You moved rows and tokens together, so each token is still read at its own "
                "place ({got:.2f}). And the last token of the prompt counts as well. Move the "
                "rows alone: {wanted:.2f}."
            ),
            "log_p[-1, tokens[start:]].sum()": (
                "You read all tokens in the last row ({got:.2f}). It has read the whole label, "
                "and tells what comes *after* it. Each token is predicted in the row before it: "
                "{wanted:.2f}."
            ),
            ("log_p[start - 1 : -1].sum()", "log_p[tokens[start:]].sum()"): (
                "You summed whole rows of log_p: {got:.2f}. A row has one entry for every token "
                "of the vocabulary. Only that of the token which really follows counts "
                "({wanted:.2f}): `log_p[row, token]`."
            ),
            "sum(math.log(term) for term in _terms(log_p, tokens, start))": told(
                lambda n: (
                    "`log_p` holds logarithms already, such as "
                    f"{float(_terms(*n.inputs)[0]):.2f}. You take the logarithm once more, and a "
                    "number below 0 has none. Add up the entries as they are."
                ),
                seen=no_number,
            ),
            "sum(log_p[i, tokens[i + 1]] for i in range(start - 1, len(tokens)))": lambda n: (
                f"Your loop asks for token {len(n.inputs[1])} of {len(n.inputs[1])}, and they "
                "count from 0. The last row tells what comes after the text, and no token of the "
                f"label is there. Stop at row {len(n.inputs[1]) - 2}."
            ),
            "log_p[torch.arange(start - 1, len(tokens)), tokens[start:]].sum()": told(
                how_unequal, seen=unequal_lists
            ),
        },
    ),
    Exercise(
        "10.ceiling",
        solution=ceiling,
        cases=ceiling_cases,
        others=(ceiling_example_by_example,),
        read="The ceiling",
        mistakes={
            "k / ways": lambda n: (
                f"You added {_percent(1 / n.inputs[1])} for each example: {_percent(n.got)}. Two "
                "examples may show "
                f"the same label, and that is counted twice. It is {_percent(n.wanted)}."
            ),
            "min(k, ways) / ways": (
                "Your examples never repeat a label: {got:.2f}. Here each class is drawn at "
                "random, whatever the others are, so repeats are common ({wanted:.2f})."
            ),
            "1 - 1 / ways**k": (
                "{got:.2f} is the probability that not *all* examples have the query's label. "
                "It is enough that one has it: {wanted:.2f}. What is the probability that one "
                "example misses it?"
            ),
            "(1 - 1 / ways) ** k": (
                "{got:.2f} is the probability that the label is *not* among the examples. The "
                "reader is right in the other cases: {wanted:.2f}."
            ),
            "1 / ways**k": (
                "Yours is the probability that *every* example has the query's label, "
                "{got:.2f}. It falls as examples are added. One of them is enough: {wanted:.2f}."
            ),
            "max(1 / ways, ceiling(k, ways))": (
                "With no example at all you still give the reader chance, {got:.2f}. Who has to "
                "*say* a made-up word that was never shown is never right: {wanted:.2f}. Chance "
                "belongs to a reader who chooses from a list."
            ),
            "ceiling(k, ways) + 1 / ways": (
                "You added chance on top: {got:.2f}. It can even pass 1. Who has not been shown "
                "the label has no list to guess from: {wanted:.2f}."
            ),
            "** k -> ** (k + 1)": (
                "Your reader guesses among all labels when the right one was not shown: "
                "{got:.2f}. This reader has to *say* it and has never met it: {wanted:.2f}."
            ),
            "k / ways * (1 - 1 / ways) ** (k - 1)": (
                "{got:.2f} is the probability that exactly one example has the label. Two or "
                "three of them do no harm: {wanted:.2f}."
            ),
            "sum((-1) ** j * math.comb(ways, j) * (1 - j / ways) ** k for j in range(ways + 1))": (
                "You asked for *every* label to be shown: {got:.2f}. One query needs its own "
                "label only: {wanted:.2f}."
            ),
            ("1 - (1 - 1 / k) ** ways if k else 0.0", "1 - (1 - 1 / k) ** ways"): (
                "`k` and `ways` have changed places: {got:.2f} instead of {wanted:.2f}. One "
                "example has the label with probability 1 / ways, and there are k of them."
            ),
            ("** k -> * k", "(1 - 1 / ways) * k"): lambda n: (
                f"You multiplied by k: {n.got:.2f}"
                + ("" if 0 <= n.got <= 1 else ", and no probability leaves the range from 0 to 1")
                + (
                    f". All {n.inputs[0]} examples miss the label when each of them does: that is "
                    f"a *power*, `** k`. It leads to {n.wanted:.2f}."
                )
            ),
            "** k -> ** (k - 1)": lambda n: (
                f"Your power is {n.inputs[0] - 1}, and k is {n.inputs[0]}: {n.got:.2f} instead of "
                f"{n.wanted:.2f}. "
                "The query is not one of the k examples, so each of the k has its factor."
            ),
            "1 / -> 1 //": lambda n: (
                f"`1 // ways` is {1 // n.inputs[1]}: `//` cuts off what is behind the point. So "
                f"no example ever shows the label ({n.got:.2f}). "
                f"Write `1 / ways`, here {1 / n.inputs[1]:.2f}; the result is {n.wanted:.2f}."
            ),
            "** k -> ^ k": told(
                lambda n: (
                    "In Python a power is written `**`. `^` compares the bits of whole numbers, "
                    f"and {1 - 1 / n.inputs[1]:.2f} is none. Write `(1 - 1 / ways) ** k`."
                ),
                seen=caret_met,
            ),
            "** k -> ** (k * ways)": told(
                "You counted k examples *of each class*, as in the chapters before. A prompt "
                "counts all its examples together: {wanted:.2f}, not {got:.2f}.",
                read="A prompt is a support set",
            ),
            "1.0 if k else 0.0": (
                "You let one example be enough for every query. It shows one label, and the "
                "query may have another: {wanted:.2f}, not {got:.2f}."
            ),
        },
    ),
    Exercise(
        "10.calibrate",
        solution=calibrate,
        cases=calibration_cases,
        others=(calibrate_with_logarithms,),
        read="Calibration",
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
)
