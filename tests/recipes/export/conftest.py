"""One short training that all exported files come from."""

import pytest

import recipes
from tests.recipes.images import pictures

CLASSES = ("a b", "<script>", "日本")


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 24, CLASSES)


@pytest.fixture(scope="session")
def run(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "photos"
    backbone = recipes.mobilenet((32, 32, 3), 3, width=0.25, stages=((1, 16, 1, 1), (6, 24, 2, 2)))
    options = {"epochs": 2, "strategy": "small_similar", "verbose": False}
    return recipes.fit_folder(photos, output=output, backbone=backbone, image_size=32, **options)


@pytest.fixture(params=[b"\0M\0*\0\0\0\x08", b"MM\0*\0\0\0\xff"])
def damaged_exif(request):
    """A JPEG that lies on its side, which its damaged EXIF data no longer say."""
    return pictures.rotated(6).replace(b"MM\0*\0\0\0\x08", request.param)
