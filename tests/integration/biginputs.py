"""Inputs that are far larger than what a worker may keep in memory: a file, a folder, a history.

Shared by the tests and by tests/bench/big.py, so that the figures are of what is tested. Needs nothing
but Python and git.
"""

import os
import pathlib
import subprocess

MIB = 1 << 20
GIB = 1 << 30

# What the peak memory (VmHWM) of a process must stay below.
MEMORY_MAX_MIB = {"filesystem": 128, "git": 400, "daemon": 64}

COMMITS = 100000
FILES = 20000
LINES = 200

GIT_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C.UTF-8",
}


def peak_kib(pid):
    """The most memory that a process has had at one time, files that it has mapped included."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def text_block(first, last, word):
    """Lines of 64 bytes: `word`, and the number of the line."""
    return "".join(f"{word} {number}".ljust(63) + "\n" for number in range(first, last + 1)).encode()


def make_huge_file(path, real_bytes=64 * MIB):
    """1 GiB: lines "begin N" of `real_bytes`, a hole, 2000 lines "end N". Gives the number of lines before
    the one that is the hole."""
    lines = real_bytes // 64
    end = b"\n" + text_block(1, 2000, "end")
    with open(path, "wb") as file:
        for first in range(1, lines + 1, 4096):
            file.write(text_block(first, min(first + 4095, lines), "begin"))
        file.seek(GIB - len(end))
        file.write(end)
    return lines


def make_wide_folder(path, entries):
    """A folder of many empty files, made in no order. The names sort as their numbers do."""
    os.mkdir(path)
    folder = os.open(path, os.O_RDONLY)
    for number in range(entries):
        name = wide_name(number * 7919 % entries)
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder))
    os.close(folder)


def wide_name(number):
    return f"{number:07d}.txt"


def history():
    """A stream for git fast-import: a wide tree, then commits of which each hundredth changes a line of
    `file` and the others `small`. The first line of `file` is as old as the file."""
    yield "blob\nmark :1\ndata 4\none\n\n"
    yield "commit refs/heads/main\ncommitter A <a@example.org> 1400000000 +0000\ndata 4\nwide\n"
    for number in range(FILES):
        yield f"M 100644 :1 wide/d{number % 200}/e{number % 7}/f{number}\n"
    lines = [f"line {number}\n" for number in range(LINES)]
    for number in range(COMMITS):
        if number % 100 == 0:
            lines[1 + number // 100 % (LINES - 1)] = f"changed by {number}\n"
        subject = f"commit {number}"
        yield (f"\ncommit refs/heads/main\nauthor A{number % 50} <a@example.org> {1400000000 + number} +0000\n"
               f"committer A <a@example.org> {1400000000 + number} +0000\ndata {len(subject)}\n{subject}\n")
        if number % 100 == 0:
            body = "".join(lines)
            yield f"M 100644 inline file\ndata {len(body)}\n{body}\n"
        else:
            yield f"M 100644 inline small\ndata {len(subject)}\n{subject}\n"


def make_long_history(path, *options):
    """A repository with the history above, checked out; `options` are for git fast-import."""
    os.mkdir(path)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=path, env=GIT_ENV, check=True)
    with subprocess.Popen(["git", *options, "fast-import", "--quiet"], cwd=path, env=GIT_ENV,
                          stdin=subprocess.PIPE) as importer:
        for part in history():
            importer.stdin.write(part.encode())
        importer.stdin.close()
    assert importer.returncode == 0
    subprocess.run(["git", "reset", "-q", "--hard"], cwd=path, env=GIT_ENV, check=True)
