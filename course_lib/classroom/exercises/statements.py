"""What a notebook says of an exercise: title, difficulty, minutes, hints and the folded solution.
They stand nowhere else."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from course_lib.classroom.progress_file import project

HEADING = re.compile(
    r"^### (\d\d\.\w+) · (.+)\n\*Difficulty (\d) of 3, about (\d+) minutes\.\*", re.M
)
HINT = re.compile(r"<summary>Hint \d</summary>\s*(.*?)\s*</details>", re.S)
SOLUTION = re.compile(r"<summary>Solution</summary>.*?```python\n(.*?)```", re.S)


@dataclass(frozen=True)
class Statement:
    """An exercise as its notebook states it."""

    title: str
    difficulty: int
    minutes: int
    hints: tuple[str, ...]
    solution: str


@lru_cache(maxsize=32)
def statements(chapter: str) -> dict[str, Statement]:
    """All exercises that the notebook of a chapter states, by id.

    Raises:
        FileNotFoundError: there is no notebook of this chapter.
    """
    notebooks = sorted((project() / "notebooks").glob(f"{chapter}_*.ipynb"))
    if not notebooks:
        raise FileNotFoundError(f"there is no notebook of chapter {chapter} in {project()}")
    cells = json.loads(notebooks[0].read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found, heads = {}, list(HEADING.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        part = text[head.end() : following.start() if following else None]
        solution = SOLUTION.search(part)
        found[head[1]] = Statement(
            title=head[2].strip(),
            difficulty=int(head[3]),
            minutes=int(head[4]),
            hints=tuple(HINT.findall(part)),
            solution=solution[1] if solution else "",
        )
    return found


def statement(identity: str) -> Statement:
    """What the notebook says of an exercise; its id for a title where the notebook says nothing of
    it."""
    unstated = Statement(title=identity, difficulty=1, minutes=0, hints=(), solution="")
    try:
        return statements(identity[:2]).get(identity, unstated)
    except (
        FileNotFoundError
    ):  # the library alone, without its notebooks: `check` works all the same
        return unstated
