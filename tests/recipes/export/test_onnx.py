"""ONNX files in OpenCV, and what they carry."""

import json

import numpy as np
import pytest

import recipes
from recipes.export import export_run
from recipes.images.decode import decode


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    pytest.importorskip("tf2onnx")
    return export_run(run.folder, output=tmp_path_factory.mktemp("onnx") / "m.onnx")


def test_opencv_reads_the_onnx_file(run, file, photos):
    cv2 = pytest.importorskip("cv2")
    network = cv2.dnn.readNetFromONNX(str(file))
    model, _ = recipes.load_classifier(run.folder)
    pixels = [decode(p, (32, 32)) for p in sorted(photos.rglob("*.png"))[:4]]
    for size in (1, 4):
        batch = np.stack(pixels[:size]).astype("float32")
        network.setInput(batch)
        np.testing.assert_allclose(network.forward(), model.predict(batch, verbose=0), atol=1e-5)


def test_the_class_names_travel_inside(run, file):
    onnx = pytest.importorskip("onnx")
    written = onnx.load(file)
    (classes,) = [one.value for one in written.metadata_props if one.key == "classes"]
    assert json.loads(classes) == run.classes
    assert len(written.graph.input) == 1
