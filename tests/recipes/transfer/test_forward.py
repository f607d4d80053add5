import numpy as np

from recipes.transfer import parallel
from recipes.transfer.forward import forward_all
from tests.recipes.transfer.tiny import build_tiny


def test_the_next_batch_is_begun_before_outputs_are_copied(monkeypatch):
    transfer = build_tiny()
    pixels = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype("float32")
    expected = transfer.model.predict(pixels, verbose=0)
    begun, sizes = parallel.begun, []

    def heard(model, batch):
        sizes.append(len(batch))
        return begun(model, batch)

    monkeypatch.setattr(parallel, "begun", heard)
    batches = [pixels[:4], pixels[4:8], pixels[8:]]
    found = []
    for one in forward_all(transfer.model, batches, 4):
        assert isinstance(one, np.ndarray)
        found.append(one)
        assert len(sizes) == min(len(found) + 1, 3)
    assert sizes == [4, 4, 4]  # the last is filled up
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-5, atol=1e-6)
    assert list(forward_all(transfer.model, [], 4)) == []
