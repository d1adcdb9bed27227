"""start.py: whatever goes wrong is told in one sentence that says what to do, without a
traceback."""

import re
import socket

import pytest
from pretend_setup import awkward_folder, set_up

import environment
import start


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return awkward_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "text, words",
    [
        (
            (
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
                "device"
            ),
            "disk is full",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by "
            "'NewConnectionError('<pip._vendor...>: Failed to establish a new connection: "
            "[Errno -3] Temporary failure in name resolution')'\nERROR: No matching distribution "
            "found for torch==2.13.0",
            "network",
        ),
        (
            "ReadTimeoutError(\"HTTPSConnectionPool(host='pypi.org', port=443): Read timed out.\")",
            "network",
        ),
        (
            (
                "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
                "certificate verify failed'))"
            ),
            "PIP_CERT",
        ),
        (
            (
                "ERROR: Could not find a version (from versions: 2.2.2)\nERROR: No matching "
                "distribution found for torch==2.13.0"
            ),
            "no build for this computer",
        ),
        (
            (
                "ERROR: [WinError 5] Access is denied: "
                "'C:\\\\course\\\\.venv\\\\torch\\\\lib\\\\c10.dll'"
            ),
            "close every JupyterLab",
        ),
        (
            (
                "HINT: This error might have occurred since this system does not have Windows "
                "Long Path support enabled."
            ),
            "short folder",
        ),
        (
            (
                'OSError: [WinError 126] Error loading "C:\\x\\torch\\lib\\c10.dll" or one of its '
                "dependencies."
            ),
            "vc_redist",
        ),
        (
            "something\nERROR: a thing nobody foresaw\n\n",
            r"\(ERROR: a thing nobody foresaw\).*delete the folder .venv",
        ),
    ],
)
def test_what_pip_writes_becomes_a_sentence(text, words):
    sentence = environment.explain(text)
    assert re.search(words, sentence) and "\n" not in sentence and sentence.endswith(".")


@pytest.mark.parametrize(
    "problem, code, words",
    [
        (environment.Stop("Do this."), 1, "Do this."),
        (OSError(28, "No space left on device"), 1, "disk is full"),
        (PermissionError(13, "Permission denied"), 1, "folder of your own"),
        (OSError(30, "Read-only file system"), 1, "folder of your own"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_no_traceback_whatever_stops_the_start(problem, code, words, capsys):
    def work():
        raise problem

    assert start.guarded(work) == code
    said = capsys.readouterr()
    assert words in said.err and len(said.err.strip().splitlines()) == 1 and said.out == ""


def test_too_little_space_is_said_before_the_install(folder, monkeypatch):
    monkeypatch.setattr(
        environment.shutil,
        "disk_usage",
        lambda _: type("Usage", (), {"free": 1.2 * environment.GB}),
    )
    with pytest.raises(
        environment.Stop, match=r"about 2.0 GB here and 1.2 GB are free: free some space"
    ):
        set_up(folder)
    assert not (folder / ".venv").exists()


def test_a_python_without_ensurepip_is_told_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        environment.Stop, match=r"ensurepip is missing: install it .*apt install python3\.\d+-venv"
    ):
        set_up(folder)
    assert not (folder / ".venv").exists()


def test_an_environment_does_not_delete_the_python_that_runs_it(tmp_path):
    with pytest.raises(environment.Stop, match="deactivate"):
        environment.check_venv_can_be_made(tmp_path, ensurepip=True, prefix=str(tmp_path))


def test_the_smaller_build_is_advised_where_no_driver_is(capsys):
    environment.announce(cpu=False, linux=True, nvidia=False)
    assert "--cpu is the better choice" in capsys.readouterr().out
    environment.announce(cpu=True, linux=True, nvidia=False)
    assert "1.3 GB" in (said := capsys.readouterr().out) and "--cpu" not in said


def test_a_taken_port(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(environment.Stop, match=f"Port {number} is taken"):
            start.choose_port(number)
    assert start.choose_port(number) == number
    assert start.choose_port(None, is_free=lambda port: port > 8889) == 8890
    assert (
        capsys.readouterr().out
        == "Port 8888 is taken, perhaps by another JupyterLab, so this one uses port 8890.\n"
    )
    with pytest.raises(environment.Stop, match="all taken"):
        start.choose_port(None, is_free=lambda port: False)


@pytest.mark.parametrize("port", ["0", "65536", "70000", "-1", "x", "8_8", "\u0663", "9" * 400])
def test_a_port_that_is_none_is_one_sentence(port, capsys):
    with pytest.raises(SystemExit):
        start.read_words([f"--port={port}"])
    said = capsys.readouterr().err
    assert "choose a whole number from 1 to 65535" in said and len(said) < 1000
