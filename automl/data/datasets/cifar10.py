"""CIFAR-10: 50,000 + 10,000 photographs, 32×32 RGB, 10 classes (from AUTOML_DATA)."""

import tarfile
from pathlib import Path

import numpy as np

from automl.contracts import Split, UserError
from automl.data.dataset import Dataset
from automl.data.local import find_files, plain_unpickle

PYTHON = "cifar-10-python.tar.gz"
BINARY = "cifar-10-binary.tar.gz"
PART = "cifar10_lossless_10k_2k.npz"
TRAIN = [f"data_batch_{number}" for number in range(1, 6)]
ROW = 1 + 3 * 32 * 32


def cifar10() -> Dataset:
    """Images (3, 32, 32) with an official test part (Krizhevsky 2009).

    Takes the first it finds of the python archive, the binary archive, and an .npz file of the first
    1,000 + 200 images of each class.
    """
    (path,) = find_files("cifar10", ("cifar10", "."), (PYTHON,), (BINARY,), (PART,))
    if path.name == PART:
        return _read_npz(path)
    batches = _read_archive(path, [*TRAIN, "test_batch"])
    x, y = (np.concatenate(parts) for parts in zip(*batches[:-1], strict=True))
    return Dataset(x, y, "image", 10, Split(*batches[-1]))


def _read_npz(path: Path) -> Dataset:
    with np.load(path, allow_pickle=False) as arrays:
        x, x_test = (arrays[name].transpose(0, 3, 1, 2) for name in ("x_train", "x_test"))
        y, y_test = (arrays[name].astype(np.int64) for name in ("y_train", "y_test"))
    return Dataset(x, y, "image", 10, Split(x_test, y_test))


def _read_archive(path: Path, names: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images (n, 3, 32, 32) and labels (n,) of each batch. Raises `UserError` for a damaged archive."""
    batches = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stem = Path(member.name).name.removesuffix(".bin")
                file = archive.extractfile(member) if stem in names else None
                if file is not None:
                    batches[stem] = (
                        _from_pickle(file.read()) if path.name == PYTHON else _from_rows(file.read())
                    )
        return [batches[name] for name in names]
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise UserError(
            f"{path} must be the official archive, whole, but {error!r}; fetch it again"
        ) from error


def _from_rows(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Binary version: each row is a label byte, then 1,024 red, green and blue bytes."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, ROW)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def _from_pickle(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Python version: a pickled dictionary of which only plain values and arrays are read."""
    batch = plain_unpickle(data)
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], np.int64)


PLUGIN = cifar10
