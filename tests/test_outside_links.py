"""`make links` against a registry of DOIs on this machine."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import outside_links
import pytest
from sphinx.application import Sphinx


class Registry(BaseHTTPRequestHandler):
    """Knows one DOI; a publisher's page would turn a program away."""

    def do_HEAD(self):
        known = "/api/handles/10.1162/neco.1997.9.8.1735"
        status = {known: 200}.get(self.path, 404 if "/api/" in self.path else 403)
        self.send_response(status)
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(outside_links, "DOI", address)
    yield address
    server.shutdown()


def test_a_mistyped_doi_is_found_and_a_shy_publisher_is_not(registry, tmp_path):
    page = "Title\n=====\n\n{0}10.1162/neco.1997.9.8.1735\n{0}10.1162/neco.1997.9.8.1753\n"
    (tmp_path / "index.rst").write_text(page.format(registry), encoding="utf-8")
    settings = {"extensions": ["outside_links"], "linkcheck_retries": 1}
    folders = [tmp_path, None, tmp_path / "out", tmp_path / "trees"]
    app = Sphinx(*folders, "linkcheck", settings, status=None, warning=None)
    app.build()
    lines = (tmp_path / "out" / "output.json").read_text(encoding="utf-8").splitlines()
    found = {Path(row["uri"]).name: row["status"] for row in map(json.loads, lines)}
    assert found == {"neco.1997.9.8.1735": "working", "neco.1997.9.8.1753": "broken"}
    assert app.statuscode == 1
