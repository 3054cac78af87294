"""Maintain the notebooks: run them, check that their outputs are today's, set the repository.

    python book/notebooks.py run [NOTEBOOK ...]     execute in place and normalise (default: all)
    python book/notebooks.py check [NOTEBOOK ...]   fail where code is newer than outputs
    python book/notebooks.py repository URL         write the address into _config.yml and notebooks

A notebook is its own source. What makes two runs differ is dropped: timings, stderr, the language
version; cell ids stay. The digest of the code that made the outputs is kept in the metadata.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "_config.yml"

SETUP = '''\
# В Colab эта ячейка ставит пакет курса; там, где он уже есть, она не делает ничего.
from importlib.util import find_spec

REPOSITORY = "{url}"
if find_spec("coursekit") is None:
    if not REPOSITORY:
        raise ModuleNotFoundError(
            "Пакет coursekit не установлен. Впишите в REPOSITORY адрес репозитория курса."
        )
    %pip install -q "coursekit @ git+{{REPOSITORY}}"'''


def notebooks() -> list[Path]:
    """Return chapters and sources of assignments; what students get has no outputs."""
    found = (ROOT / "book").rglob("[!.]*.ipynb")
    return sorted(path for path in found if "release" not in path.parts)


def code_digest(notebook: nbformat.NotebookNode) -> str:
    """Return the SHA-256 of all code cells, in order, the setup cell left out."""
    cells = (
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", [])
    )
    return hashlib.sha256("\n\0".join(cells).encode()).hexdigest()


def normalise(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "coursekit": {"code_sha256": code_digest(notebook)},
    }
    nbformat.validate(notebook)


def repository() -> str:
    """Return the address that _config.yml gives, or nothing while no owner has set it."""
    found = re.search(r"^  url: *\"?([^\"\s#]*)", CONFIG.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError("_config.yml: no «url:» under «repository:»")
    return found[1]


def write_setup(notebook: nbformat.NotebookNode, url: str) -> None:
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", []):
            cell.source = SETUP.format(url=url)


def run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    write_setup(notebook, repository())
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True)
    client.execute(cwd=str(path.parent))
    normalise(notebook)
    nbformat.write(notebook, path)
    print(f"{path.relative_to(ROOT)}: executed")


def complaints(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    said = []
    if notebook.metadata.get("coursekit", {}).get("code_sha256") != code_digest(notebook):
        said.append("the code is newer than the outputs: make notebooks")
    setup = [cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])]
    if len(setup) != 1 or setup[0].source != SETUP.format(url=repository()):
        said.append("the setup cell is not that of _config.yml: make repository URL=…")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" or output.get("name") == "stderr":
                said.append(f"cell {cell.id} stores an error or stderr")
    return [f"{path.relative_to(ROOT)}: {text}" for text in said]


def set_repository(url: str) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    CONFIG.write_text(
        re.sub(r"^(  url:).*$", rf'\1 "{url}"', text, count=1, flags=re.MULTILINE), encoding="utf-8"
    )
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        write_setup(notebook, url)
        nbformat.write(notebook, path)
        print(f"{path.relative_to(ROOT)}: {url or 'no repository'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "check", "repository"])
    parser.add_argument("what", nargs="*", help="notebooks, or the address")
    arguments = parser.parse_args()
    if arguments.action == "repository":
        if len(arguments.what) > 1:
            parser.error("one address, or none to unset it")
        set_repository("".join(arguments.what))
        return
    paths = [Path(name).resolve() for name in arguments.what] or notebooks()
    if arguments.action == "run":
        for path in paths:
            run(path)
        return
    said = [line for path in paths for line in complaints(path)]
    print("\n".join(said) or f"{len(paths)} notebooks: outputs are today's")
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
