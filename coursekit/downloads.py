"""Files that do not ship with the package: fetched once, verified, kept in one folder."""

import hashlib
import json
import os
import warnings
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path
from tqdm import tqdm

from coursekit.arguments import check_choice


class DownloadError(OSError):
    """A file could not be fetched; the message, in Russian, says what to do."""


class Entry(NamedTuple):
    """One file of the registry; ``digest`` is ``sha256:…`` or ``git-blob:…``."""

    name: str
    title: str
    licence: str
    url: str
    digest: str


@cache
def registry() -> dict[str, Entry]:
    """Return the known files by name.

    >>> registry()["names-ru.csv"].licence
    'MIT'
    """
    source = files("coursekit").joinpath("data/registry.json").read_text(encoding="utf-8")
    return {
        name: Entry(name, entry["title"], entry["licence"], entry["url"], entry["hash"])
        for name, entry in json.loads(source).items()
    }


def data_folder() -> Path:
    """Return the folder of fetched files: ``COURSEKIT_DATA`` if set, else the user's cache."""
    folder = Path(os.environ.get("COURSEKIT_DATA") or user_cache_path("coursekit"))
    try:
        return folder.expanduser()
    except RuntimeError:
        raise ValueError(
            f"COURSEKIT_DATA = {str(folder)!r}: такого пользователя нет. Укажите папку целиком."
        ) from None


def fetch(name: str) -> Path:
    """Return the path of the registry's file ``name``, downloading it when it is not yet there.

    A file in ``data_folder()`` is used as it is when its checksum is right. ``DownloadError`` if it
    is not, or if the file cannot be fetched.
    """
    return download(registry()[check_choice("name", name, registry().keys())], data_folder())


def download(entry: Entry, folder: Path) -> Path:
    """Return the verified ``folder / entry.name``; a new file appears whole or not at all."""
    import requests

    with warnings.catch_warnings():
        # It looks for the widgets of a notebook and complains to a reader who has none.
        warnings.simplefilter("ignore")
        import pooch

    path = folder / entry.name
    if path.exists():
        if not digest_matches(path, entry.digest):
            raise DownloadError(
                f"Файл {path} испорчен: его контрольная сумма не та, что в реестре курса. "
                "Удалите его или переложите, и он загрузится заново."
            )
        return path

    print(f"{entry.title}. Лицензия: {entry.licence}. Источник: {entry.url}")
    # pooch sets the total when the server tells it; without any, a bar has no truth value.
    bar = tqdm(desc=f"Загрузка {entry.name}", total=1, unit="Б", unit_scale=True)
    http = pooch.HTTPDownloader(progressbar=bar)

    def verified(url: str, output_file: str, pooch_: object) -> None:
        http(url, output_file, pooch_)
        if not digest_matches(Path(output_file), entry.digest):
            raise _DigestError

    try:
        pooch.retrieve(entry.url, None, fname=entry.name, path=folder, downloader=verified)
    except _DigestError:
        raise DownloadError(
            f"Файл {entry.name} пришёл не тем, что в реестре курса: контрольная сумма не совпала. "
            "Повторите загрузку; если не поможет, сообщите авторам курса."
        ) from None
    except requests.HTTPError as error:
        raise DownloadError(
            f"Сервер не отдал файл {entry.name}, ответ {error.response.status_code}: {entry.url}. "
            f"Повторите позже или положите файл в папку {folder}."
        ) from error
    except requests.RequestException as error:
        raise DownloadError(
            f"Загрузка файла {entry.name} не удалась или оборвалась: нет связи с сервером. "
            f"Проверьте сеть и повторите или положите файл из {entry.url} в папку {folder}."
        ) from error
    except OSError as error:
        raise DownloadError(
            f"Файл {entry.name} не записать в папку {folder}: {error.strerror}. Освободите место "
            "или укажите в переменной окружения COURSEKIT_DATA другую папку."
        ) from error
    finally:
        bar.close()
    return path


class _DigestError(Exception):
    pass


def digest_matches(path: Path, digest: str) -> bool:
    """Tell whether the file's SHA-256, or its git blob id, is ``digest``.

    Source of the blob id: Pro Git, 10.2 (SHA-1 of ``blob``, the size and the content).
    """
    kind, expected = digest.split(":")
    if kind == "git-blob":
        state = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            state.update(block)
    return state.hexdigest() == expected
