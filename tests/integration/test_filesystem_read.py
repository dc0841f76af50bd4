"""The filesystem tools that read: contents by encoding and by line, several files, media, metadata;
what is refused, and how much memory it takes."""

import base64
import codecs
import hashlib
import os
import pathlib
import re
import socket
import stat
import threading
import time

import pytest

from fleet import SLOWNESS
from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-filesystem"
MIB = 1 << 20
GIB = 1 << 30

pytestmark = pytest.mark.sanitizers


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "docs"
    root.mkdir()
    (tmp_path / "secret").write_text("not for you\n")
    return root


@pytest.fixture
def start(root):
    started = []

    def start(*more_roots, **settings):
        started.append(StdioWorker(PROGRAM, [root, *more_roots], settings))
        return started[-1]

    yield start
    for worker in started:
        assert worker.close() == 0


@pytest.fixture
def worker(start):
    return start()


def put(root, name, content):
    path = root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def failure(worker, tool, **arguments):
    """The text of a call that must fail."""
    result = worker.result(tool, **arguments)
    assert result.get("isError"), result
    return result["content"][0]["text"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Whole files

def test_whole_file(worker, root):
    data = "première\r\nsecond\n\nthird".encode()
    put(root, "a.txt", data)
    out, text = worker.call("code_read", path="a.txt")
    assert text == data.decode()
    assert out == {
        "path": "a.txt", "content": text, "encoding": "utf-8", "lossy": False, "size": len(data),
        "line_ending": "mixed", "start_line": 1, "end_line": 4, "total_lines": 4,
        "truncated": False, "sha256": sha256(data),
    }


def test_path_as_it_was_asked(worker, root):
    put(root, "a", "x")
    for path in ("a", str(root / "a"), "./a", "b/../a"):
        assert worker.data("code_read", path=path)["path"] == path
        assert worker.data("code_get_info", path=path)["path"] == path


@pytest.mark.parametrize("data, lines, ending", [
    (b"", 0, "none"), (b"a", 1, "none"), (b"a\n", 1, "lf"), (b"\n", 1, "lf"),
    (b"a\r\nb\r\n", 2, "crlf"), (b"a\rb", 1, "none"), (b"a\nb\r\n", 2, "mixed"),
])
def test_line_ends(worker, root, data, lines, ending):
    put(root, "a", data)
    out = worker.data("code_read", path="a")
    assert (out["total_lines"], out["line_ending"]) == (lines, ending)
    assert (out["start_line"], out["end_line"]) == (1, lines)
    assert out["content"].encode() == data and out["sha256"] == sha256(data)


@pytest.mark.parametrize("encoding, mark, told", [
    ("utf-8", b"", "utf-8"), ("utf-8", codecs.BOM_UTF8, "utf-8"),
    ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16le"), ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16be"),
    ("utf-32-le", codecs.BOM_UTF32_LE, "utf-32le"), ("utf-32-be", codecs.BOM_UTF32_BE, "utf-32be"),
])
def test_encoding_by_mark(worker, root, encoding, mark, told):
    content = "".join(f"{i} žluťoučký \U0001f600 \u0a0a\n" for i in range(5000))
    put(root, "a", mark + content.encode(encoding))
    out = worker.data("code_read", path="a")
    assert (out["encoding"], out["lossy"], out["total_lines"]) == (told, False, 5000)
    assert out["content"] == ("\ufeff" if mark else "") + content
    part = worker.data("code_read", path="a", offset=4001, limit=2)
    assert part["content"] == "".join(content.splitlines(True)[4000:4002])
    part = worker.data("code_read", path="a", tail=3000)
    assert part["content"] == "".join(content.splitlines(True)[2000:])
    assert (part["start_line"], part["end_line"], part["total_lines"]) == (2001, 5000, 5000)


@pytest.mark.parametrize("encoding, python", [
    ("utf-16le", "utf-16-le"), ("utf-16be", "utf-16-be"), ("latin1", "latin-1"),
    ("windows-1252", "cp1252"), ("shift_jis", "cp932"),
])
def test_encoding_by_name(worker, root, encoding, python):
    content = "ÄÖÜ é\r\n" * 3 if "1" in encoding else "表 日本語 ｱ\\\n" * 3
    put(root, "a", content.encode(python))
    out = worker.data("code_read", path="a", encoding=encoding)
    assert (out["content"], out["encoding"], out["lossy"]) == (content, encoding, False)


def test_bytes_that_are_no_text(worker, root):
    put(root, "a", b"ok\xff\xfe\n\xe2\x82")
    out = worker.data("code_read", path="a")
    assert (out["content"], out["lossy"]) == ("ok\ufffd\ufffd\n\ufffd", True)
    put(root, "a", codecs.BOM_UTF16_LE + b"a\0\x3d\xd8b\0c")
    out = worker.data("code_read", path="a")
    assert (out["content"], out["lossy"]) == ("\ufeffa\ufffdb\ufffd", True)
    put(root, "a", b"\x93\x81")
    out = worker.data("code_read", path="a", encoding="windows-1252")
    assert (out["content"], out["lossy"]) == ("“\ufffd", True)


def test_half_a_unit_at_the_end(worker, root):
    put(root, "a", codecs.BOM_UTF16_LE + b"a\0\n\0b\0\n\0c")
    out = worker.data("code_read", path="a", tail=1)
    assert (out["content"], out["start_line"], out["truncated"]) == ("\ufffd", 3, False)
    out = worker.data("code_read", path="a", tail=2)
    assert (out["content"], out["total_lines"]) == ("b\n\ufffd", 3)


def test_binary(worker, root):
    put(root, "a", b"x" * 8191 + b"\0")
    assert failure(worker, "code_read", path="a").startswith("binary_file: ")
    assert failure(worker, "code_read", path="a", encoding="latin1").startswith("binary_file: ")
    assert worker.data("code_read", path="a", encoding="utf-16le")["lossy"] is False
    put(root, "a", b"x" * 8192 + b"\0")
    assert worker.data("code_read", path="a")["content"] == "x" * 8192 + "\0"


# Parts

LINES = [f"line {i}{end}" for i, end in zip(range(1, 31), ["\n", "\r\n", "\n"] * 10)]


@pytest.mark.parametrize("arguments, first, last", [
    ({"head": 1}, 1, 1), ({"head": 29}, 1, 29), ({"head": 30}, 1, 30), ({"head": 31}, 1, 30),
    ({"tail": 1}, 30, 30), ({"tail": 29}, 2, 30), ({"tail": 30}, 1, 30), ({"tail": 31}, 1, 30),
    ({"offset": 1}, 1, 30), ({"offset": 30}, 30, 30), ({"limit": 3}, 1, 3),
    ({"offset": 7, "limit": 5}, 7, 11), ({"offset": 29, "limit": 5}, 29, 30),
    ({"offset": 31}, 31, 30), ({"offset": 1000, "limit": 5}, 1000, 999),
])
@pytest.mark.parametrize("ended", [True, False])
def test_lines(worker, root, arguments, first, last, ended):
    lines = LINES if ended else [*LINES[:-1], "line 30"]
    data = "".join(lines)
    put(root, "a", data)
    out, text = worker.call("code_read", path="a", **arguments)
    assert text == out["content"] == "".join(lines[first - 1:last])
    assert (out["start_line"], out["end_line"]) == (first, last)
    assert out["truncated"] == (last < 30)
    assert out.get("total_lines") == (None if last < 30 else 30)
    assert out.get("sha256") == (sha256(data.encode()) if (first, last) == (1, 30) else None)

    numbered = worker.text("code_read", path="a", line_numbers=True, **arguments)
    assert numbered == "".join(
        f"{i:6}\t{line}" for i, line in enumerate(lines[first - 1:last], first))


def test_lines_against_python(worker, root):
    """Line ends at the borders of the blocks in which a file is read."""
    content = "".join("x" * (i % 700) + ("\r\n" if i % 3 else "\n") for i in range(3000))
    for pad in (0, 1, 2):
        data = "y" * pad + content
        lines = data.splitlines(True)
        put(root, "a", data)
        for n in (1, 2, 187, 188, 189, 1500, 2999, 3000, 3001):
            assert worker.text("code_read", path="a", head=n) == "".join(lines[:n])
            assert worker.text("code_read", path="a", tail=n) == "".join(lines[-n:])
            assert worker.text("code_read", path="a", offset=n, limit=7) == \
                "".join(lines[n - 1:n + 6])


def test_parts_exclude_each_other(worker, root):
    put(root, "a", "x\n")
    for arguments in ({"head": 1, "tail": 1}, {"head": 1, "offset": 1}, {"tail": 1, "limit": 1},
                      {"head": 1, "limit": 1}):
        assert failure(worker, "code_read", path="a", **arguments).startswith("invalid_argument: ")
    for arguments in ({"head": 0}, {"tail": -1}, {"offset": 0}, {"encoding": "utf-7"},
                      {"max_size_mb": 51}, {"lines": 1}, {}):
        assert failure(worker, "code_read", **({"path": "a"} if arguments else {}), **arguments) \
            .startswith("invalid_argument: ")


def test_too_large(start, root):
    worker = start()
    put(root, "a", "0123456789abcde\n" * 65537)
    text = failure(worker, "code_read", path="a", max_size_mb=1)
    assert text.startswith("too_large: ") and str(16 * 65537) in text and "head" in text
    # By lines, the limit is that of what is returned.
    assert worker.data("code_read", path="a", max_size_mb=1, tail=65536)["total_lines"] == 65537
    for arguments in ({"head": 65537}, {"tail": 65537}, {"offset": 2, "limit": 1000000}):
        out = worker.result("code_read", path="a", max_size_mb=1, **arguments)
        if arguments.get("offset"):
            assert not out.get("isError")
        else:
            assert out["content"][0]["text"].startswith("too_large: ")
    # How much fits is said, and does.
    text = failure(worker, "code_read", path="a", max_size_mb=0.5, head=65537)
    fits = int(re.search(r"limit=(\d+)", text).group(1))
    assert fits == 32768
    assert worker.data("code_read", path="a", max_size_mb=0.5, limit=fits)["end_line"] == fits
    failure(worker, "code_read", path="a", max_size_mb=0.5, limit=fits + 1)
    put(root, "b", "x" * 2 * MIB)
    assert "line 1 of" in failure(worker, "code_read", path="b", head=1, max_size_mb=1)


def test_more_than_an_answer_can_hold(start, root):
    worker = start(max_result_bytes=65536)
    put(root, "a", "x" * 33000)
    assert failure(worker, "code_read", path="a").startswith("too_large: ")
    put(root, "a", "x" * 30000)
    assert worker.data("code_read", path="a")["size"] == 30000
    put(root, "a", "\x01" * 30000)  # six bytes each as JSON, twice
    assert failure(worker, "code_read", path="a").startswith("too_large: ")
    put(root, "a", b"\xff" * 20000)  # three bytes each
    assert failure(worker, "code_read", path="a").startswith("too_large: ")
    put(root, "a", "\n" * 8000)
    assert failure(worker, "code_read", path="a", line_numbers=True).startswith("too_large: ")
    put(root, "a", codecs.BOM_UTF32_LE + ("x" * 14000).encode("utf-32-le"))
    assert worker.data("code_read", path="a")["content"] == "\ufeff" + "x" * 14000
    assert failure(worker, "code_read_media", path="a").startswith("too_large: ")


def check_memory(worker):
    """Sanitizers keep memory that was freed for a while: then there is nothing to measure."""
    if b"__asan_init" in PROGRAM.read_bytes():
        return
    status = pathlib.Path(f"/proc/{worker.process.pid}/status").read_text()
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) < 64 * 1024


@pytest.fixture
def huge(root):
    """1 GiB: 2000 lines, a hole, 2000 lines."""
    path = root / "huge"
    begin = "".join(f"begin {i}\n" for i in range(1, 2001)).encode()
    end = b"\n" + "".join(f"end {i}\n" for i in range(1, 2001)).encode()
    with path.open("wb") as file:
        file.write(begin)
        file.seek(GIB - len(end))
        file.write(end)
    assert path.stat().st_size == GIB
    return path


def test_huge_file_in_little_memory(worker, root, huge):
    out = worker.data("code_read", path="huge", head=3)
    assert out["content"] == "begin 1\nbegin 2\nbegin 3\n"
    assert (out["size"], out["truncated"]) == (GIB, True)
    out = worker.data("code_read", path="huge", tail=2)
    assert out["content"] == "end 1999\nend 2000\n" and out["truncated"] is False
    assert "start_line" not in out and "total_lines" not in out
    # 2000 lines, and one that is the hole.
    out = worker.data("code_read", path="huge", offset=2002, limit=2)
    assert (out["content"], out["start_line"]) == ("end 1\nend 2\n", 2002)
    assert worker.text("code_read", path="huge", tail=1, line_numbers=True) == "  4001\tend 2000\n"
    for arguments in ({}, {"head": 2001}, {"tail": 2001}, {"offset": 2001, "limit": 1}):
        text = failure(worker, "code_read", path="huge", **arguments)
        assert text.startswith("too_large: ") and len(text) < 1000
    for tool in ("code_read_many", "code_read_media"):
        arguments = {"paths": ["huge"]} if tool == "code_read_many" else {"path": "huge"}
        assert "too_large: " in failure(worker, tool, max_size_mb=50, **arguments)
    assert "lines" not in worker.data("code_get_info", path="huge")
    check_memory(worker)


def test_largest_answers_in_little_memory(worker, root):
    put(root, "a", b"\xff\n" * (3 * MIB))
    assert failure(worker, "code_read", path="a", max_size_mb=50).startswith("too_large: ")
    put(root, "b", b"text of a line\n" * 180000)
    assert worker.data("code_read", path="b")["size"] == 2700000
    assert worker.data("code_read_many", paths=["b"] * 50)["failed"] == 49
    put(root, "c", b"\x89PNG\r\n\x1a\n" + b"\0" * 2900000)
    assert worker.data("code_read_media", path="c")["size"] == 2900008
    check_memory(worker)


def test_hash_of_a_large_file_can_be_cancelled(worker, root):
    path = root / "large"
    with path.open("wb") as file:
        file.truncate(200 * GIB)
    worker.send({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "code_get_info", "arguments": {"path": "large", "hash": True}}})
    worker.send({"jsonrpc": "2.0", "id": 8, "method": "ping"})
    assert worker.receive()["id"] == 8  # it runs
    before = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": 7})
    worker.send({"jsonrpc": "2.0", "id": 9, "method": "ping"})
    assert worker.receive()["id"] == 9
    assert time.monotonic() - before < 5 * SLOWNESS


def test_hash_of_a_large_file_ends_in_time(start, root):
    worker = start(call_timeout_ms=1000)
    with (root / "large").open("wb") as file:
        file.truncate(200 * GIB)
    assert failure(worker, "code_get_info", path="large", hash=True).startswith("timeout: ")
    assert failure(worker, "code_read", path="large", encoding="utf-16le", offset=1000000000) \
        .startswith("timeout: ")


# What is refused

@pytest.fixture
def hostile(root, tmp_path):
    """Every way out, and every thing that is no file. path: code of code_read."""
    (root / "dir").mkdir()
    put(root, "dir/file", "inside\n")
    os.mkfifo(root / "fifo")
    (root / "out").symlink_to("../secret")
    (root / "absolute").symlink_to(root / "dir/file")
    (root / "up").symlink_to("..")
    (root / "magic").symlink_to("/proc/self/environ")
    (root / "fd").symlink_to("/proc/self/fd/0")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    codes = {
        "": "invalid_argument", "x" * 256: "invalid_argument", "a/" * 2100: "invalid_argument",
        "nowhere": "not_found", "dir/nowhere": "not_found", "dangling": "not_found",
        "~/.bashrc": "not_found", "%2e%2e/secret": "not_found", "..\\secret": "not_found",
        f"file://{root}/dir/file": "not_found", "C:/secret": "not_found",
        ".": "is_a_directory", "dir": "is_a_directory", "dir/": "is_a_directory",
        "fifo": "special_file", "dir/file/x": "not_a_directory",
        "..": "outside_roots", "../secret": "outside_roots", "dir/../../secret": "outside_roots",
        "/": "outside_roots", "/etc/passwd": "outside_roots", "/proc/self/environ": "outside_roots",
        str(tmp_path / "secret"): "outside_roots", f"{root}/../secret": "outside_roots",
        "out": "outside_roots", "absolute": "outside_roots", "up/secret": "outside_roots",
        "magic": "outside_roots", "fd": "outside_roots", "loop": "outside_roots",
    }
    server = socket.socket(socket.AF_UNIX)
    here = os.open(".", os.O_RDONLY)
    os.chdir(root)
    server.bind("socket")
    os.fchdir(here)
    os.close(here)
    codes["socket"] = "special_file"
    try:
        os.mknod(root / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        codes["device"] = "special_file"
    except PermissionError:
        pass
    yield codes
    server.close()


def test_every_way_out_is_closed(worker, root, hostile):
    for path, code in hostile.items():
        for tool in ("code_read", "code_read_media", "read_file"):
            text = failure(worker, tool, path=path)
            assert text.startswith(code + ": "), (tool, path, text)
            assert "not for you" not in text and len(text) < 1100
        out = worker.result("code_read_many", paths=[path])
        assert out["isError"] and out["structuredContent"]["failed"] == 1
        assert out["structuredContent"]["files"][0]["error"].startswith(code + ": ")
    assert "symlink must be relative" in failure(worker, "code_read", path="absolute")
    for path in ("dir/file", str(root / "dir/file"), f"{root}//dir/./file", "dir/../dir/file"):
        assert worker.text("code_read", path=path) == "inside\n"


def test_info_follows_nothing(worker, root, hostile):
    for path, code in hostile.items():
        if path in ("", "x" * 256, "a/" * 2100) or code in ("outside_roots", "not_found",
                                                           "not_a_directory"):
            if not path or not (root / path[:200]).is_symlink():
                assert failure(worker, "code_get_info", path=path, hash=True) \
                    .startswith(code + ": "), path
    kinds = {"dir": "directory", "fifo": "fifo", "socket": "socket", "dir/file": "file",
             "out": "symlink", "device": "device"}
    for path, kind in kinds.items():
        if path != "device" or path in hostile:
            assert worker.data("code_get_info", path=path, hash=True)["type"] == kind
    inside = {"out": False, "absolute": True, "up": False, "magic": False, "loop": False,
              "dangling": True}
    for path, is_inside in inside.items():
        out, text = worker.call("code_get_info", path=path)
        assert out["type"] == "symlink" and out["target_inside_roots"] == is_inside, path
        assert out["symlink_target"] == os.readlink(root / path)
        assert "sha256" not in out and ("outside" in text) != is_inside


def test_where_a_symlink_leads(worker, root):
    """By the kernel's judgement; by text where nothing is."""
    (root / "b/c").mkdir(parents=True)
    (root / "a").symlink_to("b/c")
    put(root, "x", "")
    for target, is_inside in {
        "../../x": True, "../../../x": False, "nowhere": True, "nowhere/../../../x": True,
        "nowhere/../../../../x": False, str(root / "nowhere"): True, f"{root}/../x": False,
        f"{root}-secret": False, "../../x/y": True, ".": True, "/": False,
    }.items():
        (root / "b/c/link").symlink_to(target)
        for path in ("a/link", "b/c/link"):
            out = worker.data("code_get_info", path=path)
            assert out["target_inside_roots"] == is_inside, (path, target)
        (root / "b/c/link").unlink()


def test_names_that_only_look_alike(worker, start, root, tmp_path):
    (tmp_path / "docs-secret").mkdir()
    put(tmp_path / "docs-secret", "file", "secret\n")
    path = str(tmp_path / "docs-secret/file")
    assert failure(worker, "code_read", path=path).startswith("outside_roots: ")
    assert start(tmp_path / "docs-secret").text("code_read", path=path) == "secret\n"


def test_names_with_anything_in_them(worker, root):
    names = ["new\nline", "tab\there", " lead", "quote\"'", "*", "-rf", "\u202eevil", "\U0001f600",
             "a\\b", "\"", "\x7f"]
    for name in names:
        put(root, name, f"{name!r}\n")
        assert worker.text("code_read", path=name) == f"{name!r}\n"
        out, text = worker.call("code_get_info", path=name)
        assert out["path"] == name
        assert text.splitlines()[0].startswith("File info for ") and text.count("\n") >= 6
    out, text = worker.call("code_read_many", paths=["new\nline", "no\nsuch: Error"])
    assert out["files"][0]["path"] == "new\nline"
    assert text.startswith('"new\\nline":\n') and '---\n"no\\nsuch: Error": Error - ' in text
    media = worker.result("code_read_media", path="new\nline")
    assert media["content"][0]["resource"]["uri"] == f"file://{root}/new%0Aline"
    # No request can name this one; what holds it can be looked at all the same.
    (root / "dir").mkdir()
    os.close(os.open(os.fsencode(root / "dir") + b"/\xff\xfe", os.O_CREAT, 0o600))
    (root / "link").symlink_to(b"dir/\xff\xfe".decode(errors="surrogateescape"))
    assert worker.data("code_get_info", path="dir")["entries"] == 1
    assert worker.data("code_get_info", path="link")["symlink_target"] == "dir/\ufffd\ufffd"
    assert worker.data("code_read", path="link")["size"] == 0
    result = worker.request("tools/call", {"name": "code_read", "arguments": {"path": "a\0b"}})
    assert result["result"]["content"][0]["text"].startswith("invalid_argument: ")


@pytest.fixture
def without_privileges(root, tmp_path):
    """The worker as somebody to whom the modes of files apply, also when the tests run as root."""
    if os.geteuid() == 0:
        program = put(tmp_path, "start", "#!/bin/sh\nexec setpriv --inh-caps=-all "
                      f"--bounding-set=-dac_override,-dac_read_search {PROGRAM} \"$@\"\n")
        program.chmod(0o700)
    else:
        program = PROGRAM
    with StdioWorker(program, [root]) as worker:
        yield worker


def test_not_readable(without_privileges, root):
    worker = without_privileges
    put(root, "a", "x").chmod(0)
    for tool in ("code_read", "code_read_media"):
        assert failure(worker, tool, path="a").startswith("permission_denied: ")
    assert failure(worker, "code_get_info", path="a", hash=True).startswith("permission_denied: ")
    assert worker.data("code_get_info", path="a")["size"] == 1
    (root / "dir").mkdir(0)
    assert failure(worker, "code_read", path="dir/x").startswith("permission_denied: ")
    assert "entries" not in worker.data("code_get_info", path="dir")


def test_a_writer_of_a_fifo_is_not_woken(worker, root):
    """Opening a FIFO for reading, even for a moment, would let the writer write into nothing."""
    os.mkfifo(root / "fifo")
    opened = threading.Event()

    def write():
        os.close(os.open(root / "fifo", os.O_WRONLY))
        opened.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(50):
            assert failure(worker, "code_read", path="fifo").startswith("special_file: ")
            assert worker.data("code_get_info", path="fifo")["type"] == "fifo"
        assert not opened.is_set()
    finally:
        os.close(os.open(root / "fifo", os.O_RDONLY | os.O_NONBLOCK))
        reader = os.open(root / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(reader)


def test_hard_links_and_inner_links_are_read(worker, root, tmp_path):
    put(root, "a", "content\n")
    os.link(root / "a", root / "b")
    (root / "dir").mkdir()
    (root / "dir/link").symlink_to("../b")
    (root / "dirlink").symlink_to("dir")
    for path in ("b", "dir/link", "dirlink/link"):
        assert worker.text("code_read", path=path) == "content\n"
    assert worker.data("code_get_info", path="b")["nlink"] == 2


# Several files

def test_many(worker, root):
    put(root, "a", "one\n")
    put(root, "b", "no end")
    put(root, "c", b"\0")
    out, text = worker.call("code_read_many", paths=["a", "nowhere", "b", "c", "a"])
    assert [f.get("content") for f in out["files"]] == ["one\n", None, "no end", None, "one\n"]
    assert [f["path"] for f in out["files"]] == ["a", "nowhere", "b", "c", "a"]
    assert out["failed"] == 2
    pieces = text.split("---\n")
    assert pieces[0] == "a:\none\n" and pieces[2] == "b:\nno end\n"
    assert pieces[1].startswith("nowhere: Error - not_found: ")
    assert pieces[3].startswith("c: Error - binary_file: ") and pieces[4] == "a:\none\n"
    assert failure(worker, "code_read_many", paths=[]).startswith("invalid_argument: ")
    assert failure(worker, "code_read_many", paths=["a"] * 51).startswith("invalid_argument: ")


def test_many_fill_the_answer(start, root):
    worker = start(max_result_bytes=512 * 1024)
    put(root, "half", "x" * 120000)
    put(root, "small", "small\n")
    put(root, "quotes", '"' * 100000)
    result = worker.result("code_read_many", paths=["half", "half", "quotes", "small"] + ["nowhere"] * 20)
    files = result["structuredContent"]["files"]
    assert [len(f.get("content", "")) for f in files[:4]] == [120000, 0, 0, 6]
    for file in files[1:3]:
        assert file["error"].startswith("too_large: ") and "code_read" in file["error"]
    assert result["structuredContent"]["failed"] == 22 and "isError" not in result
    # Names that are as long as they can be, in an answer as small as it can be.
    long = "/".join(["\x01" * 200] * 20)
    result = worker.result("code_read_many", paths=[long] * 5 + ["small"])
    assert result["structuredContent"]["files"][5]["content"] == "small\n"


def test_many_limit_of_each(worker, root):
    put(root, "a", "x" * 2000)
    put(root, "b", "x" * 1000)
    out = worker.data("code_read_many", paths=["a", "b"], max_size_mb=0.001)
    assert out["files"][0]["error"].startswith("too_large: ") and "2000" in out["files"][0]["error"]
    assert out["files"][1]["content"] == "x" * 1000


# Media

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
                       "awAAAABJRU5ErkJggg==")


@pytest.mark.parametrize("name, data, kind, mime_type", [
    ("a.png", PNG, "image", "image/png"),
    ("a.jpg", PNG, "image", "image/png"),  # the content counts
    ("a.svg", b"<svg/>", "image", "image/svg+xml"),
    ("a.wav", b"RIFF\4\0\0\0WAVE", "audio", "audio/wav"),
    ("a.pdf", b"%PDF-1.7\n\xff", "resource", "application/pdf"),
    ("a.docx", b"PK\3\4....", "resource",
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("a.png", b"plain text", "resource", "text/plain"),
    ("a", b"\0\1\2", "resource", "application/octet-stream"),
    ("a", b"", "resource", "text/plain"),
])
def test_media(worker, root, name, data, kind, mime_type):
    put(root, name, data)
    result = worker.result("code_read_media", path=name)
    assert result["structuredContent"] == {
        "path": name, "mime_type": mime_type, "size": len(data), "sha256": sha256(data)}
    [block] = result["content"]
    assert block["type"] == kind
    if kind == "resource":
        block = block["resource"]
        assert block["uri"] == f"file://{root}/{name}"
        assert base64.b64decode(block["blob"], validate=True) == data
    else:
        assert base64.b64decode(block["data"], validate=True) == data
    assert block["mimeType"] == mime_type
    assert worker.data("code_get_info", path=name)["mime_type"] == mime_type


def test_media_too_large(worker, root):
    put(root, "a", b"\0" * (3 * MIB + 1))
    text = failure(worker, "code_read_media", path="a")
    assert text.startswith("too_large: ") and str(3 * MIB + 1) in text
    assert worker.data("code_read_media", path="a", max_size_mb=4)["size"] == 3 * MIB + 1
    put(root, "a", b"\0" * (5 * MIB))
    assert failure(worker, "code_read_media", path="a", max_size_mb=50).startswith("too_large: ")
    # The alias has it twice.
    put(root, "a", b"\0" * (2 * MIB))
    assert len(worker.data("read_media_file", path="a")["content"]) == 1
    put(root, "a", b"\0" * (5 * MIB // 2))
    assert failure(worker, "read_media_file", path="a").startswith("too_large: ")


# Metadata

def test_info(worker, root):
    path = put(root, "program.py", "import os\n\nos.abort()")
    os.chmod(path, 0o640)
    os.utime(path, ns=(0, 1700000000_250000000))
    out, text = worker.call("code_get_info", path="program.py", hash=True)
    assert out == {
        "path": "program.py", "type": "file", "size": 21, "modified": "2023-11-14T22:13:20+00:00",
        "modified_unix": 1700000000.25, "mode": "0640", "nlink": 1, "language": "Python",
        "lines": 3, "mime_type": "text/plain", "sha256": sha256(path.read_bytes()),
    }
    lines = text.splitlines()
    assert lines[:5] == [
        "File info for program.py:", "  Language: Python", "  Size: 21 bytes (0.0 KB)",
        "  Lines: 3", "  Modified: 2023-11-14T22:13:20+00:00"]
    assert "sha256" not in worker.data("code_get_info", path="program.py")
    out = worker.data("code_get_info", path=".")
    assert (out["type"], out["entries"]) == ("directory", 1)
    assert "lines" not in out and "language" not in out


def test_times_far_away(worker, root):
    path = put(root, "a", "")
    for seconds in (-(1 << 40), 1 << 40, 0, -1):
        os.utime(path, (0, seconds))
        kept = path.stat().st_mtime
        out = worker.data("code_get_info", path="a")
        assert out["modified_unix"] == kept
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", out["modified"])
    assert out["modified"] == "1969-12-31T23:59:59+00:00"


# Aliases

def test_aliases(worker, root):
    put(root, "a.txt", "one\ntwo\n")
    for alias in ("read_file", "read_text_file"):
        result = worker.result(alias, path="a.txt", tail=1)
        assert result["content"] == [{"type": "text", "text": "two\n"}]
        assert result["structuredContent"] == {"content": "two\n"}
    result = worker.result("read_multiple_files", paths=["a.txt", "nowhere"])
    text = result["content"][0]["text"]
    assert text.startswith("a.txt:\none\ntwo\n---\nnowhere: Error - not_found: ")
    assert result["structuredContent"] == {"content": text}
    result = worker.result("read_multiple_files", paths=["nowhere"])
    assert result["isError"] and "content" in result["structuredContent"]
    put(root, "a.png", PNG)
    result = worker.result("read_media_file", path="a.png")
    assert result["structuredContent"] == {"content": result["content"]}
    assert result["content"][0]["mimeType"] == "image/png"
    text = worker.text("get_file_info", path="a.txt")
    known = dict(line.split(": ", 1) for line in text.splitlines())
    assert known["size"] == "8" and known["isFile"] == "true" and known["isDirectory"] == "false"
    assert re.fullmatch(r"[0-7]{3}", known["permissions"]) and "modified" in known
    text = worker.text("list_allowed_directories")
    assert text == f"Allowed directories:\n{root}"


def test_roots(start, root, tmp_path):
    (tmp_path / "new\nroot").mkdir()
    worker = start(tmp_path / "new\nroot")
    out, text = worker.call("code_list_roots")
    assert [r["path"] for r in out["roots"]] == [str(root), str(tmp_path / "new\nroot")]
    assert [r["default"] for r in out["roots"]] == [True, False]
    assert len(text.splitlines()) == 3
