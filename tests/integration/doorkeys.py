"""A keys file as mcp-fleetctl writes it, and the headers that show a key."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import secrets


def when(seconds_from_now):
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds_from_now)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Keys:
    """The keys of one file; `text[name]` is what a client sends."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "keys.json"
        self.entries, self.text = {}, {}

    def add(self, name, **more):
        key_id = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(8))
        text = f"mcpf_{key_id}_" + base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        self.text[name] = text
        self.entries[name] = {"name": name, "id": key_id,
                              "hash": "sha256:" + hashlib.sha256(text.encode()).hexdigest(),
                              "created": when(-60), **more}
        return self

    def save(self, mode=0o640):
        """In one step, as mcp-fleetctl does."""
        fresh = self.path.with_name("keys.new")
        fresh.write_text(json.dumps({"version": 1, "keys": list(self.entries.values())}))
        fresh.chmod(mode)
        fresh.rename(self.path)
        return self

    def bearer(self, name):
        return {"Authorization": f"Bearer {self.text[name]}"}

    def header(self, name):
        return {"X-API-Key": self.text[name]}
