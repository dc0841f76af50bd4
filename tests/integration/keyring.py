"""A keys file for tests, written as mcp-fleetctl writes it: in one step, closed to others."""

import base64
import hashlib
import json
import os
import pathlib
import random
import time


class Keyring:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.keys = []

    def add(self, name, **members):
        """Adds a key and writes the file; returns the key's text. `expires` may be seconds from now."""
        ident = "".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=8))
        text = f"mcpf_{ident}_" + base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        if isinstance(members.get("expires"), (int, float)):
            members["expires"] = when(members["expires"])
        self.keys.append({"name": name, "id": ident, "hash": digest(text), "created": when(-60), **members})
        self.write()
        return text

    def find(self, name):
        return next(key for key in self.keys if key["name"] == name)

    def revoke(self, name):
        self.keys.remove(self.find(name))
        self.write()

    def text(self):
        return json.dumps({"version": 1, "keys": self.keys})

    def write(self, text=None, mode=0o640):
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(self.text() if text is None else text)
        fresh.chmod(mode)
        fresh.rename(self.path)


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def api_key(text):
    return {"X-API-Key": text}
