"""What every chapter promises its reader, and the tool that maintains the notebooks."""

import re
import shutil
from pathlib import Path

import nbformat
import notebooks
import pytest

ROOT = Path(__file__).resolve().parent.parent

PATHS = notebooks.notebooks()
CHAPTERS = [path for path in PATHS if re.match(r"\d\d-", path.name)]
by_name = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)

CODE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
TAG = re.compile(r"</?[a-z][^>]*>")


def read(path):
    return nbformat.read(path, as_version=4)


def prose(path):
    """The words of the chapter: Markdown without code, formulas, tags and addresses of links."""
    text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return re.sub(r"\]\([^)]*\)", "]", TAG.sub(" ", CODE.sub(" ", text)))


def tags(cell):
    return cell.metadata.get("tags", [])


@by_name
def test_outputs_are_those_of_the_code_as_it_stands(path):
    assert notebooks.complaints(path) == []


@by_name
def test_a_chapter_has_the_parts_that_a_reader_expects(path):
    markdown = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    number = int(path.name[:2])
    assert markdown[0].startswith(f"# {number}. ")
    headings = re.findall(r"^#+ .*$", CODE.sub("", "\n".join(markdown)), re.MULTILINE)
    assert [h for h in headings if h.startswith("# ")] == [markdown[0].split("\n")[0]]
    for part in ("Типичные ошибки", "Проверьте себя", "Упражнения", "Итоги", "Куда дальше"):
        assert f"## {part}" in headings
    exercises = [h for h in headings if h.startswith(f"### Упражнение {number}.")]
    assert 3 <= len(exercises) <= 6
    folded = "\n".join(markdown).count("<details>")
    assert folded >= 5 + 2 * len(exercises)


@by_name
def test_a_chapter_is_neither_thin_nor_endless(path):
    words = len(re.findall(r"[а-яё]+(?:-[а-яё]+)*", prose(path), re.IGNORECASE))
    assert 2000 <= words <= 4500, words


@by_name
def test_every_picture_has_a_description_and_there_are_three_to_eight(path):
    pictures = 0
    for cell in read(path).cells:
        images = [
            output
            for output in cell.get("outputs", [])
            if {"image/png", "image/svg+xml"} & set(output.get("data", {}))
        ]
        pictures += len(images)
        if images:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 40, cell.id
            assert re.search("[а-яё]", alt), cell.id
    assert 3 <= pictures <= 8
    code = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")
    assert "plots.diagram(" in code


@by_name
def test_cells_that_train_are_followed_by_cells_that_assert(path):
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    for position, cell in enumerate(code):
        if re.search(r"(?<!def )\bfit\(\s*model", cell.source):
            assert "nbval-ignore-output" in tags(cell), cell.id
            after = code[position + 1 : position + 4]
            assert any("remove-cell" in tags(c) and "assert" in c.source for c in after), cell.id
        if "remove-cell" in tags(cell):
            assert "assert" in cell.source, cell.id


@by_name
def test_what_is_compared_depends_on_no_machine(path):
    for cell in read(path).cells:
        if cell.get("outputs") and "nbval-ignore-output" not in tags(cell):
            assert not re.search(r"perf_counter|%time|process_time", cell.source), cell.id


@by_name
def test_a_chapter_reads_outside_the_site_too(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"^\s*(```|:::)\{|\{[a-z-]+\}`", cell.source, re.MULTILINE), (
                cell.id
            )
            for summary in re.finditer(r"</summary>\n(?!\n)|(?<!\n)\n</details>", cell.source):
                pytest.fail(f"{cell.id}: no blank line near {summary.group()!r}")


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


@by_name
def test_links_between_files_lead_somewhere(path):
    markdown = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#([^)]*))?\)", markdown)
    assert any(name.endswith("glossary.md") for name, _ in links)
    for name, anchor in links:
        target = path.parent / name
        assert target.is_file(), name
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name}#{anchor}"


@by_name
def test_every_source_of_a_chapter_is_in_the_bibliography(path):
    bibliography = (ROOT / "book" / "appendix" / "bibliography.md").read_text(encoding="utf-8")
    markdown = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    sources = set(re.findall(r"https://(?:doi\.org|arxiv\.org/abs)/[^)\s]+", markdown))
    assert sources
    for source in sources:
        assert source in bibliography, source


HOME = (ROOT / "book" / "index.md").read_text(encoding="utf-8")


def test_the_samples_on_the_home_page_were_written_by_the_model_of_the_chapter():
    cells = read(ROOT / "book" / "04-language-model.ipynb").cells
    said = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    said = " ".join(" ".join(said).split())
    prompt = re.search(r"^## «(.+)…»$", HOME, re.MULTILINE)[1]
    samples = re.findall(r"^> \*\*([\d,]+)\*\* (.+)…$", HOME, re.MULTILINE)
    assert len(samples) == 3
    for temperature, sample in samples:
        after = said.partition(f"τ = {temperature.replace(',', '.')}, ")[2]
        assert re.match(rf"знакомых слов \d+% {re.escape(f'{prompt} {sample}')}", after), sample


CARD = re.compile(
    r"^- \[(?P<title>\d+\. .+)\]\((?P<file>\d\d-\S+)\)\\\n"
    r"  .+\\\n"
    r"  \*(?P<time>.+) · (?P<after>.+)\*$",
    re.MULTILINE,
)
MINUTES = {"час": 60, "полтора часа": 90, "70 минут": 70, "75 минут": 75}


def opening(path):
    """The lines of a chapter before its first section."""
    cells = (cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return "\n\n".join(cells).partition("\n## ")[0] + "\n"


def stated_time(path):
    return re.search(r"\*\*Время\W+(.+?) (?:на чтение|чтения)", opening(path))[1]


def needed_chapters(path):
    needed = re.search(r"\*\*Понадобится.*?\n(?:\n|$)", opening(path), re.DOTALL)[0]
    return {int(number) for number in re.findall(r"\((\d\d)-", needed)}


def test_the_map_on_the_home_page_says_what_the_chapters_say():
    cards = list(CARD.finditer(HOME))
    assert [card["file"] for card in cards] == [path.name for path in CHAPTERS]
    behind = {}  # what a chapter needs, itself or through what it needs
    for number, (card, path) in enumerate(zip(cards, CHAPTERS, strict=True), start=1):
        needed = needed_chapters(path)
        implied = set().union(*(behind[other] for other in needed))
        behind[number] = needed | implied
        assert opening(path).startswith(f"# {card['title']}\n")
        assert card["time"].lower() == stated_time(path)
        assert {int(other) for other in re.findall(r"\d+", card["after"])} == needed - implied


@by_name
def test_the_stated_time_fits_the_words(path):
    words = len(re.findall(r"[а-яё]+", prose(path), re.IGNORECASE))
    # Prose alone goes three times as fast: here it goes with formulas, code and a pencil.
    assert 30 <= words / MINUTES[stated_time(path)] <= 60, words


def test_the_glossary_is_in_alphabetical_order():
    glossary = (ROOT / "book" / "appendix" / "glossary.md").read_text(encoding="utf-8")
    terms = [term.lower().replace("ё", "е") for term in re.findall(r"^### (.+)$", glossary, re.M)]
    assert len(terms) >= 60
    assert terms == sorted(terms)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course of one notebook, and the tool pointed at it."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text('repository:\n  url: ""\n', encoding="utf-8")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "CONFIG", tmp_path / "_config.yml")
    cells = [
        nbformat.v4.new_code_cell("", id="setup", metadata={"tags": ["setup"]}),
        nbformat.v4.new_code_cell("import sys\nprint('шум', file=sys.stderr)\n6 * 7", id="one"),
    ]
    path = tmp_path / "book" / "01-small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_run_keeps_ids_and_outputs_and_drops_noise(course):
    notebooks.run(course)
    first = course.read_bytes()
    cell = read(course).cells[1]
    assert cell.id == "one"
    assert [output.output_type for output in cell.outputs] == ["execute_result"]
    assert cell.outputs[0].data["text/plain"] == "42"
    assert notebooks.complaints(course) == []
    notebooks.run(course)
    assert course.read_bytes() == first


def test_code_newer_than_its_outputs_is_found(course):
    notebooks.run(course)
    notebook = read(course)
    notebook.cells[1].source = "6 * 8"
    nbformat.write(notebook, course)
    assert any("newer than the outputs" in line for line in notebooks.complaints(course))


def test_the_repository_is_written_in_one_place(course):
    notebooks.run(course)
    url = "https://github.com/someone/course"
    notebooks.set_repository(url)
    assert notebooks.repository() == url
    assert f'REPOSITORY = "{url}"' in read(course).cells[0].source
    assert notebooks.complaints(course) == []
    shutil.copy(course, course.with_name("02-copy.ipynb"))
    notebooks.CONFIG.write_text('repository:\n  url: ""\n', encoding="utf-8")
    assert any("make repository" in line for line in notebooks.complaints(course))


def test_the_setup_cell_asks_for_the_address_where_the_package_is_missing():
    source = notebooks.SETUP.format(url="").replace("coursekit", "no_such_package")
    program = "\n".join(line for line in source.splitlines() if "%pip" not in line)
    with pytest.raises(ModuleNotFoundError, match="Впишите в REPOSITORY адрес"):
        exec(program, {})
    exec(notebooks.SETUP.format(url="").replace("    %pip", "    # %pip"), {})
