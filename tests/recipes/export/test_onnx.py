"""ONNX files in OpenCV, and what they carry."""

import json

import numpy as np
import pytest

import recipes
from recipes.export import export_run
from recipes.images.decode import decode


def test_opencv_reads_the_onnx_file(run, photos, tmp_path):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("tf2onnx")
    path = export_run(run.folder, "onnx", output=tmp_path / "m.onnx")
    network = cv2.dnn.readNetFromONNX(str(path))
    model, _ = recipes.load_classifier(run.folder)
    pixels = [decode(p, (32, 32)) for p in sorted(photos.rglob("*.png"))[:4]]
    for size in (1, 4):
        batch = np.stack(pixels[:size]).astype("float32")
        network.setInput(batch)
        np.testing.assert_allclose(network.forward(), model.predict(batch, verbose=0), atol=1e-5)


def test_the_class_names_travel_inside(run, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    written = onnx.load(export_run(run.folder, output=tmp_path / "m.onnx"))
    (classes,) = [one.value for one in written.metadata_props if one.key == "classes"]
    assert json.loads(classes) == run.classes
    assert len(written.graph.input) == 1
