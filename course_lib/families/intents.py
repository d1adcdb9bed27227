"""Few-shot tasks from sentences: the short requests written for this course, or a file of your
own."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

import course_lib
from course_lib import expanded
from course_lib.episodes import at_least_two
from course_lib.families.stored_classes import StoredClasses
from course_lib.families.vocabulary import Vocabulary, tokens

DATA = course_lib.DATA / "intents"
# whole domains are held out, so a test class shares neither its words nor its subject with a
# training class
PARTS = {
    "train": ("health", "home", "leisure", "school", "shopping", "transport", "work"),
    "validation": ("food", "phone"),
    "test": ("banking", "city", "travel"),
}


class SentenceError(ValueError):
    """Sentences that cannot be used as they are: the message names the file and the line, and what
    to do."""


class SentenceClasses(StoredClasses):
    """Few-shot classification of given sentences.

    Args:
        sentences: for each class its name and its sentences. Their numbers may differ.
        vocabulary: turns sentences into ids.
        ways: classes in an episode.
        length: ids in a row; the longest sentence decides unless told, and longer sentences lose
            their end.
        device: where the ids lie and episodes are made.

    Attributes:
        names: of the classes.   rows: (all sentences, L) ids.   counts: (classes,) sentences of
            each.   starts: (classes,) its first row.

    Raises:
        ValueError: there are fewer classes than ways, or a class has no sentence.
    """

    family = "sentences"

    def __init__(
        self,
        sentences: Mapping[str, Sequence[str]],
        vocabulary: Vocabulary,
        ways=5,
        length: int | None = None,
        device="cpu",
    ):
        at_least_two(ways)
        if ways > len(sentences):
            raise ValueError(
                f"ways={ways}: there are {len(sentences)} classes to choose from; ask for fewer "
                "ways or add classes"
            )
        for name, own in sentences.items():
            if isinstance(own, str) or not len(own):
                raise ValueError(f"{name}: give a list of at least one sentence, not {own!r}")
        self.ways, self.vocabulary, self.device = ways, vocabulary, torch.device(device)
        self.by_name = {str(name): list(own) for name, own in sentences.items()}
        self.names = list(self.by_name)
        self.counts = torch.tensor([len(own) for own in self.by_name.values()], device=self.device)
        self.starts = self.counts.cumsum(0) - self.counts
        self.rows = vocabulary.encode(
            [sentence for own in self.by_name.values() for sentence in own], length
        ).to(self.device)

    def sentences(self, name: str) -> list[str]:
        """The sentences of one class, as they were written.

        Raises:
            ValueError: there is no such class.
        """
        if name not in self.by_name:
            raise ValueError(f"{name!r}: there is no such class; there are {', '.join(self.names)}")
        return list(self.by_name[name])

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any class, any sentence and the vocabulary."""
        about = repr(
            (self.by_name, self.rows.shape[1], self.vocabulary.words, self.vocabulary.buckets)
        )
        return hashlib.sha256(about.encode("utf-8", "replace")).hexdigest()[:16]

    def settings(self) -> dict:
        return {
            "family": self.family,
            "ways": self.ways,
            "classes": self.classes,
            "fingerprint": self.fingerprint,
        }

    what = "sentences"

    def items(self, rows: Tensor) -> Tensor:
        """x is (tasks, ways * shots or queries, L) word ids."""
        return self.rows[rows]


class Intents(SentenceClasses):
    """Few-shot classification of short requests by what their writer wants: 6 intents in each of 12
    domains, 20 sentences each.

    Ids and row lengths are those of all domains, whatever the part. A word that occurs in no
    training domain has an id too, but its embedding stays as it was at the start: no gradient ever
    reaches it. What a learner makes of such words is a question of chapter 09.

    Args:
        ways: classes in an episode.
        part: "train", "validation", "test", as in `PARTS`, or "all" domains.
        domains: names of domains, instead of a part.
        device: where the ids lie and episodes are made.
        folder: of the files, one a domain.

    Attributes:
        names: of the intents.   domain_of: for each its domain.

    Raises:
        SentenceError: a file is missing or not as it should be.
        ValueError: there is no such part or domain, or there are fewer classes than ways.
    """

    family = "intents"

    def __init__(
        self,
        ways=5,
        part="train",
        domains: Sequence[str] | None = None,
        device="cpu",
        folder: Path = DATA,
    ):
        files = {file.stem: read_sentences(file) for file in sorted(Path(folder).glob("*.tsv"))}
        if domains is None and part not in (*PARTS, "all"):
            raise ValueError(
                f'part={part!r}: choose "train", "validation", "test" or "all", or name domains'
            )
        chosen = (
            (list(files) if part == "all" else list(PARTS[part]))
            if domains is None
            else list(domains)
        )
        if (
            isinstance(domains, str)
            or not chosen
            or set(chosen) - set(files)
            or len(set(chosen)) < len(chosen)
        ):
            raise ValueError(
                f"domains={domains if domains is not None else chosen}: {folder} has "
                f"{', '.join(files) or 'no file'}; give a list of some of them"
            )
        everything = [
            sentence for intents in files.values() for own in intents.values() for sentence in own
        ]
        self.part = "chosen" if domains is not None else part
        self.domains = chosen
        self.domain_of = [domain for domain in chosen for _ in files[domain]]
        sentences = {name: own for domain in chosen for name, own in files[domain].items()}
        if len(sentences) < len(self.domain_of):
            raise SentenceError(
                f"{folder}: two domains have an intent of the same name; rename one of them"
            )
        super().__init__(
            sentences,
            Vocabulary(everything),
            ways,
            max(len(tokens(sentence)) for sentence in everything),
            device,
        )

    def settings(self) -> dict:
        return super().settings() | {"part": self.part, "domains": self.domains}


def own_sentences(
    path, ways: int | None = None, vocabulary: Vocabulary | None = None, device="cpu"
) -> SentenceClasses:
    """Few-shot tasks from a file with a label, a tab and a sentence in each line.

    Args:
        ways: classes in an episode; all labels of the file unless told.
        vocabulary: the one a learner was trained with, such as ``Intents().vocabulary``; the file's
            own words unless told.

    Raises:
        SentenceError: the file cannot be read or used; the message names the line.
        ValueError: there are fewer labels than ways.
    """
    sentences = read_sentences(path)
    if vocabulary is None:
        vocabulary = Vocabulary(sentence for own in sentences.values() for sentence in own)
    return SentenceClasses(
        sentences, vocabulary, len(sentences) if ways is None else ways, device=device
    )


def check_columns(path: Path, text: str) -> None:
    """Tell a file with other columns than a label, a tab and a sentence.

    Raises:
        SentenceError: another sign stands where the tab should, the columns are swapped, the first
            line is a heading, or the file is no text.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if "\0" in text:
        raise SentenceError(f"{path}: null bytes in it, so it is no plain text; save it as UTF-8")
    if lines and not any("\t" in line for line in lines):
        for sign in ";|,":
            if all(sign in line for line in lines):
                raise SentenceError(
                    f"{path}: no tab, and {sign!r} in every line; write a tab between label and "
                    "sentence instead"
                )
    pairs = [[field.strip() for field in line.split("\t")] for line in lines]
    pairs = [pair for pair in pairs if len(pair) == 2]
    if not pairs:
        return
    if (
        pairs[0][0].lower() in ("label", "class", "category", "intent")
        and sum(label == pairs[0][0] for label, _ in pairs) == 1
    ):
        raise SentenceError(
            f"{path}, line 1: {pairs[0][0]!r} looks like the heading of a column; take it out"
        )
    first, second = ({pair[i] for pair in pairs} for i in (0, 1))
    if len(pairs) > 2 and len(first) == len(pairs) > len(second):
        raise SentenceError(
            f"{path}: every line begins with something else, and what follows the tab repeats, "
            f"such as {pairs[0][1]!r}: the columns are swapped; write the label first"
        )


def read_sentences(path) -> dict[str, list[str]]:
    """The sentences of each label, in the order of the file, which is UTF-8. Empty lines are left
    out.

    Raises:
        SentenceError: no such file, not UTF-8, a line without exactly one tab, a label or sentence
            missing, a sentence that is there twice, fewer than 2 labels, or a label with fewer than
            2 sentences.
    """
    path = expanded(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SentenceError(
            f"{path}: the file cannot be read ({error.strerror}); check its name and its "
            "permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise SentenceError(
            f"{path}: the file is not UTF-8 text; save it again as plain text with that encoding"
        ) from error
    check_columns(path, text)
    sentences: dict[str, list[str]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 2:
            raise SentenceError(
                f"{path}, line {number}: tabs in it: {len(fields) - 1}; write a label, one tab "
                "and a sentence"
            )
        label, sentence = fields
        if not label or not tokens(sentence):
            raise SentenceError(
                f"{path}, line {number}: the {'sentence' if label else 'label'} is missing; write "
                "a label, one tab and a sentence"
            )
        if (first := seen.setdefault(tuple(tokens(sentence)), number)) != number:
            raise SentenceError(
                f"{path}, line {number}: the sentence of line {first} once more; keep one, or a "
                "task could ask what it has shown"
            )
        sentences.setdefault(label, []).append(sentence)
    if len(sentences) < 2:
        raise SentenceError(
            f"{path}: labels in it: {len(sentences)}, and at least 2 are needed; write a label, "
            "one tab and a sentence in each line"
        )
    for label, own in sentences.items():
        if len(own) < 2:
            raise SentenceError(
                f"{path}: the label {label!r} has 1 sentence and needs at least 2, one to learn "
                "from and one to ask about"
            )
    return sentences
