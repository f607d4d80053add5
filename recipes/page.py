"""One HTML page from plain values: texts, tables and figures under headings.

Everything is escaped, and the figures lie inside the page, so that it is one file.
"""

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

NAME_LENGTH = 24
_TEMPLATES = Environment(
    loader=PackageLoader("recipes", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        rows: of texts or other values, as they shall be read.
        header: what stands above the columns.
        numbers: how many of the last columns are set to the right, as numbers are.
    """

    rows: Sequence[Sequence]
    header: Sequence[str] = ()
    numbers: int = 0


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG.

    Attributes:
        name: of its file, without the suffix, where it becomes one.
        alt: what is to be seen, for those who do not see it.
        png: the file's content.
    """

    name: str
    alt: str
    png: bytes

    @classmethod
    def of(cls, figure: Figure, name: str, alt: str) -> "Picture":
        """Draw a matplotlib figure.

        Example:
            >>> Picture.of(Figure(), "nothing", "An empty figure").png[1:4]
            b'PNG'
        """
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the font's own boxes instead
            figure.savefig(buffer, format="png", dpi=110)
        return cls(name, alt, buffer.getvalue())

    @property
    def uri(self) -> str:
        """The PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


Part = str | Table | Picture


def render(
    title: str,
    *,
    heading: str,
    subtitle: str,
    strip: Sequence[tuple[str, str]],
    sections: Mapping[str, Sequence[Part]],
    lead: str = "",
    wide: bool = False,
) -> str:
    """A page as HTML.

    Args:
        title: of the window.
        heading: above all.
        subtitle: one quiet line; `Markup` in it stays as it is.
        strip: the figures that matter most, each with what it is.
        sections: what stands under each further heading.
        lead: a paragraph before the first section.
        wide: for tables of many columns.

    Example:
        >>> text = render("<t>", heading="h", subtitle="", strip=[], sections={"s": ["a & b"]})
        >>> "<title>&lt;t&gt;</title>" in text, "<p>a &amp; b</p>" in text
        (True, True)
    """
    return _TEMPLATES.get_template("page.html").render(
        title=title,
        heading=heading,
        subtitle=subtitle,
        strip=strip,
        sections=sections,
        lead=lead,
        wide=wide,
    )


def text(value) -> str:
    """A value as a table shows it: four digits of a float, nothing where it is missing.

    Example:
        >>> text(0.123456), text(12345), text(float("nan")), text("a")
        ('0.1235', '12345', '', 'a')
    """
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short(name: str) -> str:
    """A name that fits a plot: control characters out, the middle of a long one dropped.

    Example:
        >>> short("a name that is much longer than a plot has room for")
        'a name that …has room for'
    """
    name = "".join(c if c.isprintable() else "?" for c in str(name))
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half]}…{name[-half:]}"
