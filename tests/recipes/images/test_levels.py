"""Pictures of more than eight bits, and the levels between which their values are read."""

import numpy as np
import pytest
from PIL import Image

from recipes.images.decode import Reading, decode_bytes, ends_of, values_of
from recipes.images.formats import open_picture
from tests.recipes.images import pictures


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_and_not_cut(kind):
    array = decode_bytes(pictures.GOOD[f"gray16.{kind}"])
    expected = np.arange(24 * 32).reshape(24, 32) * 85 // 257
    np.testing.assert_allclose(array[..., 0], expected, atol=1)


def deep(bits, kind, dtype):
    """A ramp from 0 to the largest value of so many bits."""
    values = np.linspace(0, (1 << bits) - 1, 64 * 64).round().astype(dtype).reshape(64, 64)
    return values, pictures.encoded(Image.fromarray(values), kind)


@pytest.mark.parametrize(
    ("bits", "kind", "dtype"),
    [
        *((bits, kind, "uint16") for bits in range(9, 17) for kind in ("PNG", "TIFF", "PPM")),
        (12, "TIFF", "int32"),
        (14, "TIFF", "float32"),
    ],
)
def test_levels_keep_all_gray_values_whatever_the_bits(bits, kind, dtype):
    values, content = deep(bits, kind, dtype)
    low, high = ends_of(values_of(open_picture(content, 10**6), content))
    assert high == pytest.approx((1 << bits) - 1, rel=0.01)
    found = decode_bytes(content, None, Reading(levels=(low, high)))[..., 0]
    assert len(np.unique(found)) == 256
    np.testing.assert_allclose(found, values / values.max() * 255, atol=2)


def test_values_below_zero_are_kept_with_levels():
    values = np.linspace(-1024, 3071, 64 * 64, dtype="float32").reshape(64, 64)
    for dtype in ("float32", "int32"):
        content = pictures.encoded(Image.fromarray(values.astype(dtype)), "TIFF")
        found = decode_bytes(content, None, Reading(levels=(-1024, 3071)))[..., 0]
        np.testing.assert_allclose(found, (values + 1024) / 4095 * 255, atol=1)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_colours_of_sixteen_bits_are_kept(kind, channels):
    cv2 = pytest.importorskip("cv2")
    ramp = np.linspace(0, 1023, 64 * 64).astype("uint16").reshape(64, 64)
    values = np.stack([ramp, ramp[::-1], ramp.T, np.full_like(ramp, 65_535)], -1)[..., :channels]
    ok, encoded = cv2.imencode(kind, values[..., [2, 1, 0, 3][:channels]])
    assert ok
    content = encoded.tobytes()
    found = decode_bytes(content, None, Reading(levels=(0, 1023)))
    np.testing.assert_allclose(found, values[..., :3] / 1023 * 255, atol=1)
