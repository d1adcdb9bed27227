"""An installer that only pretends, for the tests of the set-up."""

from pathlib import Path

import environment
from course_lib import ROOT


class Pretend:
    """Stands where a child would run: makes .venv, `installs`, notes what it did, and fails once in
    the way it is told to."""

    def __init__(self, root, **troubles):
        self.root, self.troubles, self.done = root, troubles, []

    def __call__(self, command, env, lock):
        kind = "venv" if "venv" in command[1:3] else "pip" if "pip" in command else "imports"
        self.done.append(kind)
        trouble = self.troubles.pop(kind, None)
        if kind == "venv":
            python = Path(environment.venv_python(self.root / ".venv"))
            python.parent.mkdir(parents=True)
            python.touch()
            (self.root / ".venv" / "pyvenv.cfg").touch()
            environment.site_packages(self.root / ".venv", "3.12").mkdir(parents=True)
        if kind == "pip" and not trouble:
            site = environment.site_packages(self.root / ".venv", "3.12")
            for name in environment.PACKAGES:
                (site / name).mkdir(exist_ok=True)
                (site / name / "__init__.py").touch()
        if isinstance(trouble, BaseException):
            raise trouble
        return (1, trouble) if trouble else (0, "")


def awkward_folder(tmp_path, monkeypatch):
    """A course in a folder with an awkward name; its Python runs where the file is there, and pip
    works where Python runs."""
    root = tmp_path / "Kurs ä 학습"
    root.mkdir()
    for name in ("requirements.txt", "requirements-test.txt"):
        (root / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(
        environment, "version_of", lambda python: "3.12" if Path(python).exists() else ""
    )
    monkeypatch.setattr(
        environment,
        "answer",
        lambda command, seconds=60: "pip 24" if Path(command[0]).exists() else "",
    )
    return root


def set_up(root, test=False, cpu=False, **troubles):
    """One start; what its children were."""
    run = Pretend(root, **troubles)
    environment.set_up(root, test=test, cpu=cpu, run=run)
    return run.done


def whole(root) -> bool:
    return environment.read_marker(root / ".venv").get("complete") is True
