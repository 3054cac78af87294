"""Downloads against a server on the loopback address, with failures provoked for real."""

import functools
import hashlib
import http.server
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from coursekit import downloads
from coursekit.downloads import DownloadError, Entry

CONTENT = "Заречинск\n".encode() * 20_000
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT whole, cut off, endlessly slowly, or not at all."""

    def do_GET(self):
        self.server.seen.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/cut":
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
        elif self.path == "/slow":
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            self.wfile.flush()
            self.server.halfway.set()
            time.sleep(30)
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen = []
        running.halfway = threading.Event()
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def entry(server):
    """Return a function that makes a registry entry for a path of the server."""

    def make(path, digest=SHA256):
        url = f"http://127.0.0.1:{server.server_port}{path}"
        return Entry("town.txt", "Город", "CC0", url, digest)

    return make


def test_a_file_is_fetched_once_with_its_licence_and_a_progress_bar(
    entry, server, tmp_path, capsys
):
    folder = tmp_path / "new" / "cache"
    path = downloads.download(entry("/whole"), folder)
    assert path.read_bytes() == CONTENT
    captured = capsys.readouterr()
    assert captured.out.startswith("Город. Лицензия: CC0. Источник: http://127.0.0.1")
    assert "Загрузка town.txt" in captured.err
    assert downloads.download(entry("/whole"), folder) == path
    assert server.seen == ["/whole"]
    assert capsys.readouterr().out == ""
    assert [file.name for file in folder.iterdir()] == ["town.txt"]


def test_a_git_blob_id_verifies_as_git_computes_it(entry, tmp_path):
    # git hash-object of the same bytes
    program = ["git", "hash-object", "--stdin"]
    blob = subprocess.run(program, input=CONTENT, capture_output=True, check=True).stdout
    digest = f"git-blob:{blob.decode().strip()}"
    assert downloads.download(entry("/whole", digest), tmp_path).read_bytes() == CONTENT
    assert not downloads.digest_matches(tmp_path / "town.txt", "git-blob:" + "0" * 40)


def refused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("path", "digest", "message"),
    [
        ("/missing", SHA256, "Сервер не отдал файл town.txt, ответ 404: .* Повторите позже"),
        ("/cut", SHA256, "не удалась или оборвалась.* Проверьте сеть и повторите"),
        ("/whole", "sha256:" + "0" * 64, "контрольная сумма не совпала. Повторите загрузку"),
        ("/whole", "git-blob:" + "0" * 40, "контрольная сумма не совпала. Повторите загрузку"),
    ],
)
def test_a_failure_says_what_to_do_and_leaves_nothing(entry, tmp_path, path, digest, message):
    with pytest.raises(DownloadError, match=message):
        downloads.download(entry(path, digest), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_says_what_to_do_and_leaves_nothing(tmp_path):
    url = f"http://127.0.0.1:{refused_port()}/town.txt"
    with pytest.raises(DownloadError, match="нет связи с сервером. Проверьте сеть") as caught:
        downloads.download(Entry("town.txt", "Город", "CC0", url, SHA256), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


DOWNLOAD = """
import sys
from pathlib import Path
from coursekit.downloads import DownloadError, Entry, download
url, digest, folder = sys.argv[1:]
try:
    download(Entry("town.txt", "Город", "CC0", url, digest), Path(folder))
except DownloadError as error:
    print(error)
"""


def test_a_full_disk_says_what_to_do_and_leaves_nothing(entry, tmp_path):
    def hardly_any_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    spoken = subprocess.run(
        [sys.executable, "-B", "-c", DOWNLOAD, entry("/whole").url, SHA256, str(tmp_path)],
        preexec_fn=hardly_any_room,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"Файл town.txt не записать в папку {tmp_path}" in spoken
    assert "Освободите место" in spoken
    assert list(tmp_path.iterdir()) == []


def test_a_killed_download_leaves_no_file_that_passes_for_whole(entry, server, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD, entry("/slow").url, SHA256, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert server.halfway.wait(timeout=60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "town.txt").exists()
    assert downloads.download(entry("/whole"), tmp_path).read_bytes() == CONTENT


def test_a_spoilt_file_is_reported_and_not_touched(entry, server, tmp_path):
    (tmp_path / "town.txt").write_text("мой черновик", encoding="utf-8")
    with pytest.raises(DownloadError, match="испорчен.* Удалите его или переложите"):
        downloads.download(entry("/whole"), tmp_path)
    assert (tmp_path / "town.txt").read_text(encoding="utf-8") == "мой черновик"
    assert server.seen == []


def test_a_folder_that_cannot_be_made_is_reported(entry, tmp_path):
    (tmp_path / "occupied").write_text("", encoding="utf-8")
    with pytest.raises(DownloadError, match="не записать в папку .*COURSEKIT_DATA"):
        downloads.download(entry("/whole"), tmp_path / "occupied")


def test_two_downloads_at_once_both_get_the_whole_file(entry, tmp_path):
    seen = []
    fetch = functools.partial(downloads.download, entry("/whole"), tmp_path)
    threads = [threading.Thread(target=lambda: seen.append(fetch())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in seen] == [CONTENT] * 4
    assert [file.name for file in tmp_path.iterdir()] == ["town.txt"]


def test_the_folder_is_the_variable_or_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    assert downloads.data_folder() == tmp_path
    monkeypatch.delenv("COURSEKIT_DATA")
    assert downloads.data_folder().name == "coursekit"


def test_every_entry_is_pinned_by_commit_and_digest():
    assert len(downloads.registry()) == 13
    for entry in downloads.registry().values():
        kind, digest = entry.digest.split(":")
        assert len(bytes.fromhex(digest)) == {"sha256": 32, "git-blob": 20}[kind]
        commit = entry.url.split("/")[5]
        assert len(bytes.fromhex(commit)) == 20, entry.url
        assert entry.licence


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"name = 'война\.txt': можно 'anna-karenina-en\.txt'"):
        downloads.fetch("война.txt")


def test_a_folder_of_nobody_is_said_in_russian(monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", "~такого-пользователя-нет/данные")
    with pytest.raises(ValueError, match="COURSEKIT_DATA = .*такого пользователя нет"):
        downloads.data_folder()
