"""The set-up behind start.py: an environment in .venv with the pinned packages, mended where it is
not whole.

It runs before anything is installed, so it imports the standard library only. Commands are lists;
decisions are small functions.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)
TRY_IMPORTS = """
import sys
try:
    import torch, numpy, matplotlib, PIL, higher, ipywidgets, anywidget, ipykernel, jupyterlab
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
# the folders by which one sees, without importing, that a package is there
PACKAGES = (
    "torch", "numpy", "matplotlib", "PIL", "higher", "ipywidgets", "anywidget", "ipykernel",
    "jupyterlab", "safetensors", "nbconvert",
)  # fmt: skip
WINDOWS, LINUX = os.name == "nt", sys.platform.startswith("linux")
GB = 2**30


class Stop(Exception):
    """One sentence that says what is wrong and what to do. It ends the start."""


def say(text: str) -> None:
    print(text, flush=True)


def answer(command: list[str], seconds: float = 60) -> str:
    """What a command prints, or "" where it fails, is missing or takes too long."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds
        )
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


# --- what went wrong, in one sentence each ---

NO_SPACE = (
    "The disk is full: free some space (pip's cache counts too), then start again; it goes on "
    "from there."
)
NO_NETWORK = (
    "The package server cannot be reached: check the network (behind a proxy, set HTTPS_PROXY), "
    "then start again; it goes on from there."
)
PIP_ERRORS = {  # the first pattern found in what pip wrote decides
    r"\[Errno 28\]|WinError 112|[Nn]o space left": NO_SPACE,
    r"Long Path": (
        "Windows refuses the long file names: move the course to a short folder such as "
        "C:\\course and start again."
    ),
    r"WinError 5\b|WinError 32\b|\[Errno 13\]": (
        "A file in .venv is in use or protected: close every JupyterLab and Python of this course "
        "and start again."
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSLError": (
        "The package server cannot be verified: set PIP_CERT to your network's certificate file "
        "(who runs the network knows it) and start again."
    ),
    (
        r"(Connection|NameResolution|ConnectTimeout|ReadTimeout|ConnectionReset|Proxy|Protocol)Error"
        r"|IncompleteRead|RemoteDisconnected"
    ): NO_NETWORK,
    r"[Nn]etwork is unreachable|getaddrinfo failed|name resolution": NO_NETWORK,
    r"No matching distribution|not a supported wheel": (
        "A package has no build for this computer: use a 64-bit Python 3.11, 3.12 or 3.13 on "
        "Linux, Windows or a Mac with Apple silicon."
    ),
    r"DLL load failed|[Ee]rror loading .*\.dll": (
        "PyTorch misses a Windows library: install https://aka.ms/vs/17/release/vc_redist.x64.exe "
        "and start again."
    ),
}


def explain(text: str) -> str:
    """The sentence for what pip (or the last check) wrote on its error stream."""
    for pattern, sentence in PIP_ERRORS.items():
        if re.search(pattern, text):
            return sentence
    last = [line.strip() for line in text.splitlines() if line.strip()][-1:] or [
        "no reason was given"
    ]
    return (
        f"The set-up failed ({last[0]}): start again, and if it fails in the same way, delete the "
        "folder .venv first."
    )


def explain_os(error: OSError) -> str:
    if error.errno == 28 or getattr(error, "winerror", None) == 112:
        return NO_SPACE
    if error.errno in (1, 13, 30):
        return (
            "This folder cannot be written to: copy the course to a folder of your own, such as "
            "your home folder, and start there."
        )
    return (
        f"The start failed ({error}): start again, and if it fails in the same way, delete the "
        "folder .venv first."
    )


def check_disk(free: float, needed: float) -> None:
    if free < needed:
        raise Stop(
            f"The install needs about {needed / GB:.1f} GB here and {free / GB:.1f} GB are free: "
            "free some space and start again."
        )


def check_venv_can_be_made(venv: Path, ensurepip, prefix: str) -> None:
    if not ensurepip:
        raise Stop(
            "This Python cannot make environments because its module ensurepip is missing: "
            "install it (Debian, Ubuntu: "
            f"`sudo apt install python3.{sys.version_info[1]}-venv`) and start again."
        )
    if os.path.realpath(prefix) == os.path.realpath(venv):
        raise Stop(
            "The environment must be built anew and this Python belongs to it: run `deactivate` "
            "and start with the Python of your system."
        )


# --- the marker: .venv is whole only if it says so ---


def fingerprint(path: Path) -> str:
    """A hash of the pins in a requirements file. Comments and order do not count."""
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return hashlib.sha256("\n".join(sorted(filter(None, lines))).encode()).hexdigest()[:16]


def wanted(root: Path, test: bool, cpu: bool) -> dict:
    return {
        "course": fingerprint(root / "requirements.txt"),
        "test": test and fingerprint(root / "requirements-test.txt"),
        "cpu": cpu,
    }


def read_marker(venv: Path) -> dict:
    try:
        marker = json.loads((venv / "course.json").read_text(encoding="utf-8"))
        return marker if isinstance(marker, dict) else {}
    except (OSError, ValueError):
        return {}


def gone(venv: Path, version: str) -> list[str]:
    """What a marker cannot know: the parts of a complete .venv that somebody has removed since."""
    if not (venv / "pyvenv.cfg").is_file():
        return ["pyvenv.cfg"]
    site = site_packages(venv, version)
    return [name for name in PACKAGES if not (site / name / "__init__.py").is_file()]


def forget(site: Path, names: list[str]) -> None:
    """Let pip know that these packages are not installed any more: it believes their notes."""
    for name in names:
        note = {"PIL": "pillow"}.get(name, name)
        for folder in site.glob(f"{note}-*.dist-info"):
            shutil.rmtree(folder, ignore_errors=True)


def write_marker(venv: Path, marker: dict) -> None:
    new = venv / "course.json.new"
    new.write_text(json.dumps(marker), encoding="utf-8")
    os.replace(new, venv / "course.json")


def plan(marker: dict, version: str, want: dict, linux: bool = LINUX) -> str:
    """What .venv needs: "ready", "mend" (install over it) or "build" (anew). `version` is its
    Python's, "" where that does not run."""
    if (
        not version
        or marker.get("python", version) != version
        or tuple(map(int, version.split("."))) < OLDEST
    ):
        return "build"
    if linux and want["cpu"] and marker.get("cpu") is False:
        return "build"  # PyTorch with CUDA is there and the other is asked for
    whole = (
        marker.get("complete")
        and marker.get("course") == want["course"]
        and want["test"] in (False, marker.get("test"))
    )
    return "ready" if whole else "mend"


# --- commands and the environment of the children ---


def venv_python(venv: Path, windows: bool = WINDOWS) -> str:
    return str(venv / "Scripts" / "python.exe" if windows else venv / "bin" / "python")


def site_packages(venv: Path, version: str, windows: bool = WINDOWS) -> Path:
    return (
        venv / "Lib" / "site-packages"
        if windows
        else venv / "lib" / f"python{version}" / "site-packages"
    )


def install_commands(python: str, root: Path, test: bool, cpu: bool) -> list[list[str]]:
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--progress-bar=on",
    ]
    torch = re.search(
        r"^torch==[^\s#]+", (root / "requirements.txt").read_text(encoding="utf-8"), re.M
    ).group()
    first = [[*pip, torch, "--index-url", CPU_INDEX]] if cpu else []
    return [*first, [*pip, "-r", "requirements-test.txt" if test else "requirements.txt"]]


def clean_env(base, venv: Path) -> dict:
    """For every child: .venv comes first, and nothing mixes another Python in."""
    env = {
        key: value
        for key, value in base.items()
        if key not in ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    }
    path = os.pathsep.join([os.path.dirname(venv_python(venv)), base.get("PATH", "")])
    return {**env, "PATH": path, "VIRTUAL_ENV": str(venv), "PYTHONNOUSERSITE": "1"}


def course_env(base, venv: Path) -> dict:
    """For JupyterLab and the tests: settings, history and font cache live inside .venv, so your own
    are neither used nor touched."""
    env, home = clean_env(base, venv), venv / "jupyter"
    env.pop("MPLBACKEND", None)
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
    }
    env.update({key: str(home / name) for key, name in places.items()})
    return {
        **env,
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONUTF8": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


# ------------------------------------------------------------------ the work


@contextmanager
def locked(root: Path):
    """One set-up at a time. The system frees the lock when its holder ends, however it ends."""
    with open(root / ".venv.lock", "a") as file:

        def take():
            if WINDOWS:
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

        told = False
        while True:
            try:
                take()
                break
            except (BlockingIOError, PermissionError):
                if not told:
                    say(
                        "Another start is setting up this folder; this one waits until that is "
                        "done (Ctrl-C to give up)."
                    )
                told = True
                time.sleep(1)
            except OSError:  # a network folder that knows no locks
                break
        yield file


def run_in_sight(command: list[str], env: dict, lock) -> tuple[int, str]:
    """Run a child with its progress in sight: (exit code, what it wrote as errors). A child that
    outlives us keeps the lock."""
    keep = {} if WINDOWS else {"pass_fds": (lock.fileno(),)}
    child = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, **keep)
    lines = []

    def follow():
        for line in iter(child.stderr.readline, b""):
            lines.append(line.decode("utf-8", "replace"))
            sys.stderr.write(lines[-1])
            sys.stderr.flush()

    reader = threading.Thread(target=follow)
    reader.start()
    try:
        child.wait()
    finally:  # also after Ctrl-C, which the child has received as well
        code = child.wait()
        reader.join()
    return code, "".join(lines)


def drop_halves(site: Path) -> list[str]:
    """Remove what a killed pip left: a package is whole once its RECORD is written, which pip does
    last."""
    halves = [info for info in site.glob("*.dist-info") if not (info / "RECORD").exists()] + list(
        site.glob("~*")
    )
    for half in halves:
        shutil.rmtree(half) if half.is_dir() else half.unlink()
    return [half.name for half in halves]


def announce(cpu: bool, linux: bool, nvidia: bool) -> None:
    say("Setting up the course in .venv.")
    if cpu or not linux:
        say("About 1.3 GB will be installed; with a good connection it takes 1 to 5 minutes.")
        return
    say(
        "PyTorch for Linux usually brings NVIDIA's libraries: several GB, 5 to 30 minutes. "
        "`python3 start.py --cpu` installs 1.3 GB in all, in 1 to 5 minutes."
    )
    if not nvidia:
        say(
            "No NVIDIA driver (nvidia-smi) was found, so --cpu is the better choice here; press "
            "Ctrl-C to change your mind."
        )


def set_up(root: Path, test: bool, cpu: bool, run=run_in_sight) -> str:
    """Make .venv whole and return its Python. Where it is whole already this takes a moment and no
    network."""
    venv, want = root / ".venv", wanted(root, test, cpu)
    python = venv_python(venv)
    version = version_of(python)
    ready = plan(read_marker(venv), version, want) == "ready"
    if ready and not (missing := gone(venv, version)):
        return python
    if ready:
        say(f"{', '.join(missing[:3])} is missing in .venv; it is mended now.")
    with locked(root) as lock:
        marker, version = read_marker(venv), version_of(python)
        todo = plan(marker, version, want)
        if todo == "ready":
            if not (missing := gone(venv, version)):  # the start that we waited for has done it
                return python
            todo = "build" if missing == ["pyvenv.cfg"] else "mend"
            forget(site_packages(venv, version), missing)
        if todo == "mend" and not answer([python, "-m", "pip", "--version"]):
            todo = "build"
        if venv.exists() and not marker.get("complete"):
            say("The last set-up did not finish; it is mended now.")
        want["cpu"] = cpu or marker.get("cpu", False)  # a choice made once holds
        check_disk(shutil.disk_usage(root).free, (2 if todo == "build" else 0.3) * GB)
        announce(want["cpu"], LINUX, bool(shutil.which("nvidia-smi")))
        if not (todo == "mend" and install(root, want, lock, run)):
            build(venv, lock, run)
            install(root, want, lock, run, last=True)
    say("The set-up is complete.")
    return python


def version_of(python: str) -> str:
    """ "3.12" for a Python that runs, "" for one that does not."""
    return answer([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])


def build(venv: Path, lock, run) -> None:
    check_venv_can_be_made(venv, importlib.util.find_spec("ensurepip"), sys.prefix)
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)
    code, text = run([sys.executable, "-m", "venv", str(venv)], clean_env(os.environ, venv), lock)
    if code:
        raise Stop(explain(text))


def install(root: Path, want: dict, lock, run, last: bool = False) -> bool:
    """Install into .venv and try the imports; the marker is written at the very end. False:
    installed, yet broken (Stop if `last`)."""
    venv = root / ".venv"
    python, scratch = (
        venv_python(venv),
        venv / "tmp",
    )  # pip's temporary files too: /tmp is often small
    marker = {**want, "python": version_of(python)}
    site = site_packages(venv, marker["python"])
    write_marker(venv, {**marker, "complete": False})
    drop_halves(site)
    scratch.mkdir(exist_ok=True)
    env = {
        **clean_env(os.environ, venv),
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "TMP": str(scratch),
    }
    for command in install_commands(python, root, bool(want["test"]), want["cpu"]):
        code, text = run(command, env, lock)
        if code:
            raise Stop(explain(text))
    (site / "learning_to_learn.pth").write_text(
        os.path.relpath(root, site) + "\n", encoding="ascii"
    )  # course_lib can be imported
    say("Checking that everything can be imported.")
    code, text = run([python, "-c", TRY_IMPORTS], course_env(os.environ, venv), lock)
    if code and last:
        raise Stop(explain(text))
    if code:
        say("What is in .venv does not work, so it is built anew.")
        return False
    shutil.rmtree(scratch, ignore_errors=True)
    write_marker(venv, {**marker, "complete": True})
    return True
