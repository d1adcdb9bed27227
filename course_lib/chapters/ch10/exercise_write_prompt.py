"""Exercise 10.write_prompt: an episode as a prompt."""

from collections.abc import Callable

import torch

from course_lib.chapters.ch10.exercises_common import ANSWERS, SUPPORT
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake, Numbers


def write_prompt(words, y, names):
    """The last word is the query; those before it are the examples."""
    prompt = ""
    for word, n in zip(words[:-1], y[:-1]):
        prompt += f"{word} : {names[n]}\n"
    return prompt + f"{words[-1]} :"


def write_prompt_by_joining(words, y, names):
    lines = [f"{word} : {names[n]}" for word, n in zip(words, y)]
    return "\n".join([*lines[:-1], f"{words[-1]} :"])


def answer_told(words, y, names):
    return "\n".join(f"{word} : {names[n]}" for word, n in zip(words, y))


def answer_told_with_newline(words, y, names):
    return answer_told(words, y, names) + "\n"


def no_separator(words, y, names):
    return _examples(words, y, names) + words[-1]


def query_first(words, y, names):
    return f"{words[-1]} :\n" + _examples(words, y, names).removesuffix("\n")


def numbers_for_names(words, y, names):
    return "".join(f"{word} : {n}\n" for word, n in zip(words[:-1], y[:-1])) + f"{words[-1]} :"


def newline_after(words, y, names):
    return write_prompt(words, y, names) + "\n"


def space_after(words, y, names):
    return write_prompt(words, y, names) + " "


def one_line(words, y, names):
    return write_prompt(words, y, names).replace("\n", " ")


def lines_run_together(words, y, names):
    return write_prompt(words, y, names).replace("\n", "")


def label_first(words, y, names):
    return (
        "".join(f"{names[n]} : {word}\n" for word, n in zip(words[:-1], y[:-1])) + f"{words[-1]} :"
    )


def no_spaces(words, y, names):
    return write_prompt(words, y, names).replace(" ", "")


def colon_at_the_word(words, y, names):
    return write_prompt(words, y, names).replace(" :", ":")


def no_query(words, y, names):
    return _examples(words, y, names)


def query_twice(words, y, names):
    return answer_told_with_newline(words, y, names) + f"{words[-1]} :"


def labels_in_order(words, y, names):
    """Gives example i the i-th name, whatever its class."""
    return (
        "".join(f"{word} : {names[i % len(names)]}\n" for i, word in enumerate(words[:-1]))
        + f"{words[-1]} :"
    )


def name_at_the_place(words, y, names):
    return "".join(f"{word} : {names[i]}\n" for i, word in enumerate(words[:-1])) + f"{words[-1]} :"


def only_the_last(words, y, names):
    """`prompt =` in the loop, where `+=` is wanted."""
    return "".join(_examples(words, y, names).splitlines(keepends=True)[-1:]) + f"{words[-1]} :"


def only_the_query(words, y, names):
    return f"{words[-1]} :"


def zipped_with_names(words, y, names):
    return "".join(f"{word} : {name}\n" for word, name in zip(words[:-1], names)) + f"{words[-1]} :"


def counted_from_one(words, y, names):
    return (
        "".join(f"{word} : {names[n - 1]}\n" for word, n in zip(words[:-1], y[:-1]))
        + f"{words[-1]} :"
    )


def label_of_the_next(words, y, names):
    return (
        "".join(f"{word} : {names[n]}\n" for word, n in zip(words[:-1], y[1:])) + f"{words[-1]} :"
    )


def escaped(words, y, names):
    return write_prompt(words, y, names).replace("\n", "\\n")


def equals_sign(words, y, names):
    return write_prompt(words, y, names).replace(":", "=")


def _examples(words, y, names):
    return "".join(f"{word} : {names[n]}\n" for word, n in zip(words[:-1], y[:-1]))


def all_are_texts(runs: list) -> bool:
    return all(isinstance(result, str) for _, result in runs)


def first_other_line(n: Numbers) -> str:
    """Where the reader's prompt leaves the right one, as two lines to compare."""
    if not isinstance(n.result, str):
        return "Your function does not return a text in every case"
    mine, right = n.result.splitlines(keepends=True), n.right.splitlines(keepends=True)
    place = next(
        (i for i, pair in enumerate(zip(mine, right)) if pair[0] != pair[1]),
        min(len(mine), len(right)),
    )
    have, want = (
        repr(lines[place]) if place < len(lines) else "nothing" for lines in (mine, right)
    )
    return f"Line {place + 1} of your prompt differs from the form that the model knows. It is `{have}`, and `{want}` is wanted."


def lists_left_alone(function: Callable) -> str | None:
    """None, or a sentence if the function changes the lists that it is given."""
    given = ["dog", "saw", "cow"], [0, 1, 0], ["blip", "zug"]
    before = [list(part) for part in given]
    function(*given)
    for name, was, now in zip(("words", "y", "names"), before, given):
        if was != now:
            return (
                f"The prompt is right, but your function changes the list `{name}`: `{was}` before, `{now}` after. "
                "The list belongs to whoever calls, and a second call with it may give another prompt. "
                "`words[-1]` and `words[:-1]` only read; `.pop()` and `del` take out."
            )
    return None


def prompt_cases(generator: torch.Generator) -> list[tuple]:
    """(words, their classes, names of the classes): the last word is the query. In the last case it stands alone."""
    return [
        (["dog", "saw", "cow"], [0, 1, 0], ["blip", "zug"]),
        (["rain", "oak", "elm", "hail", "pine"], [1, 0, 0, 1, 0], ["tove", "pax"]),
        (["tea", "ant", "rose", "wasp"], [2, 0, 1, 0], ["gorp", "nox", "rill"]),
        (["flute"], [1], ["dorn", "kolp"]),
    ]


EXERCISE = Exercise(
    id="10.write_prompt",
    title="write the prompt",
    minutes=5,
    difficulty=1,
    cases=prompt_cases,
    solution=write_prompt,
    others=(write_prompt_by_joining,),
    mistakes=(
        Mistake(
            "answer_told",
            answer_told,
            "Your prompt tells the answer: the query's own label stands in its last line. `y[-1]` is what the model has "
            "to find. End with the query and ` :`.",
            SUPPORT,
        ),
        Mistake(
            "answer_told_with_newline",
            answer_told_with_newline,
            "Your loop treats the query as one more example, its label included. The last word gets no label and no end of line.",
            SUPPORT,
        ),
        Mistake(
            "query_twice",
            query_twice,
            "The query is asked at the end, and it is already answered one line above. A query is not part of its own support set: loop over `words[:-1]`.",
            SUPPORT,
        ),
        Mistake(
            "no_separator",
            no_separator,
            "Your prompt ends with the query and without ` :`. In every example the label follows a `:`. Without it "
            "the most likely next token is the `:` itself.",
            ANSWERS,
        ),
        Mistake(
            "query_first",
            query_first,
            "You ask first and show the examples after it. The model reads from left to right: what comes after the query "
            "cannot change the answer there. And the next token is no longer the label.",
            ANSWERS,
        ),
        Mistake(
            "numbers_for_names",
            numbers_for_names,
            "You wrote class numbers. Nobody told the model that class 0 has a name; the label word is `names[n]`, and it is the token to be predicted.",
            SUPPORT,
        ),
        Mistake(
            "newline_after",
            newline_after,
            "Your prompt goes on after the query: it ends with `\\n`. The model would then begin a new line, with a "
            "new word. Its answer is read at the last `:`.",
            ANSWERS,
        ),
        Mistake(
            "space_after",
            space_after,
            "There is a space after the last `:`. This course's small model does not see spaces. Many large ones do: "
            "there the space belongs to the next token, and such a prompt ends in mid-word.",
            ANSWERS,
        ),
        Mistake(
            "one_line",
            one_line,
            "All examples stand on one line. A label ends with `\\n`; without it a label and the next word look like one answer.",
            SUPPORT,
        ),
        Mistake(
            "lines_run_together",
            lines_run_together,
            "The `\\n` after each label is missing, so a label and the next word melt into one word that the model has never seen.",
            SUPPORT,
        ),
        Mistake(
            "label_first",
            label_first,
            "Your examples are the wrong way round: the label comes before its word. The query shows the word first, so "
            "the model would have to continue with a word after a word.",
            SUPPORT,
        ),
        Mistake(
            "no_spaces",
            no_spaces,
            "The spaces around `:` are missing. `dog:blip` is one unknown word to this model, not three tokens.",
            SUPPORT,
        ),
        Mistake(
            "colon_at_the_word",
            colon_at_the_word,
            "Your `:` is glued to the word before it. `dog:` is not a token of this model; `dog` and `:` are two.",
            SUPPORT,
        ),
        Mistake(
            "no_query",
            no_query,
            "Those are the examples, and nobody is asked. Add the query, the last of `words`, and ` :`.",
            SUPPORT,
        ),
        Mistake(
            "labels_in_order",
            labels_in_order,
            "You dealt out the names in turn. There are as many names as classes, and any number of examples. An example's "
            "label is the name of *its* class: `names[y[i]]`, not `names[i]`.",
            SUPPORT,
            seen=any_of(labels_in_order, name_at_the_place),
        ),
        Mistake(
            "escaped",
            escaped,
            'Your prompt contains a backslash and an n, two characters. The end of a line is written `"\\n"` in a plain text, with one backslash.',
            SUPPORT,
        ),
        Mistake(
            "only_the_last",
            only_the_last,
            lambda n: (
                f"Only the last of your {len(n.inputs[0]) - 1} examples is left. `prompt = ...` in the loop throws away what was "
                "there before; `prompt += ...` adds to it."
            ),
            SUPPORT,
        ),
        Mistake(
            "only_the_query",
            only_the_query,
            lambda n: (
                f"Your prompt is `{n.result}` and shows none of the {len(n.inputs[0]) - 1} examples. That is zero-shot. Write their lines first."
            ),
            SUPPORT,
        ),
        Mistake(
            "zipped_with_names",
            zipped_with_names,
            lambda n: (
                f"You paired the words with `names`, and `y` is not used. `zip` stops at the shorter list: of {len(n.inputs[0]) - 1} examples "
                f"{n.result.count(chr(10))} are left. Pair the words with `y`, and look up `names[n]`."
            ),
            SUPPORT,
        ),
        Mistake(
            "counted_from_one",
            counted_from_one,
            lambda n: (
                f"You look up `names[n - 1]`. Classes count from 0 here: class {n.inputs[1][0]} is `{n.inputs[2][n.inputs[1][0]]}`, "
                f"and your first line says `{n.inputs[2][n.inputs[1][0] - 1]}`. It is `names[n]`."
            ),
            SUPPORT,
        ),
        Mistake(
            "label_of_the_next",
            label_of_the_next,
            lambda n: (
                f"Each word has the label of the word after it: `{n.inputs[0][0]}` has class {n.inputs[1][0]}, and yours says {n.inputs[1][1]}. "
                "The last example even gets the query's own label. Leave out the end of both lists: `words[:-1]` and `y[:-1]`."
            ),
            SUPPORT,
        ),
        Mistake("other_text", equals_sign, first_other_line, SUPPORT, seen=all_are_texts),
    ),
    properties=(("lists_left_alone", lists_left_alone),),
    hints=(
        "Loop over all words but the last, together with their classes.",
        'One example is `f"{word} : {names[n]}\\n"`. The query ends after its `:`.',
    ),
)
