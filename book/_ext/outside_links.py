"""`make links`: ask about a DOI its registry, not its publisher, who turns programs away."""

from sphinx.application import Sphinx

DOI = "https://doi.org/"


def ask_registry(app: Sphinx, uri: str) -> str | None:
    """Return the address where the DOI registry says whether it knows ``uri``, if it is a DOI."""
    return f"{DOI}api/handles/{uri.removeprefix(DOI)}" if uri.startswith(DOI) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to the builder of `make links`."""
    app.connect("linkcheck-process-uri", ask_registry)
    return {"parallel_read_safe": True}
