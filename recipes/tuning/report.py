"""The page of a search: what was searched, what was found, what it is worth."""

import base64
import io
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment
from matplotlib.figure import Figure

from recipes.files import write_text
from recipes.tuning.result import SearchResult

ROWS = 200


def write(result: SearchResult, note: dict) -> Path:
    """Write `report.html` into a search's folder.

    Args:
        result: of the search.
        note: its settings, as `search.json` has them.

    Returns:
        The page's path.
    """
    best_first = result.trials.sort_values(
        "score", ascending=result.minimized, na_position="last", kind="stable"
    )
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = files("recipes.tuning").joinpath("report.html").read_text("utf-8")
    page = environment.from_string(source).render(
        note=note,
        result=result,
        columns=list(best_first.columns),
        rows=[[_text(v) for v in row] for row in best_first.head(ROWS).itertuples(index=False)],
        counts=result.trials["status"].value_counts().to_dict(),
        plot=_data_uri(_plot(result)),
    )
    return write_text(result.folder / "report.html", page)


def _plot(result: SearchResult) -> Figure:
    """The plot, as high as its rows need."""
    figure = result.plot(Figure(layout="constrained"))
    figure.set_size_inches(11, 2.7 * figure.axes[0].get_gridspec().nrows)
    return figure


def _text(value) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _data_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
