"""What several test files share: pictures, a network that is quick to compile, a finished run."""

import pytest

from tests.recipes.images import pictures
from tests.recipes.odd import CLASSES, ODD

# Scripts that record what other libraries give; these are needed to run them only.
collect_ignore_glob = ["reference/make_*.py", "callbacks/record_*.py", "callbacks/recorders/*.py"]


@pytest.fixture(scope="session")
def tiny():
    """A backbone of three stages; every training has a copy of it."""
    from tests.recipes.transfer.tiny import build_tiny

    return build_tiny().backbone


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Twenty easy pictures a class, and some that are odd or broken."""
    folder = pictures.make_classes(tmp_path_factory.mktemp("photos"), 20, CLASSES)
    pictures.write(folder / "NA", ODD)
    return folder


@pytest.fixture(scope="session")
def run(photos, tmp_path_factory):
    """A training of the classifier on EfficientNet-Lite0's features of the photos."""
    import recipes
    from tests.recipes.odd import OPTIONS

    output = tmp_path_factory.mktemp("runs") / "photos"
    return recipes.fit_folder(photos, output=output, strategy="small_similar", **OPTIONS)
