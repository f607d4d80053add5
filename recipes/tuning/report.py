"""The page of a search: what was searched, what was found, what it is worth."""

from pathlib import Path

from matplotlib.figure import Figure

from recipes import page
from recipes.files import write_text
from recipes.page import Picture, Table
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
    title = f"{note['algorithm']} search of {note['recipe']}"
    best_first = result.trials.sort_values(
        "score", ascending=result.minimized, na_position="last", kind="stable"
    )
    rows = best_first.head(ROWS).itertuples(index=False)
    content = page.render(
        title,
        heading=title,
        subtitle=f"{len(result.trials)} trials ({_by_status(result)}), at most "
        f"{note['max_epochs']} epochs each, seed {note['seed']}",
        strip=[
            (f"{value:.4g}", f"{name} on the test part")
            for name, value in result.test_metrics.items()
        ],
        lead="The test part was used once, after the search: on the best setting, trained again. "
        f"The trials were compared by {result.objective}, on the validation part: "
        f"{'less' if result.minimized else 'more'} is better.",
        sections={
            "The best setting": [
                Table([(name, page.text(value)) for name, value in result.best.items()])
            ],
            "Progress, importance, slices": [_plot(result)],
            "Trials, best first": [
                Table([[page.text(value) for value in row] for row in rows], list(best_first))
            ],
            "The space": [
                Table([(name, _values(values)) for name, values in note["space"].items()])
            ],
        },
        wide=True,
    )
    return write_text(result.folder / "report.html", content)


def _by_status(result: SearchResult) -> str:
    counts = result.trials["status"].value_counts()
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _values(values) -> str:
    """What a hyperparameter may be: several values, or the one that it is."""
    return ", ".join(map(str, values)) if isinstance(values, list | tuple) else str(values)


def _plot(result: SearchResult) -> Picture:
    """The plot, as high as its rows need."""
    figure = result.plot(Figure(layout="constrained"))
    figure.set_size_inches(11, 2.7 * figure.axes[0].get_gridspec().nrows)
    return Picture.of(
        figure,
        "search",
        "Progress of the search, importance of each hyperparameter, the score along each",
    )
