"""`best.yaml`: a campaign's winner as a versioned file with a certificate, written and read back.

The file ends in a checksum of everything before it, so a certificate cannot be changed by accident.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from automl import plugins
from automl.checkpoints import write_atomically
from automl.config import Budget, SpaceSpec, validation, yamlfile
from automl.config.document import Mistake, shown
from automl.config.part import Part
from automl.config.yamltext import yaml_text
from automl.contracts import Config, Json, PluginSpec, TaskSpec, UserError, digest
from automl.export.gate_record import GateRecord

VERSION = 1
_LATER = (
    "winner_openings",
    "warnings",
    "gate",
    "retrainings",
    "refit",
    "transfer",
    "ensemble",
    "refitted",
    "test_interval",
    "constraints",
)  # keys of certificates that earlier versions lack
_AGAIN = "export it again (automl export)"
_HEADER = f"""\
# A winner and its certificate. {{use}}
# Format {VERSION}; the checksum at the end covers all values, so options are changed by flags, not in here.
"""


class Comparison(Part):
    """The winner's arm against the baseline, over the campaign's seeds."""

    against: str
    verdict: Literal["better", "worse", "undecided", "equivalent", "is the baseline"]
    compared: str
    difference: float | None = None
    interval: list[float | None] | None = None
    p_value: float | None = None
    sentence: str


class Cost(Part):
    """Device-seconds: of the winner's search, of its retrainings, of all searches of the campaign."""

    search: float
    retraining: float
    all_searches: float


class Values(Part):
    """The winner's metric: when it was selected, retrained with fresh seeds, and on the sealed test set."""

    validation: float
    fresh: list[float]
    test: list[float]


class Retrainings(Part):
    """How the values of the fresh-seed retrainings came about, in their order: `seeds`, CPUs of each.

    `model`: whether they left one; None where their folders are not there to tell.
    """

    seeds: list[int]
    cpus: float
    model: bool | None


class Refitted(Part):
    """What predicts: the winner's model fitted on all `rows`, those of the test included, by `trial`."""

    trial: str
    rows: int


class KeptBound(Part):
    """What a metric must be, and what the winner's trial has."""

    bounds: str
    value: float


class Certificate(Part):
    """How the winner was found and what is known of it. `baseline_beaten`: None when that is undecided.

    `test_openings`: of the whole campaign; `winner_openings`: of the winner's search, more than one where it
    has grown; None in files of earlier versions. `warnings`: the report's. `gate`: what the gate before the
    champion last said of it. `retrainings`: None in files of earlier versions, and without any.
    `refit`: it is to be trained on validation data too, so that no value of it is known. `transfer`: by other
    dataset, the test values of the same configuration trained on that; None without any. `ensemble`: of which
    trials the retrained model is made, whose values `fresh` and `test` are; None where the winner is alone.
    `refitted`: the model that predicts, whose values are not known; all that are here belong to the model
    that was fitted on the training rows. `test_interval`: of 95 %, of the only test value by the choice of
    the test rows; None where it was not measured. `constraints`: by metric; None for a study without any.
    """

    campaign: str
    arm: str
    seed: int
    trial: str
    selected_by: str
    metric: str
    direction: Literal["maximize", "minimize"]
    budget: Budget
    device_seconds: Cost
    arms: list[str]
    seeds: list[int]
    values: Values
    baseline_beaten: bool | None
    baseline: Comparison | None
    test_openings: int
    winner_openings: int | None = None
    code: dict[str, str | None]
    data: str | None
    warnings: list[str] | None = None
    gate: GateRecord | None = None
    retrainings: Retrainings | None = None
    refit: bool | None = None
    transfer: dict[str, list[float]] | None = None
    ensemble: str | None = None
    refitted: Refitted | None = None
    test_interval: list[float] | None = None
    constraints: dict[str, KeptBound] | None = None

    @property
    def search(self) -> str:
        """The id of the winner's search."""
        return f"{self.campaign}/{self.arm}/{self.seed}"


class Signature(Part):
    """Made with the key of the store that wrote the file (see `export.signing`). `key`: its name."""

    key: str = Field(pattern=r"^[0-9a-f]{16}$", description=_AGAIN)
    value: str = Field(pattern=r"^[0-9a-f]{64}$", description=_AGAIN)


class Winner(Part):
    """All that `automl train` needs and all that is claimed. `genotype`: what a one-shot search derived."""

    version: Literal[1] = Field(description=f"this version reads format {VERSION}: {_AGAIN}")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description=_AGAIN)
    task: TaskSpec
    space: SpaceSpec
    config: Config
    genotype: Config | None = None
    training: PluginSpec
    import_path: list[str]
    certificate: Certificate
    provenance: Json
    checksum: str = Field(default="", description=_AGAIN)
    signature: Signature | None = None

    @property
    def trained(self) -> Config:
        """The configuration that is trained."""
        return self.config if self.genotype is None else self.genotype

    @property
    def origin(self) -> str:
        """The checksum without what a gate said: the same before and after a promotion."""
        certificate = self.certificate.model_copy(update={"gate": None})
        return self.model_copy(update={"certificate": certificate}).digest()

    @property
    def tabular(self) -> bool:
        """Whether its values are those of a benchmark table, which has no models to train."""
        name = self.training.name  # one with a colon is the user's own, and may not be importable here
        return ":" not in name and plugins.load("evaluators", name).simulated

    def sealed(self) -> Winner:
        """The same with its checksum."""
        return self.model_copy(update={"checksum": self.digest()})

    def digest(self) -> str:
        """Sha256 (hex) of all values but the checksum and the signature."""
        data = self.model_dump(mode="json", exclude={"checksum", "signature"})
        for key in _LATER:
            if data["certificate"][key] is None:  # as before there was that key
                del data["certificate"][key]
        return digest(data)


def write_winner(winner: Winner, path: Path) -> None:
    """Write `best.yaml`, whole or not at all. Raises `UserError` when the folder cannot be written."""
    data = winner.sealed().model_dump(mode="json")
    for part in ("genotype", "signature"):
        if data[part] is None:
            del data[part]
    for part in _LATER[1:]:
        if data["certificate"][part] is None:
            del data["certificate"][part]
    use = (
        "Its values are those of a benchmark table" if winner.tabular else "Train it with: automl train FILE"
    )
    text = _HEADER.format(use=use) + yaml_text(data)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise UserError(f"{path}: must be a file that can be written, but: {error.strerror}") from error


def read_winner(path: Path) -> Winner:
    """The winner of a file. Raises `UserError` with every mistake, or when its checksum does not match."""
    document = yamlfile.read(path)
    if not isinstance(document.data, dict):
        text = f"must be a file that `automl export` wrote, but got {shown(document.data)}; {_AGAIN}"
        raise document.error([*document.mistakes, Mistake((), text)])
    found = validation.check(Winner, document.data)
    rules = [Mistake(mistake.path, f"{mistake.text.rpartition('; ')[0]}; {_AGAIN}") for mistake in found]
    mistakes = [*document.mistakes, *rules]
    if mistakes:
        raise document.error(mistakes)
    winner = Winner.model_validate_json(json.dumps(document.data))
    if winner.checksum != winner.digest():
        text = f"must be the checksum of the values above, but they were changed or cut off; {_AGAIN}"
        raise document.error([Mistake(("checksum",), text)])
    return winner
