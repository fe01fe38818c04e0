"""Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28×28 grey levels, 10 classes (from AUTOML_DATA)."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from automl.contracts import Split, UserError
from automl.data.dataset import Dataset
from automl.data.local import find_files

NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
FOLDERS = ("fashion_mnist", "FashionMNIST/raw", ".")


def fashion_mnist() -> Dataset:
    """60,000 images (1, 28, 28) with an official test part of 10,000 (Xiao et al. 2017, arXiv:1708.07747)."""
    paths = find_files("fashion_mnist", FOLDERS, NAMES)
    x, y, x_test, y_test = (read_idx(path) for path in paths)
    return Dataset(
        x[:, None], y.astype(np.int64), "image", 10, Split(x_test[:, None], y_test.astype(np.int64))
    )


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of a gzipped IDX file. Raises `UserError` for a damaged one."""
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} must be a whole gzip file, but {error}; fetch it again") from error
    # IDX: two zero bytes, type 8 (uint8), number of dimensions, each dimension as a big-endian uint32
    start = 4 + 4 * data[3] if len(data) > 3 else 0
    shape = np.frombuffer(data[4:start], ">u4").astype(int) if 4 < start <= len(data) else np.zeros(1, int)
    if data[:3] != b"\0\0\x08" or len(data) != start + shape.prod():
        raise UserError(
            f"{path} must be a whole IDX file of bytes, but its header does not fit; fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


PLUGIN = fashion_mnist
