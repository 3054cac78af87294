"""Russian for every word of the interface that the theme and its extensions leave in English.

Three sources: message catalogues (``CATALOGUES`` goes before what is installed, so it also mends
translations that are there), text written into templates, and the search script.
"""

import json
from gettext import NullTranslations

from jinja2.ext import Extension
from myst_nb.sphinx_ import HideCodeCellNode, visit_HideCellInput
from myst_nb.sphinx_ import depart_HideCellInput as depart_hidden_cell
from sphinx import locale
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.writers.html5 import HTML5Translator

CATALOGUES = {
    "sphinx": {
        "Announcement": "Объявление",
        "Back to top": "Наверх",
        "Breadcrumb": "Где вы находитесь",
        "Collapse Sidebar": "Свернуть панель",
        "Color mode": "Цветовая тема",
        "Dark": "тёмная",
        "Expand Sidebar": "Развернуть панель",
        "Light": "светлая",
        "Link to this definition": "Ссылка на это определение",
        "Please activate JavaScript to enable the search functionality.": (
            "Поиску нужен включённый JavaScript."
        ),
        "Search": "Поиск",
        "Section Navigation": "В этом разделе",
        "Skip to main content": "К тексту страницы",
        "System Settings": "как в системе",
        "Version warning": "Предупреждение о версии",
        "next": "Дальше",
        "next page": "Следующая страница",
        "previous": "Назад",
        "previous page": "Предыдущая страница",
        "© Copyright %(copyright)s.": "© %(copyright)s",
    },
    "booktheme": {
        "Download notebook file": "Скачать блокнот",
        "Download source file": "Скачать исходный файл",
        "Download this page": "Скачать страницу",
        "Fullscreen mode": "Во весь экран",
        "Launch": "Запустить",
        "Launch interactive content": "Запустить",
        "Launch on": "Открыть в",
        "Print to PDF": "Напечатать или сохранить как PDF",
        "Repository": "Репозиторий",
        "Source repository": "Репозиторий",
        "logo": "(логотип)",
    },
}

TEMPLATE_TEXT = {
    'title="Toggle primary sidebar"': 'title="Оглавление книги" aria-label="Оглавление книги"',
    'title="Toggle secondary sidebar"': 'title="На этой странице" aria-label="На этой странице"',
    'aria-label="Main"': 'aria-label="Оглавление книги"',
    'aria-label="Page"': 'aria-label="На этой странице"',
    ">Ctrl</kbd>": ' lang="en">Ctrl</kbd>',
}

SEARCH_TEXT = {
    ", in ": " — ",
    "Search finished, found ${resultCount} page(s) matching the search query.": (
        "Найдено страниц: ${resultCount}."
    ),
    "Your search did not match any documents. Please make sure that all words are spelled "
    "correctly and that you've selected enough categories.": (
        "Ничего не нашлось. Проверьте, нет ли опечатки, или поищите другое слово."
    ),
}

HIDDEN_CELL = {
    "source": "код",
    "content": "ячейку",
    "output": "вывод",
    "outputs": "вывод",
}


class Catalogue(NullTranslations):
    """Messages of ours; ``add_fallback`` gives it those of the installed catalogue."""

    def __init__(self, messages: dict[str, str]) -> None:
        super().__init__()
        self.messages = messages

    def gettext(self, message: str) -> str:
        """Return our translation, or that of the fallback."""
        return self.messages.get(message) or super().gettext(message)


def complete_catalogues(app: Sphinx, config: Config) -> None:
    for name, messages in CATALOGUES.items():
        catalogue = Catalogue(messages)
        catalogue.add_fallback(locale.get_translator(name))
        locale.translators["general", name] = catalogue
    app.translator = locale.get_translator("sphinx")
    config.nb_code_prompt_show = "Показать {type}"
    config.nb_code_prompt_hide = "Скрыть {type}"


class TemplateText(Extension):
    """Replace the text that templates hold as it is, without a catalogue."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Change the source of a template before it is compiled."""
        for english, russian in TEMPLATE_TEXT.items():
            source = source.replace(english, russian)
        return source


def change_templates(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.builder.templates.environment.add_extension(TemplateText)


def visit_hidden_cell(self: HTML5Translator, node: HideCodeCellNode) -> None:
    """Write the summary of a folded cell without its English label."""
    for prompt in ("prompt_show", "prompt_hide"):
        verb, _, kind = node[prompt].partition(" ")
        node[prompt] = f"{verb} {HIDDEN_CELL.get(kind, kind)}"
    start = len(self.body)
    visit_HideCellInput(self, node)
    self.body[start:] = (
        part.replace(' aria-label="Toggle hidden content"', "") for part in self.body[start:]
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", complete_catalogues)
    app.connect("builder-inited", change_templates)
    app.add_node(HideCodeCellNode, override=True, html=(visit_hidden_cell, depart_hidden_cell))
    # After translations.js, whose messages these complete.
    messages = json.dumps(SEARCH_TEXT, ensure_ascii=False)
    app.add_js_file(
        None, body=f"Object.assign(Documentation.TRANSLATIONS, {messages})", priority=900
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
