"""The theme without what this book does not need, and with headings that can be linked to."""

from docutils import nodes
from jinja2.ext import Extension
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform

NEED_REPOSITORY = ("launch_buttons", "use_repository_button")
# Half a megabyte of scripts for a dozen icons that the theme's own web font holds as well.
ICON_SCRIPT = """<script defer src="{{ pathto('_static/scripts/fontawesome.js', 1) }}"""


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


class NoIconScript(Extension):
    """Leave the script of Font Awesome out of the theme's templates."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Change the source of a template before it is compiled."""
        start, found, rest = source.partition(ICON_SCRIPT)
        return start + rest.partition("</script>")[2] if found else source


def change_templates(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.builder.templates.environment.add_extension(NoIconScript)


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
