"""Formats beyond the common ones: read where a library for them is there, named where not."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from recipes.images.decode import Reading, decode_bytes
from recipes.images.formats import SIGNATURES, UnreadableError, open_picture
from tests.recipes.images import pictures


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PPM", {}, 0),
        ("TGA", {}, 0),
        ("TGA", {"compression": "tga_rle"}, 0),
        ("JPEG2000", {"irreversible": False}, 0),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 8),
    ],
)
def test_formats_that_pillow_reads_are_read(kind, options, tolerance):
    found = decode_bytes(pictures.encoded(pictures.RGB, kind, **options))
    np.testing.assert_allclose(found.astype(int), pictures.PIXELS, atol=tolerance)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_plain_gray_maps_are_read(mode):
    picture = pictures.RGB.convert(mode)
    found = decode_bytes(pictures.encoded(picture, "PPM"))
    np.testing.assert_array_equal(found, np.asarray(picture.convert("RGB")))


def test_heic_is_read():
    heif = pytest.importorskip("pillow_heif")
    smooth = pictures.RGB.resize((64, 48))
    file = io.BytesIO()
    heif.from_pillow(smooth).save(file, quality=100, chroma=444)
    found = decode_bytes(file.getvalue())
    assert np.abs(found.astype(int) - np.asarray(smooth)).mean() < 6
    assert open_picture(file.getvalue(), 10**6).format == "HEIF"


def test_heic_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(UnreadableError, match=r"HEIC is not read: pip install '.*\[heif\]'"):
        open_picture(pictures.BAD["photo.heic"], 10**6)


def test_dicom_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UnreadableError, match=r"DICOM is not read: pip install '.*\[dicom\]'"):
        open_picture(bytes(128) + b"DICM" + bytes(100), 10**6)


@pytest.mark.parametrize("place", range(len(SIGNATURES)))
def test_a_format_that_is_not_read_is_named(place):
    start, signature, name, _ = SIGNATURES[place]
    pytest.importorskip("pydicom")
    pytest.importorskip("pillow_heif")
    with pytest.raises(UnreadableError) as caught:
        decode_bytes(bytes(start) + signature + bytes(200))
    read = name in ("AVIF", "DICOM", "HEIC")
    assert str(caught.value).startswith("damaged" if read else f"{name} is not read")


def dicom(values, photometric="MONOCHROME2", bits=12, **more):
    """A DICOM file of these values, (H, W) or (H, W, 3)."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    data.Rows, data.Columns = values.shape[:2]
    data.PhotometricInterpretation = photometric
    data.SamplesPerPixel = 3 if values.ndim == 3 else 1
    if values.ndim == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = values.dtype.itemsize * 8
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    for name, value in more.items():
        setattr(data, name, value)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


RAMP = np.linspace(0, 4095, 64 * 64).round().astype("uint16").reshape(64, 64)


def test_dicom_is_seen_through_its_window():
    """PS3.3 C.11.2.1.2.1, written out: y = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255."""
    centre, width = 1000, 500
    content = dicom(RAMP, WindowCenter=centre, WindowWidth=width)
    expected = np.clip(((RAMP - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
    found = decode_bytes(content)
    np.testing.assert_allclose(found[..., 0], expected, atol=1)
    inverted = dicom(RAMP, "MONOCHROME1", WindowCenter=centre, WindowWidth=width)
    np.testing.assert_allclose(decode_bytes(inverted)[..., 0], 255 - expected, atol=1)


def test_dicom_in_hounsfield_units_is_rescaled_before_its_window():
    stored = np.linspace(0, 4095, 64 * 64).round().astype("int16").reshape(64, 64)
    more = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400}
    expected = np.clip(((stored - 1024.0 - 39.5) / 399 + 0.5) * 255, 0, 255)
    found = decode_bytes(dicom(stored, bits=16, **more))
    np.testing.assert_allclose(found[..., 0], expected, atol=1)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_dicom_without_a_window_keeps_its_values_for_the_data_set_s_levels(photometric):
    content = dicom(RAMP, photometric)
    found = decode_bytes(content, None, Reading(levels=(0, 4095)))[..., 0]
    expected = RAMP / 4095 * 255
    expected = expected if photometric == "MONOCHROME2" else 255 - expected
    np.testing.assert_allclose(found, expected, atol=1)


def test_dicom_in_colour_is_read():
    content = dicom(pictures.PIXELS, "RGB", bits=8)
    np.testing.assert_array_equal(decode_bytes(content), pictures.PIXELS)


def test_dicom_has_the_limit_of_pixels_and_bad_files_a_reason():
    content = dicom(RAMP)
    with pytest.raises(UnreadableError, match="more pixels than 4,000"):
        open_picture(content, 4_000)
    with pytest.raises(UnreadableError, match="damaged"):
        open_picture(content[:-1000], 10**6)
