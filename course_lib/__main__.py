"""`python -m course_lib <command>`: what the course does without a notebook.

The module behind a command has a function add_parser(subparsers); it adds its parsers, each ending
with `parser.set_defaults(run=function)`, and the function takes the parsed arguments and returns
the exit code. To add a command, name it and its module in COMMANDS. Only the module of the command
asked for is imported, so `check` answers even where torch is broken.
"""

import argparse
import importlib
import sys

COMMANDS = {  # command: module of course_lib/commands
    "check": "check",
    "train": "train",
    "evaluate": "train",
    "list": "train",
    "benchmark": "benchmark",
    "slides": "slides",
    "fetch": "fetch",
    "runs": "one_shot_runs",
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
    except (
        ValueError,
        OSError,
    ) as error:  # what the library raises when the reader can mend it: the message says how
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on from its last save", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
