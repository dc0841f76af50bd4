"""What /metrics serves, read by the official client of Prometheus."""

import prometheus_client.openmetrics.parser
import prometheus_client.parser

import wire

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# As Prometheus 2.42 and 3.0 send it.
ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def fetch(port, accept=None):
    with wire.Connection(port) as connection:
        connection.request("GET", "/metrics", {"Accept": accept} if accept else {})
        response = connection.read_response()
    assert response.status == 200
    assert response.header("Content-Type") == (OPEN if accept and "openmetrics" in accept else TEXT)
    assert response.header("Vary") == "Accept"
    return response.body.decode()


def families(text):
    """The families as the strict parser of its format sees them; the one of text 0.0.4 is lenient."""
    if text.endswith("# EOF\n"):
        return list(prometheus_client.openmetrics.parser.text_string_to_metric_families(text))
    found = list(prometheus_client.parser.text_string_to_metric_families(text))
    assert all(family.type != "unknown" for family in found), "a sample without its TYPE"
    assert len({family.name for family in found}) == len(found), "a family comes twice"
    return found


def parse(text):
    """name{labels} -> value; no sample twice."""
    samples = {}
    for family in families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            key = sample.name + (f"{{{labels}}}" if labels else "")
            assert key not in samples, key
            samples[key] = sample.value
    return samples


def read(port):
    """name{labels} -> value of what is served."""
    return parse(fetch(port))


def total(samples, name, **labels):
    """The sum of the samples of this name that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(value for key, value in samples.items()
               if key.split("{")[0] == name and all(f"{{{one}" in key or f",{one}" in key for one in wanted))
