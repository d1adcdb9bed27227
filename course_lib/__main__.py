"""`python -m course_lib <command>`: what the course does without a notebook.

The module behind a command has a function add_parser(subparsers); it adds its parsers, each ending
with `parser.set_defaults(run=function)`, and the function takes the parsed arguments and returns
the exit code. To add a command, name it and its module in COMMANDS. Only the module of the command
asked for is imported, so `check` answers even where torch is broken.
"""

import argparse
import importlib
import os
import sys

COMMANDS = {  # command: module of course_lib/commands
    "check": "check",
    "train": "train",
    "evaluate": "train",
    "list": "train",
    "benchmark": "benchmark",
    "slides": "slides",
    "site": "site",
    "lecture": "lecture",
    "fetch": "fetch",
    "runs": "one_shot_runs",
    "capstone": "capstone",
    "class": "teaching",
    "handout": "teaching",
    "mark": "teaching",
}


def parser(words: list[str]) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m course_lib", description="Learning to Learn without a notebook."
    )
    subparsers = top.add_subparsers(title="commands", metavar="command", required=True)
    asked = [COMMANDS[word] for word in words[:1] if word in COMMANDS]
    for module in dict.fromkeys(asked or COMMANDS.values()):
        importlib.import_module(f"course_lib.commands.{module}").add_parser(subparsers)
    return top


def main(words: list[str]) -> int:
    options = parser(words).parse_args(words)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        # what the library raises when the reader can mend it: the message says how
        tell(str(error))
        return 2
    except (MemoryError, OverflowError, RuntimeError) as error:
        if not (sentence := too_large(error)):
            raise
        tell(sentence)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on from its last save", file=sys.stderr)
        return 130


def tell(sentence: str) -> None:
    """A sentence on stderr, whatever letters of a file name or a word are in it."""
    print(sentence.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def too_large(error: Exception) -> str | None:
    """The sentence for an error that says that something was too large; None for any other."""
    said = str(error).strip().split("\n")[0]
    signs = ("memory", "overflow", "too large", "Storage size", "must fit")
    if isinstance(error, MemoryError | OverflowError) or any(sign in said for sign in signs):
        return f"one of the numbers is too large for this machine ({said}): choose a smaller one"
    return None


class Patient:
    """A text stream that goes on when nobody listens any more (`| head -1`), and writes what it
    can where a terminal lacks letters or a disk room: what a command prints does not decide about
    its result."""

    def __init__(self, stream):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)
        self.stream, self.open = stream, True

    def write(self, text: str) -> int:
        return self.attempt(self.stream.write, text) or len(text)

    def flush(self) -> None:
        self.attempt(self.stream.flush)

    def attempt(self, act, *given):
        try:
            return act(*given) if self.open else None
        except OSError as error:  # nobody listens any more, or the disk is full
            self.open = False
            # what is still in the buffer must not fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
            if not isinstance(error, BrokenPipeError) and self is not sys.stderr:
                tell(f"what is printed is lost from here on ({error.strerror}); the rest goes on")

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


if __name__ == "__main__":
    sys.stdout, sys.stderr = (stream and Patient(stream) for stream in (sys.stdout, sys.stderr))
    sys.exit(main(sys.argv[1:]))
