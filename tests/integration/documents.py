"""The documents as tests read them: README.md, SECURITY.md, HACKING.md, CHANGELOG.md, ARCHITECTURE.md and doc/.

A block is what stands between ``` and ```; every one names its language:

    sh       commands, run in their order, in one shell for each document
    yaml     settings, which the daemon's own check takes; or Prometheus's
    json     JSON, one text or several
    python, js   programs, each whole
    text, console, ini, states   to be read only

A comment on the line before it says more about a block of commands (REASON is one of WHY):

    <!-- not run: REASON -->   it is not
    <!-- goes on -->           it does not end by itself: it has to say something, and is ended
    <!-- as a user -->         not as root
"""

import dataclasses
import pathlib
import re
import shlex

TOP = pathlib.Path(__file__).resolve().parents[2]
ALL = sorted([*TOP.glob("*.md"), *TOP.glob("doc/**/*.md")])
# Those for who runs a fleet. HACKING.md is for who builds it: ./check itself runs what stands there.
OPERATORS = [path for path in ALL if path.parent == TOP / "doc" or path in (TOP / "README.md", TOP / "SECURITY.md")]
LANGUAGES = {"sh", "yaml", "json", "python", "js", "text", "console", "ini", "states"}
WHY = {
    "it wants the Internet", "it wants a desktop", "it builds, which takes minutes: ./check does it",
    "it wants an account elsewhere", "it wants a program that is not in Debian",
    "it builds everything five times; by hand, before a release",
}
FENCE = re.compile(r"^( *)```(.*)$")
NOTE = re.compile(r"^ *<!-- (.*) -->$")
SAID = re.compile(r"\]\(([^)\s]+)\)")
HEREDOC = "END OF THE BLOCK"

PRELUDE = r"""
set -ae -o pipefail
trap 'echo "${BASH_SOURCE[0]}:$LINENO: ended with $?: $BASH_COMMAND" >&2' ERR
cd /root
sudo() { "$@"; }
# What fails in these is told at the line that calls them.
goes_on() { # what it says comes out; SIGINT is what ends it
	timeout --signal=INT 2 bash -c "$1" >/tmp/goes-on && return 1
	[ $? = 124 ] && [ -s /tmp/goes-on ] || return 1
}
as_a_user() {
	runuser -u me -- env -C /home/me HOME=/home/me XDG_RUNTIME_DIR=/run/user/$(id -u me) bash -eE -o pipefail -c "$1" || return
}
settings() { # the keys of the fleet that runs are theirs, too
	rm -rf /root/settings && mkdir /root/settings && cat >/root/settings/fleet.yaml
	[ ! -e /etc/mcp-fleet/keys.json ] || cp -p /etc/mcp-fleet/keys.json /root/settings
	grep -qE '^(scrape_configs|groups):' /root/settings/fleet.yaml ||
		mcp-fleetd --check-config -c /root/settings/fleet.yaml >/dev/null || return
}
"""


@dataclasses.dataclass
class Block:
    path: pathlib.Path
    line: int  # of its first line; the fence is above it
    language: str
    note: str
    lines: list

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    @property
    def where(self):
        return f"{self.path.relative_to(TOP)}:{self.line}"

    @property
    def is_left_out(self):
        return self.note.startswith("not run: ")


def read(path):
    """The blocks of a document."""
    blocks, block, before = [], None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if block and fence:
            block = None
        elif block:
            block.lines.append(line)
        elif fence:
            note = NOTE.match(before)
            block = Block(path, number + 1, fence.group(2), note.group(1) if note else "", [])
            blocks.append(block)
        before = line
    assert block is None, f"{block.where}: this block does not end"
    return blocks


def script(path):
    """The commands and settings of a document for bash, each on the line on which it stands there, so that bash names it."""
    lines = [""] * (len(path.read_text().splitlines()) + 1)
    for block in read(path):
        first, end = block.line - 1, block.line - 1 + len(block.lines)
        if block.is_left_out or block.language not in ("sh", "yaml"):
            continue
        body, head, foot = block.lines, "", "[ $? = 0 ]"  # for what "set -e" lets pass: a && b
        if block.language == "yaml":
            head, foot = f"settings <<'{HEREDOC}'", HEREDOC
        elif block.note:
            head, foot = f"{block.note.replace(' ', '_')} '", "'"
            body = [line.replace("'", "'\\''") for line in body]
        lines[first - 1:end + 1] = [head, *body, foot]
    return "\n".join(lines)


def links(path):
    """(line, target) of what a document links to in this tree."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for target in SAID.findall(re.sub(r"`[^`]*`", "", line)):
            if not re.match(r"[a-z]+:", target):
                yield number, target


def anchors(path):
    """What its headings are called by GitHub."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def command(name):
    return ["bash", "-c", f". /root/documents/prelude; . {shlex.quote(name)}"]
