"""An authorization server for tests: keys, tokens that it signs as it is told, and its key set over HTTP."""

import base64
import http.server
import json
import pathlib
import threading
import time

import jwt
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "fleet"


def encode(data):
    """base64url without padding."""
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A key of the issuer: its algorithm, its name, what signs with it."""

    def __init__(self, alg, kid=None, secret=None):
        self.alg = alg
        self.kid = kid
        if alg == "HS256":
            self.private = secret or b"a secret of the tests, of 32 bytes and more"
        elif alg == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())

    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk(self, **more):
        algorithm = jwt.algorithms.RSAAlgorithm if self.alg == "RS256" else jwt.algorithms.ECAlgorithm
        made = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        made.pop("key_ops", None)
        return {**made, "alg": self.alg, "use": "sig", **({"kid": self.kid} if self.kid else {}), **more}

    def sign(self, claims, **header):
        """A token of exactly these claims. A header that is None is left out."""
        fields = {"typ": "at+jwt", "kid": self.kid, **header}
        return jwt.encode(claims, self.private, algorithm=self.alg,
                          headers={name: value for name, value in fields.items() if value is not None})


def claims(**more):
    """Claims of a good token that lives for five minutes; what is None is left out."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, **more}
    return {name: value for name, value in made.items() if value is not None}


def unsigned(made, header):
    """A token without a signature."""
    return f"{encode(json.dumps(header))}.{encode(json.dumps(made))}."


def sign_as_secret(made, secret, **header):
    """HS256 with whatever bytes, public keys among them, which a good library would refuse to sign with."""
    text = f"{encode(json.dumps({'alg': 'HS256', **header}))}.{encode(json.dumps(made))}"
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(text.encode())
    return f"{text}.{encode(mac.finalize())}"


def write_secret(path, key):
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.write_bytes(key.private)
    return str(path)


def key_set(*keys):
    return {"keys": [key if isinstance(key, dict) else key.jwk() for key in keys]}


def write_key_set(path, *keys):
    """In one step, as an operator should."""
    path = pathlib.Path(path)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(key_set(*keys)))
    fresh.rename(path)
    return str(path)


class KeySetServer:
    """Serves `keys`, or `answer` (status, headers, body) where a test sets it; counts what is asked."""

    def __init__(self, *keys, max_age=None):
        self.keys = keys
        self.max_age = max_age
        self.answer = None
        self.n_requests = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.make_handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def make_handler(served):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                served.n_requests += 1
                age = {} if served.max_age is None else {"Cache-Control": f"public, max-age={served.max_age}"}
                status, headers, body = served.answer or (200, age, json.dumps(key_set(*served.keys)).encode())
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
