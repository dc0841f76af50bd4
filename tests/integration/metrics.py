"""What /metrics serves, read strictly."""

import re

import wire

SAMPLE = re.compile(r'^(mcp_fleet_[a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+)$')


def fetch(port):
    with wire.Connection(port) as connection:
        connection.request("GET", "/metrics")
        response = connection.read_response()
    assert response.status == 200
    assert response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return response.body.decode()


def read(port):
    """name{labels} -> value of what is served."""
    return parse(fetch(port))


def parse(text):
    """Every sample belongs to the family before it."""
    family, samples = None, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert kind in ("gauge", "counter")
            assert (kind == "counter") == family.endswith("_total")
            continue
        found = SAMPLE.match(line)
        assert found, line
        assert found[1] == family
        key = found[1] + (f"{{{found[2]}}}" if found[2] else "")
        assert key not in samples, line
        samples[key] = int(found[3])
    return samples
