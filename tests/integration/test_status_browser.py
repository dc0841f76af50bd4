"""GET /status in Chromium: it lives, it is for everybody, and nothing in it is against its policy."""

import os
import shutil
import signal

import pytest

import browser as browsers
import doorkeys
import fleet as fleets
import sdk

# Where the picture of doc/ is to be written: `make status-screenshot`.
PICTURE = os.environ.get("MCP_FLEET_STATUS_SCREENSHOT")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def admin():
    return fleets.free_port()


@pytest.fixture
def url(admin):
    return f"http://127.0.0.1:{admin}/status"


@pytest.fixture(scope="module")
def browser(envs):
    started = browsers.Browser(envs)
    yield started
    started.close()


@pytest.fixture
def fleet(start_fleet, admin):
    """One with something to show: calls, a death, an optional domain that cannot start, a gateway that is not there."""
    fleet = start_fleet({
        "utils": {}, "fake": fleets.fake_domain("fake"),
        "bad": fleets.fake_domain(HOSTILE, "--exit-at-start", 3, required=False)},
        settings={"admin": {"listen": f"127.0.0.1:{admin}"},
                  "gateway": {"url": f"http://127.0.0.1:{fleets.free_port()}"}})
    fleet.check_fds = False  # the registrar
    with fleet.session() as session:
        for i in range(20):
            session.call("calculator_add", {"a": 1, "b": i})
        session.call("fake_die", {})
    fleet.wait_ready()
    return fleet


def check(browser):
    """Nothing in red, nothing for axe."""
    assert browser.ask("reports") == []
    assert browser.ask("axe") == []
    assert browser.ask("reports") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{}, {"width": 800, "height": 1000}, PHONE], ids=["wide", "middle", "phone"])
def test_for_everybody(fleet, browser, url, scheme, size):
    browser.open(url, scheme=scheme, **size)
    browser.wait("document.getElementById('live').textContent === 'Live'")
    assert browser.evaluate("document.documentElement.scrollWidth") <= size.get("width", 1280)
    back = browser.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (min(back) > 200) if scheme == "light" else (max(back) < 60)
    check(browser)


def test_lives(fleet, browser, url):
    browser.open(url)
    browser.wait("document.getElementById('live').textContent === 'Live'")
    # What is there stays the same element, so that the focus and a selection survive.
    browser.evaluate("window.kept = document.getElementById('processes'); document.querySelector('nav a').focus()")
    fleets.wait_until(lambda: fleet.workers("utils"), 5, "utils runs")
    os.kill(fleet.workers("utils")[0], signal.SIGKILL)
    browser.wait("document.querySelector('.list').innerText.includes('utils/1: killed by signal 9')")
    browser.wait("[...document.querySelectorAll('tr')].some((row) => /^utils\\/1.*ready.*killed by signal 9/s"
                 ".test(row.innerText))")
    browser.wait("""[...document.querySelectorAll('tr')].find((row) => row.querySelector('th')?.innerText.startsWith('utils'))
                 .querySelector('td[data-label="Restarts"]').innerText === '1'""")
    assert browser.evaluate("window.kept === document.getElementById('processes')"), "the page was loaded again"
    assert browser.evaluate("document.activeElement === document.querySelector('nav a')")
    check(browser)


def test_not_ready_and_back(start_fleet, browser, admin, url, tmp_path):
    mended = tmp_path / "mended"
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake", "--exit-at-start", 3, "--unless", mended,
                                                                 restart={"first": "50ms", "cap": "200ms", "park_after": 100})},
                        settings={"admin": {"listen": f"127.0.0.1:{admin}"}}, start=False)
    fleet.start(wait=False)
    fleet.wait_listening()
    browser.open(url)
    browser.wait("document.title.startsWith('Not ready') && /fake: .*cannot start/.test(document.body.innerText)")
    check(browser)
    mended.touch()
    browser.wait("document.title.startsWith('Ready')", 30)
    assert "2 of 2 domains up" in browser.text(".verdict")


def test_says_when_it_is_lost_and_comes_back(start_fleet, browser, admin, url):
    fleet = start_fleet(settings={"admin": {"listen": f"127.0.0.1:{admin}"}})
    browser.open(url)
    browser.wait("document.getElementById('live').textContent === 'Live'")
    pid = fleet.pid
    fleet.check_fds = False  # the stream is one of them
    fleet.stop()
    browser.wait("document.getElementById('live').textContent.startsWith('Connection lost')")
    fleet.start()
    browser.wait(f"document.getElementById('live').textContent === 'Live' "
                 f"&& document.getElementById('daemon').parentElement.innerText.includes('{fleet.pid}')", 30)
    assert fleet.pid != pid


def test_logs_in(start_fleet, browser, admin, tmp_path):
    """Where a key is wanted a browser asks for it as a password; the page is as live as without, until the key goes."""
    keys = doorkeys.Keys(tmp_path).add("boss", admin=True).add("all").save()
    fleet = start_fleet({"utils": {}}, settings={
        "admin": {"listen": f"127.0.0.1:{admin}", "auth": "required", "public": True}})
    fleet.check_fds = False  # the page's stream
    for n, port in enumerate((admin, fleet.port), 1):
        url = f"http://127.0.0.1:{port}/status"
        for name, password in (("all", keys.text["all"]), ("boss", "a guess")):
            assert browser.ask("open", url=url, login={"username": name, "password": password}) == 401, name
        browser.open(url, login={"username": "anything", "password": keys.text["boss"]})
        browser.wait("document.getElementById('live').textContent === 'Live'")
        fleets.wait_until(lambda: fleet.workers("utils"), 5, "utils runs")
        os.kill(fleet.workers("utils")[0], signal.SIGKILL)
        browser.wait(f"document.querySelector('td[data-label=Restarts]').innerText === '{n}'")
        # That made the browser ask for the key is all that is red.
        assert [line for line in browser.ask("reports") if "401" not in line] == []
    del keys.entries["boss"]
    keys.save()
    browser.wait("document.getElementById('live').textContent.startsWith('Connection lost')")
    assert keys.text["boss"] not in fleet.log()


def test_without_scripts(fleet, browser, url):
    browser.open(url, scripts=False, **PHONE)
    text = browser.text()
    for words in ("Ready", "2 of 3 domains up", "utils/1", "killed by signal 9", "Load again"):
        assert words in text, words
    assert browser.evaluate("document.getElementById('live').hidden")
    assert browser.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert browser.ask("reports") == []


def test_hostile_words(fleet, browser, url):
    browser.open(url)
    browser.wait("document.getElementById('live').textContent === 'Live'")
    browser.wait("document.querySelector('.words').innerText.includes('cannot start')")
    assert HOSTILE in browser.text(".words")
    assert browser.evaluate("document.querySelectorAll('main script, main img, main a, main [onerror]').length") == 0
    assert browser.ask("reports") == []


def test_keyboard(fleet, browser, url):
    """The first key leads past what comes before the fleet; each link can be seen to have the focus."""
    browser.open(url)
    browser.ask("press", key="Tab")
    assert browser.text(":focus") == "Skip to the fleet"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    browser.ask("press", key="Enter")
    assert browser.evaluate("document.activeElement.id") == "fleet"
    browser.evaluate("document.querySelector('nav a').focus()")
    browser.ask("press", key="Tab")
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_screenshot(start_fleet, browser, admin, url, files, repository, tmp_path):
    """The picture of doc/: a fleet at work, which has had some trouble."""
    fleet = start_fleet({
        "filesystem": {"roots": [str(files.root)]}, "git": sdk.git_domain(repository), "network": {}, "utils": {},
        "search": fleets.fake_domain("search", processes={"min": 2}, concurrency=1, required=False)},
        settings={"admin": {"listen": f"127.0.0.1:{admin}"}})
    fleet.check_fds = False  # what grew stays for a while
    with fleet.session() as session, fleet.session() as other:
        for i in range(300):
            session.call("calculator_add", {"a": 1, "b": i})
        for _ in range(60):
            session.call("git_get_status", {"repo_path": str(repository.repo)})
            session.call("code_list_roots", {})
        for i in range(40):
            session.call("search_sleep", {"seconds": 0.002 * 1.12 ** i})
        session.call("search_die", {})
        fleets.wait_until(lambda: fleet.domain("search")["ready"] == 2, 10, "it was replaced")
        other.start_call("search_sleep", {"seconds": 5})
        browser.open(url, height=1172)
        browser.wait("document.getElementById('live').textContent === 'Live'")
        browser.wait("document.querySelector('.tiles dd').innerText === '1'")
        assert browser.evaluate("[...document.querySelectorAll('tbody th bdi')].every((name) => name.getClientRects().length === 1)"), \
            "a name is broken"
        picture = tmp_path / "status.png"
        browser.ask("screenshot", path=str(picture), full=False)
    assert 20 * 1024 < picture.stat().st_size < 200 * 1024
    if PICTURE:
        shutil.copyfile(picture, PICTURE)
