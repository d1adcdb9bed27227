"""One submission in a process of its own: `submissions.py` starts it, asks on stdin, and reads one
line a verdict.

The guard below stops accidents and simple tricks. It is no jail: code that means harm needs a
container or another user of the machine around the whole command.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path

from course_lib.classroom import exercises
from course_lib.classroom.exercises.judging import judge
from course_lib.classroom.teacher import slices

FORBIDDEN = (
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
    "os.spawn", "os.startfile", "os.kill", "os.killpg", "pty.spawn", "socket.connect",
    "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
)  # fmt: skip
CHANGING = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile",
)  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    """Read the request, judge what is asked for, and answer line by line."""
    request = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    text = Path(request["file"]).read_text(encoding="utf-8-sig")
    known = {exercise.id: exercise for exercise in exercises.chapter(request["chapter"])}
    sys.dont_write_bytecode = True
    limit(request["megabytes"])
    guard(Path.cwd().resolve())

    def answer(identity: str, name: str, words: str) -> None:
        line = {"token": request["token"], "id": identity, "name": name, "text": words}
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    answer("", "ready", "")
    try:
        submission = slices.parsed(text, request["file"].endswith(".ipynb"))
    except ValueError as error:
        submission = slices.Submission(broken=[str(error)])
    if submission.own:
        answer("", "own", "it names the course's own solutions")
    for identity in request["todo"]:
        name, words = verdict_on(submission, known[identity], request["names"][identity])
        answer(identity, name, words)
        if name == "time":  # its thread may still run: the rest gets a process of its own
            break
    os._exit(0)  # whatever a submission has left running


def verdict_on(submission: slices.Submission, exercise, usual: str) -> tuple[str, str]:
    """Run the lines that an exercise needs, and judge its function.

    Args:
        usual: the name that the function has in the chapter.
    """
    usually = ast.Name(usual, ast.Load()), None
    wanted, place = submission.checked.get(exercise.id, usually)
    lines = slices.needed(submission, wanted, place)
    if not lines and not isinstance(wanted, ast.Lambda):
        if submission.broken:
            return "syntax", f"Python cannot read it: {submission.broken[0]}"
        return "missing", f"There is no function {usual}, and no check of {exercise.id}."
    space: dict = {"__name__": "submission"}
    try:
        for line in lines:
            run(ast.Module([line], []), space, "exec")
        function = run(ast.Expression(wanted), space, "eval")
        verdict = judge(exercise, function)
    except BaseException as error:  # SystemExit too: it must not end the others
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return "raised", f"A cell that it needs stopped with {said[:300]}"
    return verdict.name, verdict.text


def run(tree: ast.AST, space: dict, mode: str):
    code = compile(ast.fix_missing_locations(tree), "<a submission>", mode)
    return eval(code, space)


def limit(megabytes: int) -> None:
    """So much memory beyond what torch and the course take already. Windows has no such limit:
    there only the watcher of `submissions.py` stops it."""
    try:
        import resource
    except ImportError:
        return
    place = Path("/proc/self/statm")
    if place.exists():
        taken = int(place.read_text().split()[0]) * resource.getpagesize()
        most = taken + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def guard(folder: Path) -> None:
    """From here on: no other process, no network, and no file changed outside ``folder``."""

    def inside(path) -> bool:
        place = os.path.realpath(os.fsdecode(path))
        return place == os.devnull or place.startswith(str(folder) + os.sep)

    def hook(event: str, given: tuple) -> None:
        if event in FORBIDDEN or event.startswith("os.spawn"):
            raise PermissionError(f"a submission may not call {event}")
        if event == "open" and isinstance(given[0], str | bytes | os.PathLike):
            mode, flags = given[1] or "", given[2] or 0
            if (set(mode) & set("wax+") or flags & WRITES) and not inside(given[0]):
                raise PermissionError("a submission may write into its own folder only")
        if event in CHANGING:
            for path in given:
                if isinstance(path, str | bytes | os.PathLike) and not inside(path):
                    raise PermissionError("a submission may change its own folder only")

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
