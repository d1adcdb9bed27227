"""Downloads from a server of the test's own: ranges, cuts, lies and full disks. The internet is
never asked."""

import errno
import hashlib
import http.server
import os
import threading
import time

import pytest
from pretend_omniglot import files, runs, zipped

from course_lib.__main__ import main
from course_lib.commands import fetch as module
from course_lib.commands.fetch import Download, FetchError, fetch
from course_lib.families import Omniglot

DATA = zipped(files("images_background", {"Angular": 5}))
ENOUGH = len(DATA) // 3


ODD_LENGTHS = ("many", "-5", "", "1e9", "9" * 30)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `data` under any name, in the ways that the tests set on the class's server."""

    def do_GET(self):
        how, data = self.server.how, self.server.data
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if how == "missing":
            return self.send_error(404)
        start = (
            int(asked.removeprefix("bytes=").removesuffix("-"))
            if asked and how != "no ranges"
            else 0
        )
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if asked and how != "no ranges" else 200)
        if asked and how != "no ranges":
            first = start - 1 if how == "another part" else start
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        if how in ODD_LENGTHS:
            self.send_header("Content-Length", how)
        elif how != "no length":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if how == "drips":
            for at in range(start, len(data)):
                if self.server.left.wait(0.01):
                    return None
                try:
                    self.wfile.write(data[at : at + 1])
                except OSError:
                    return None
            return None
        self.wfile.write(data[start : start + ENOUGH] if how == "cut" else data[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.how, running.data, running.asked = "well", DATA, []
        running.left = threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.left.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OMNIGLOT_ROOT", raising=False)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "omniglot"


def wanted(server, data=DATA, method="sha256", name="images_background.zip"):
    return Download(
        f"http://127.0.0.1:{server.server_port}/{name}",
        method,
        hashlib.new(method, data).hexdigest(),
    )


def left(cache):
    return sorted(file.name for file in cache.parent.rglob("*")) if cache.parent.exists() else []


def fails(what, cache, says):
    with pytest.raises(FetchError, match=says) as caught:
        fetch(what, cache)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("how", ["well", "no length"])
@pytest.mark.parametrize("method", ["sha256", "md5"])
def test_a_file_is_fetched_once(server, cache, capsys, how, method):
    server.how = how
    assert fetch(wanted(server, method=method), cache) is True
    assert (cache / "images_background.zip").read_bytes() == DATA and left(cache) == [
        "images_background.zip",
        "omniglot",
    ]
    assert Omniglot(root=cache).classes == 5
    assert fetch(wanted(server, method=method), cache) is False and server.asked == [None]
    assert ("images_background.zip, 100 kB each: 1 of 1" in capsys.readouterr().err) == (
        how == "well"
    )


def test_a_cut_download_is_continued_where_it_ended(server, cache, monkeypatch, capsys):
    monkeypatch.setattr(module, "BLOCK", 1000)
    server.how = "cut"
    fails(
        wanted(server),
        cache,
        f"connection ended after {ENOUGH} of {len(DATA)} bytes; fetch again to go on",
    )
    assert left(cache) == [
        "images_background.zip.partial",
        "omniglot",
    ]  # nothing that could be taken for the file
    fails(wanted(server), cache, f"ended after {2 * ENOUGH} of")
    server.how = "well"
    assert fetch(wanted(server), cache) and server.asked == [
        None,
        f"bytes={ENOUGH}-",
        f"bytes={2 * ENOUGH}-",
    ]
    assert (cache / "images_background.zip").read_bytes() == DATA and left(cache) == [
        "images_background.zip",
        "omniglot",
    ]
    assert (
        f"{2 * ENOUGH // 1000} of {-(-len(DATA) // 1000)}" in capsys.readouterr().err
    )  # the bar counts on


def test_a_server_without_ranges_sends_everything_again(server, cache):
    server.how = "cut"
    fails(wanted(server), cache, "connection ended")
    server.how = "no ranges"
    assert fetch(wanted(server), cache) and server.asked == [None, f"bytes={ENOUGH}-"]
    assert (cache / "images_background.zip").read_bytes() == DATA


@pytest.mark.parametrize("begun", [b"x" * 1000, DATA + b"more", b"x" * len(DATA)])
def test_a_foreign_beginning_is_thrown_away_and_all_is_fetched_anew(server, cache, begun):
    cache.mkdir(parents=True)
    (cache / "images_background.zip.partial").write_bytes(begun)
    assert fetch(wanted(server), cache) and len(server.asked) == 2 and server.asked[1] is None
    assert (cache / "images_background.zip").read_bytes() == DATA and left(cache) == [
        "images_background.zip",
        "omniglot",
    ]


def test_a_whole_download_that_was_not_yet_verified_is_used(server, cache):
    cache.mkdir(parents=True)
    (cache / "images_background.zip.partial").write_bytes(DATA)
    assert fetch(wanted(server), cache) and len(server.asked) == 1
    assert (cache / "images_background.zip").read_bytes() == DATA


def test_another_part_than_asked_for_is_refused(server, cache):
    cache.mkdir(parents=True)
    (cache / "images_background.zip.partial").write_bytes(DATA[:500])
    server.how = "another part"
    fails(wanted(server), cache, "sent another part")
    assert left(cache) == []


def test_a_wrong_checksum_leaves_nothing(server, cache):
    server.data = DATA[:-1] + b"x"
    said = fails(
        wanted(server), cache, "images_background.zip has the sha256 .* thrown away; fetch again"
    )
    assert hashlib.sha256(DATA).hexdigest() in said and left(cache) == []


def test_a_spoilt_file_in_the_cache_is_replaced_and_only_by_a_right_one(server, cache):
    cache.mkdir(parents=True)
    (cache / "images_background.zip").write_bytes(b"spoilt")
    (cache / "mine.txt").write_text("kept")
    server.how = "missing"
    fails(wanted(server), cache, "404")
    assert (cache / "images_background.zip").read_bytes() == b"spoilt"
    server.how = "well"
    assert fetch(wanted(server), cache) and (cache / "images_background.zip").read_bytes() == DATA
    assert (cache / "mine.txt").exists()


def test_a_refusal_of_the_server(server, cache):
    server.how = "missing"
    fails(
        wanted(server),
        cache,
        (
            "server answered 404 Not Found; try again later, or put the file into a folder and "
            "name that in OMNIGLOT_ROOT"
        ),
    )
    assert left(cache) == []


def test_no_network(server, cache):
    what = wanted(server)
    closed = what._replace(url="http://127.0.0.1:1/images_background.zip")
    fails(
        closed,
        cache,
        (
            r"127.0.0.1:1/images_background.zip cannot be reached \(.*\); check the network, "
            r"behind a proxy set HTTPS_PROXY"
        ),
    )
    fails(
        what._replace(url="http://nowhere.invalid/images_background.zip"),
        cache,
        "cannot be reached",
    )
    assert left(cache) == []


def test_a_connection_that_hangs(server, cache, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(Server, "do_GET", lambda self: release.wait(10))
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    fails(wanted(server), cache, r"cannot be reached \(timed out\)")
    release.set()
    assert left(cache) == []


@pytest.mark.parametrize(
    "data, says",
    [
        (zipped({"../evil.png": b"x"}), "'../evil.png', which leads out of it"),
        (zipped({"/etc/evil": b"x"}), "leads out of it"),
        (b"<html>", "not a zip file"),
    ],
)
def test_a_right_checksum_does_not_excuse_a_bad_archive(server, cache, data, says):
    server.data = data
    fails(wanted(server, data), cache, f"images_background.zip was thrown away: .*{says}")
    assert left(cache) == []


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT"])
def test_a_full_disk(server, cache, monkeypatch, code):
    def full(_file):
        raise OSError(getattr(errno, code), "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)  # the data is in the file by then
    fails(
        wanted(server),
        cache,
        "is full, so the begun download was removed; free 50 MB, or set COURSE_CACHE",
    )
    assert left(cache) == []


def test_a_link_in_the_place_of_a_partial_file_is_not_followed(server, cache, tmp_path):
    cache.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("untouched")
    (cache / "images_background.zip.partial").symlink_to(tmp_path / "elsewhere")
    fails(wanted(server), cache, "images_background.zip.partial is no regular file: remove it")
    assert (tmp_path / "elsewhere").read_text() == "untouched"


def test_of_two_fetches_at_once_one_works_and_the_other_says_so(server, cache):
    server.how, found, both = "well", [], threading.Barrier(2)

    def work():
        both.wait()
        try:
            found.append(fetch(wanted(server), cache))
        except FetchError as refusal:
            found.append(str(refusal))

    for _ in range(5):
        found.clear()
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert True in found
        other = next(one for one in found if one is not True)
        assert other is False or "is being fetched by another process" in other
        assert (cache / "images_background.zip").read_bytes() == DATA
        assert left(cache) == ["images_background.zip", "omniglot"]
        (cache / "images_background.zip").unlink()


def test_the_lock_of_a_killed_fetch_does_not_count(server, cache):
    cache.mkdir(parents=True)
    (cache / "images_background.zip.lock").write_text("999999999")
    assert fetch(wanted(server), cache)
    assert left(cache) == ["images_background.zip", "omniglot"]


@pytest.mark.parametrize(
    "limit, value, says",
    [
        ("LARGEST", 1000, "more than any file of Omniglot has; look at the address in a browser"),
        ("LONGEST", -1, "so it would never end; what came is kept, fetch again later"),
    ],
)
def test_a_server_that_never_ends_is_left(server, cache, monkeypatch, limit, value, says):
    monkeypatch.setattr(module, limit, value)
    server.how = "no length"
    fails(wanted(server), cache, says)


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    fails(
        wanted(server),
        tmp_path / "cache" / "omniglot",
        "cannot be written to .*; set COURSE_CACHE to a folder that you may write to",
    )
    assert (tmp_path / "cache").read_text() == "a file where the folder should be"


def test_an_interrupted_download_goes_on(server, cache, monkeypatch):
    blocks = module.read_blocks

    def interrupted(*given):
        yield next(blocks(*given))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "BLOCK", 1000)
    monkeypatch.setattr(module, "read_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(wanted(server), cache)
    monkeypatch.setattr(module, "read_blocks", blocks)
    assert fetch(wanted(server), cache) and server.asked == [None, "bytes=1000-"]
    assert (cache / "images_background.zip").read_bytes() == DATA


def test_the_command_fetches_what_the_course_reads(server, cache, monkeypatch, capsys):
    server.data = zipped(runs())
    both = [wanted(server, server.data, "md5", name) for name in ("all_runs.zip", "copy.zip")]
    monkeypatch.setattr(module, "OMNIGLOT", both)
    assert main(["fetch", "omniglot"]) == 0
    assert "all_runs.zip: fetched, md5 right" in capsys.readouterr().out
    monkeypatch.setenv("OMNIGLOT_ROOT", "elsewhere")
    assert main(["fetch", "omniglot"]) == 0
    out = capsys.readouterr().out
    assert "copy.zip: already there" in out and "OMNIGLOT_ROOT is set" in out
    monkeypatch.setattr(module, "SMALL", [both[0]._replace(url="http://127.0.0.1:1/x.zip")])
    assert main(["fetch", "omniglot", "--small"]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_the_addresses_and_checksums_are_the_published_ones(omniglot_root):
    assert [(what.url.rpartition("/master/")[2], what.digest) for what in module.OMNIGLOT[:2]] == [
        ("python/images_background.zip", "68d2efa1b9178cc56df9314c21c6e718"),
        ("python/images_evaluation.zip", "6b91aef0f799c5bb55b94e3f2daec811"),
    ]
    for what in module.SMALL:
        assert module.checksum(what, omniglot_root / what.name) == what.digest


def test_a_server_that_sends_a_byte_now_and_then_is_left(server, cache, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(module, "SLOWEST", 10_000)
    server.how = "drips"
    began = time.monotonic()
    fails(wanted(server), cache, r"bytes in 0 s, so it would never end; what came is kept")
    assert time.monotonic() - began < 2
    kept = (cache / "images_background.zip.partial").read_bytes()
    assert kept and DATA.startswith(kept)
    server.how = "well"
    assert fetch(wanted(server), cache) and server.asked == [None, f"bytes={len(kept)}-"]


@pytest.mark.parametrize("how", ODD_LENGTHS)
def test_an_odd_length_is_no_length(server, cache, how):
    server.how = how
    try:
        assert fetch(wanted(server), cache)
    except FetchError as error:  # a client may also hang up on such a header
        assert "\n" not in str(error)
    server.how = "well"
    fetch(wanted(server), cache)
    assert (cache / "images_background.zip").read_bytes() == DATA


def test_a_size_over_all_tries_is_limited(server, cache, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", len(DATA) - 1)
    fails(wanted(server), cache, "more than any file of Omniglot")
    assert left(cache) == []
    server.how = "no length"
    fails(wanted(server), cache, "more than any file of Omniglot")
    partial = cache / "images_background.zip.partial"
    assert partial.stat().st_size <= len(DATA)
    monkeypatch.setattr(module, "LARGEST", len(DATA) - 2)
    fails(wanted(server), cache, "more than any file of Omniglot")
    assert server.asked[-1] is None  # what was too large is not continued


@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
@pytest.mark.parametrize("ending", ["", ".lock", ".partial"])
def test_what_is_no_file_in_the_cache_is_left_alone(server, cache, tmp_path, what, ending):
    cache.mkdir(parents=True)
    place, kept = cache / f"images_background.zip{ending}", tmp_path / "kept"
    kept.write_text("mine")
    {"folder": place.mkdir, "pipe": lambda: os.mkfifo(place),
     "link": lambda: place.symlink_to(kept)}[what]()  # fmt: skip
    before = place.lstat().st_ino
    fails(wanted(server), cache, f"images_background.zip{ending} is no regular file: remove it")
    assert place.lstat().st_ino == before and kept.read_text() == "mine"


@pytest.mark.parametrize("text", ["", "abc", "-1", "99999999999999999999", "1\n2", "\udcff"])
def test_a_lock_with_odd_words_in_it_is_named(server, cache, text):
    cache.mkdir(parents=True)
    lock = cache / "images_background.zip.lock"
    lock.write_bytes(text.encode("utf-8", "surrogateescape"))
    said = fails(wanted(server), cache, "wait for it, or remove")
    assert str(lock) in said and lock.exists()
