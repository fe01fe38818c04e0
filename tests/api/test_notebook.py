"""The notebook of the documentation runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.ledger import Store

nbformat = pytest.importorskip("nbformat", reason="the extra dev is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra dev is not installed")
NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "python.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_the_notebook_runs(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "it is kept without outputs"
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=None, resources=resources).execute()
    shown = [_shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "<table>" in shown[0] and "parabola-1" in shown[0] and "tpe" in shown[0]
    assert "Best(config={" in shown[1] and "config.x" in shown[2] and "device_seconds" in shown[3]
    assert "plotly" in shown[4] and "Best(config={'lr':" in shown[5]
    assert "name: in-code" in shown[6]
    assert shown[7] == "[<Campaign parabola-1: finished>, <Campaign my-loop-1: finished>]"


def _shown(cell: nbformat.NotebookNode) -> str:
    """What a cell has printed, and its value: as HTML where it has some."""
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        parts.append(output.get("text") or data.get("text/html") or data.get("text/plain", ""))
    return "".join(parts)
