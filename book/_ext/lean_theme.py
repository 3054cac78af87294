"""The theme without what this book does not need, and with headings that can be linked to."""

from docutils import nodes
from jinja2.ext import Extension
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform

NEED_REPOSITORY = ("launch_buttons", "use_repository_button")

# From where to where the theme's templates are cut, and what comes instead.
CUTS = [
    # Half a megabyte of scripts for a dozen icons that the theme's own web font holds as well.
    ("""<script defer src="{{ pathto('_static/scripts/fontawesome.js', 1) }}""", "</script>", ""),
    # A style sheet that only imports another one: the browser finds out a round trip later.
    (
        """<link href="{{ pathto('_static/styles/theme.css', 1) }}""",
        "/>",
        """<link href="{{ pathto('_static/basic.css', 1) }}" rel="stylesheet" />""",
    ),
    # Scripts that may come last would take the way from the style sheet.
    ("{{ _webpack.head_js_preload() }}", "", ""),
    # The index of the search, half a megabyte too, on pages that do not search.
    ("{# Load Sphinx's built-in search tools", "{% endif %}", "{% endif %}"),
    # The table of contents once more, for the printer only.
    ('<div id="jb-print-docs-body"', "{{ super() }}", "{{ super() }}"),
    # Handlers in attributes, which the content policy forbids: book.js listens instead.
    ('onclick="', '{{ javascript }}"', 'type="button" data-action="{{ javascript }}"'),
    # The style sheet knows the home page.
    ("<body ", "", '<body data-page="{{ pagename }}" '),
    # A file is downloaded, not opened in a new tab.
    (
        'target="_blank"',
        "",
        """{% if "download" in (label or "") %}download{% else %}target="_blank" """
        """rel="noopener"{% endif %}""",
    ),
]


def drop_dead_buttons(app: Sphinx, config: Config) -> None:
    """While _config.yml gives no address of a repository, show no button that leads nowhere."""
    if not config.html_theme_options.get("repository_url"):
        for option in NEED_REPOSITORY:
            config.html_theme_options.pop(option, None)


def skip_tuple_fields(
    app: Sphinx, what: str, name: str, thing: object, skip: bool, options: object
) -> bool | None:
    """Leave “Alias for field number 0” out of the API page; the signature names the fields."""
    return True if type(thing).__name__ == "_tuplegetter" else None


class LeanTemplates(Extension):
    """Cut the theme's templates before they are compiled."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Change the source of a template."""
        for start, end, instead in CUTS:
            before, found, rest = source.partition(start)
            if found:
                source = before + instead + (rest.partition(end)[2] if end else rest)
        return source


def change_templates(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.builder.templates.environment.add_extension(LeanTemplates)


class ReadableAnchors(SphinxTransform):
    """Give a heading the anchor that GitHub gives it: ``#лемма`` instead of ``#id17``.

    docutils drops Cyrillic letters from ids and then counts; such anchors move with every edit.
    """

    default_priority = 300  # before MyST resolves links to headings

    def apply(self) -> None:
        """Put the slug that MyST has computed first among the ids of each section."""
        slugs = getattr(self.document, "myst_slugs", {})
        for section in self.document.findall(nodes.section):
            slug = section.get("slug")
            if slug in slugs and slug not in self.document.ids:
                line, _, title = slugs[slug]
                slugs[slug] = (line, slug, title)
                section["ids"].insert(0, slug)
                self.document.ids[slug] = section


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", drop_dead_buttons)
    app.connect("builder-inited", change_templates)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.add_transform(ReadableAnchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
