"""Sets up the course in this folder and opens it. Python's standard library is enough for it.

    python3 start.py                 make .venv, install what is pinned, open the first chapter
    python3 start.py --cpu           the same with PyTorch's smaller build without CUDA (Linux)
    python3 start.py --no-browser    print the address and open nothing; --port N chooses the port
    python3 start.py test [words]    the same set-up, then the tests; words go to pytest: test -x

Everything installed stays in .venv: delete that folder to undo it. A set-up that was cut short is
mended at the next start. The set-up itself is environment.py.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys

OLDEST = (3, 11)
FIRST_CHAPTER = "notebooks/00_start_here.ipynb"
QUIET_JUPYTER = (
    "import sys\ntry:\n    from jupyterlab.labapp import main\n    sys.exit(main())\nexcept "
    "KeyboardInterrupt:\n    sys.exit(130)"
)


def too_old(version, newer=None):
    advice = (
        f"start with `{newer} start.py`"
        if newer
        else "install Python 3.12 from https://www.python.org/downloads/ and start with that"
    )
    return (
        f"This course needs Python {OLDEST[0]}.{OLDEST[1]} or newer and this is Python "
        f"{version[0]}.{version[1]}: {advice}."
    )


def newer_python(names=("python3.13", "python3.12", "python3.11", "python3")):
    """The name of a Python on the search path that is new enough and runs, or None."""
    for name in filter(shutil.which, names):
        test = [name, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]
        if subprocess.call(test, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return name
    return None


if (
    sys.version_info < OLDEST
):  # everything above must be understood by Python 3.6; below, new syntax may follow
    sys.exit(too_old(sys.version_info, newer_python()))

from environment import ROOT, Stop, answer, course_env, explain_os, say, set_up  # noqa: E402


def port_number(text):
    if text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(text + ": choose a whole number from 1 to 65535")


def read_words(words):
    """(options of this file, words for pytest or None). After `test` everything is pytest's but
    --cpu."""
    parser = argparse.ArgumentParser(
        prog="start.py",
        usage=argparse.SUPPRESS,
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cpu", action="store_true", help="PyTorch without CUDA")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address instead of opening it"
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="N",
        help="the port of JupyterLab, 1 to 65535",
    )
    if "test" not in words:
        return parser.parse_args(words), None
    cut = words.index("test")
    rest = words[cut + 1 :]
    options = parser.parse_args(words[:cut] + [word for word in rest if word == "--cpu"])
    return options, [word for word in rest if word != "--cpu"]


# ------------------------------------------------------------------ JupyterLab


def port_is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # as JupyterLab does: a port closed a moment ago counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def choose_port(asked, is_free=port_is_free):
    """The port asked for, or the first free one from 8888 on. (JupyterLab by itself would change
    the port without a word.)"""
    if asked and not is_free(asked):
        raise Stop(
            f"Port {asked} is taken or not allowed: choose another with --port, or leave --port "
            "out."
        )
    port = asked or next((number for number in range(8888, 8938) if is_free(number)), None)
    if port is None:
        raise Stop(
            "Ports 8888 to 8937 are all taken: close a JupyterLab, or choose a port with --port."
        )
    if port != (asked or 8888):
        say(f"Port 8888 is taken, perhaps by another JupyterLab, so this one uses port {port}.")
    return port


def jupyter_command(python, root, port, browser, is_root, others=0):
    """JupyterLab on this machine only, with its token, without the question about news and the look
    for updates.

    `others`: how many later ports it may try by itself, for the case of two starts in the same
    second.
    """
    page = "/lab/tree/" + FIRST_CHAPTER if (root / FIRST_CHAPTER).exists() else "/lab"
    command = [
        python,
        "-c",
        QUIET_JUPYTER,
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.port_retries={others}",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={page}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--ServerApp.answer_yes=True",
        "--log-level=WARN",
    ]
    return command + ["--no-browser"] * (not browser) + ["--allow-root"] * is_root


# ------------------------------------------------------------------ a browser for the tests


def browser_places(env):
    """Where Chrome, Chromium or Edge live: names on the search path, then full paths."""
    names = [
        "google-chrome",
        "google-chrome-stable",
        "chromium",
        "chromium-browser",
        "chrome",
        "msedge",
        "microsoft-edge",
    ]
    apps = ["Google Chrome", "Chromium", "Microsoft Edge"]
    mac = [
        f"{folder}/Applications/{app}.app/Contents/MacOS/{app}"
        for folder in ("", env.get("HOME", ""))
        for app in apps
    ]
    inside = [
        "Google/Chrome/Application/chrome.exe",
        "Chromium/Application/chrome.exe",
        "Microsoft/Edge/Application/msedge.exe",
    ]
    windows = [
        f"{env[key]}/{path}"
        for key in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        if env.get(key)
        for path in inside
    ]
    return names, mac + windows


def find_browser(
    env, which=shutil.which, exists=os.path.exists, works=lambda path: answer([path, "--version"])
):
    """COURSE_BROWSER, or a browser of the system, or None. Ubuntu has a `chromium-browser` that is
    only a note, hence `works`."""
    if env.get("COURSE_BROWSER"):
        return env["COURSE_BROWSER"]
    names, paths = browser_places(env)
    for path in list(filter(None, map(which, names))) + list(filter(exists, paths)):
        if not sys.platform.startswith("linux") or works(path):
            return path
    return None


def fetch_browser(python, env, exists=os.path.exists, ask=answer, call=subprocess.call):
    """Playwright's own Chromium, fetched if need be; None after saying loudly that there is
    none."""
    place = ask(
        [
            python,
            "-c",
            (
                "from playwright.sync_api import sync_playwright as p\nwith p() as play: "
                "print(play.chromium.executable_path)"
            ),
        ]
    )
    if not exists(place):
        say(
            "No Chromium, Chrome or Edge was found; trying to fetch one (about 150 MB, at most 5 "
            "minutes)."
        )
        try:
            call([python, "-m", "playwright", "install", "chromium"], env=env, timeout=300)
        except subprocess.TimeoutExpired:
            pass
    if exists(place):
        return place
    fate = "fail, because CI is set" if env.get("CI") else "be SKIPPED"
    say(
        f"\n*** There is no browser, so the browser checks will {fate}: install Chromium or "
        "Chrome and run the tests again. ***\n"
    )
    return None


# ------------------------------------------------------------------ all together


def run(command, env):
    """Run a child in sight and return its exit code. Ctrl-C reaches the child too, so here it is
    only waited for."""
    child = subprocess.Popen(command, cwd=str(ROOT), env=env)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        try:
            code = child.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            pass


def main(words):
    options, pytest_words = read_words(words)
    venv = ROOT / ".venv"
    if pytest_words is not None:
        python, env = set_up(ROOT, test=True, cpu=options.cpu), course_env(os.environ, venv)
        browser = (
            None
            if "not browser" in pytest_words
            else find_browser(env) or fetch_browser(python, env)
        )
        return run(
            [python, "-m", "pytest", *pytest_words],
            {**env, "COURSE_BROWSER": browser} if browser else env,
        )
    if options.port:
        choose_port(options.port)  # before a long install, not after it
    python = set_up(ROOT, test=False, cpu=options.cpu)
    port = choose_port(options.port)
    where = "at the address below" if options.no_browser else "in your browser"
    say(f"JupyterLab opens {where}. To end it, press Ctrl-C here.")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    command = jupyter_command(
        python, ROOT, port, not options.no_browser, is_root, others=0 if options.port else 9
    )
    return run(command, course_env(os.environ, venv))


def guarded(work, *inputs):
    """The exit code of `work`; whatever stops it is told in one sentence, without a traceback."""
    try:
        return work(*inputs)
    except Stop as problem:
        sentence, code = str(problem), 1
    except OSError as problem:
        sentence, code = explain_os(problem), 1
    except KeyboardInterrupt:
        sentence, code = "Stopped. The next start goes on from here.", 130
    print("\n" + sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a folder name that this terminal cannot show
    sys.exit(guarded(main, sys.argv[1:]))
