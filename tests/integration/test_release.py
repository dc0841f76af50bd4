"""What is released besides the packages: the tarball, made again out of itself, and the bill of materials, against what the
programs in the package say of themselves.
"""

import json
import os
import pathlib
import re
import stat

import pytest

import fleet as fleets

TOP = pathlib.Path(__file__).resolve().parents[2]


def run(*words, **options):
    result = fleets.run([str(word) for word in words], text=True, **options)
    assert result.returncode == 0, f"{words} ended with {result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def package(packages):
    return next(packages.glob("mcp-fleet_*.deb"))


@pytest.fixture(scope="module")
def bill(package):
    return json.loads(run(TOP / "packaging/sbom", package))


def needed_libraries(folder):
    """What the loader will look for, by each program below the folder."""
    programs = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
                and path.stat().st_mode & stat.S_IXUSR and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(programs) >= 10
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", "--wide", *programs)))


def packages_of(sonames):
    """Debian's names for who brings them here."""
    cache = run("/sbin/ldconfig", "-p")
    for soname in sonames:
        path = pathlib.Path(re.search(rf"^\s*{re.escape(soname)} .* => (.+)", cache, flags=re.M)[1])
        # dpkg knows the place from before /lib became a link to /usr/lib, or the one after it.
        for candidate in (path, path.resolve(), pathlib.Path(str(path.resolve()).removeprefix("/usr"))):
            asked = fleets.run(["dpkg-query", "--search", candidate], text=True)
            if asked.returncode == 0:
                yield asked.stdout.split(":")[0]
                break
        else:
            pytest.fail(f"nobody knows {path}")


def test_the_bill_has_what_the_programs_are_linked_with(package, bill, tmp_path):
    run("dpkg-deb", "--extract", package, tmp_path)
    linked = {entry["relatedSpdxElement"] for entry in bill["relationships"] if entry["relationshipType"] == "DYNAMIC_LINK"}
    libraries = {entry["name"]: entry for entry in bill["packages"] if entry["SPDXID"] in linked}
    assert set(libraries) == set(packages_of(needed_libraries(tmp_path)))
    for name, entry in libraries.items():
        assert entry["versionInfo"] == run("dpkg-query", "--show", "--showformat=${Version}", name)
        assert entry["externalRefs"][0]["referenceLocator"].startswith(f"pkg:deb/debian/{name}@")


def test_the_bill_is_spdx(package, bill):
    """The fields that SPDX 2.3 wants (clauses 6, 7 and 11), ids that are there, licences that SPDX knows."""
    assert (bill["spdxVersion"], bill["dataLicense"], bill["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bill["creationInfo"]["created"])
    assert bill["creationInfo"]["creators"] and bill["documentNamespace"].startswith("https://")
    ids = [entry["SPDXID"] for entry in bill["packages"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in ids)
    for entry in bill["relationships"]:
        assert {entry["spdxElementId"], entry["relatedSpdxElement"]} <= {*ids, "SPDXRef-DOCUMENT"}
    licences = {entry["name"]: entry["licenseDeclared"] for entry in bill["packages"]}
    assert all(entry["downloadLocation"] and entry["filesAnalyzed"] is False for entry in bill["packages"])
    assert licences["mcp-fleet"] == "MIT" and licences["libjansson4"] == "MIT"
    assert licences["libidn2-0"] == "LGPL-3.0-or-later OR GPL-2.0-or-later"  # not that of its manual
    described = next(entry for entry in bill["packages"] if entry["name"] == "mcp-fleet")
    assert described["checksums"][0]["checksumValue"] == run("sha256sum", package).split()[0]


def test_the_same_package_gives_the_same_bill(package):
    assert run(TOP / "packaging/sbom", package) == run(TOP / "packaging/sbom", package, env={**os.environ, "TZ": "Asia/Kathmandu"})


@pytest.mark.timeout(300)
def test_the_tarball_comes_out_of_itself(package):
    """With another folder, file mode mask, time zone, language and home: packaging/compare-builds, which also compares the
    packages, by hand before a release."""
    tarball = package.parent.parent / f"mcp-fleet-{package.name.split('_')[1]}.tar.xz"
    assert f"equal: {tarball.name}" in run(TOP / "packaging/compare-builds", "dist", tarball, timeout=280)


def test_nothing_but_a_release_is_replaced(tmp_path):
    mine = tmp_path / "SHA256SUMS"  # of something else
    mine.write_text("0  mine.iso\n")
    said = fleets.run([TOP / "packaging/make-release", tmp_path / "mcp-fleet-1.0.0.tar.xz", tmp_path])
    assert said.returncode == 1 and b"remove it, or name another folder" in said.stderr
    assert mine.exists()


def test_an_unreleased_tree_is_not_released(package, tmp_path):
    """[Unreleased] in CHANGELOG.md, or a version that is elsewhere another, and nothing is made."""
    tree = tmp_path / "tree"
    for name in ("configure.ac", "CHANGELOG.md", "debian/changelog", "packaging/rpm/mcp-fleet.spec", "tests/lint/versions.sh"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((TOP / name).read_bytes())
    changes = tree / "CHANGELOG.md"
    version = re.search(r"AC_INIT\(\[mcp-fleet\], \[(.+?)\]", (tree / "configure.ac").read_text())[1]
    day = run("date", "-u", "-d", re.search(r"^ -- .*>  (.*)", (tree / "debian/changelog").read_text(), re.M)[1], "+%F").strip()
    judge = ["sh", tree / "tests/lint/versions.sh", "--release"]

    def judged(first_section):
        changes.write_text(f"# Changelog\n\n## {first_section}\n")
        return fleets.run(judge, text=True, env={**os.environ, "srcdir": str(tree)}).returncode
    assert judged(f"[{version}] - {day}") == 0
    assert judged("[Unreleased]") == 1
    assert judged(f"[{version}.1] - {day}") == 1
    spec = tree / "packaging/rpm/mcp-fleet.spec"
    spec.write_text(spec.read_text().replace(f"Version:        {version}", "Version:        9.9.9"))
    assert judged(f"[{version}] - {day}") == 1
