"""What the documents say is there is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELD = (ROOT / "docs" / "field.md").read_text("utf-8")


def named_tests():
    """The tests that the table names: (row, file, function)."""
    found = []
    for line in FIELD.splitlines():
        row = re.match(r"\| (\d+) \|", line)
        file = ""
        for name in re.findall(r"`([\w/.]*::\w+)`", line) if row else ():
            own, function = name.split("::")
            file = own or file
            found.append((int(row.group(1)), file, function))
    return found


def test_every_kind_has_a_row_and_a_test():
    assert sorted({row for row, _, _ in named_tests()}) == list(range(1, 39))


@pytest.mark.parametrize(("row", "file", "function"), named_tests())
def test_a_named_test_is_there(row, file, function):
    assert f"def {function}(" in (ROOT / "tests" / file).read_text("utf-8")


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.name
)
def test_a_notebook_s_outputs_are_its_own(notebook):
    text = notebook.read_text("utf-8")
    for foreign in ("oneDNN", "retracing", "absl::InitializeLog", "\\u001b["):
        assert foreign not in text
    assert not re.search(r'"/\S+/recipes/\S+\.py', text), "a path of one machine"
