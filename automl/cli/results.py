"""Commands about winners: export, verify, train.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Name, Trust, emit, find_campaign, note, only_json, open_ledger, say
from automl.private import private_in

if TYPE_CHECKING:
    from automl.export.retraining import Trained

PANEL = "Winners"


class Format(StrEnum):
    """The form of an exported winner."""

    YAML = "yaml"
    TORCH = "torch"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (export, verify, train):
        app.command(rich_help_panel=PANEL)(command)


def export(  # noqa: PLR0913 - each is an option of the command
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Default: best.yaml, or best/ for torch."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="yaml: configuration and certificate; torch: code and weights.")
    ] = Format.YAML,
    arm: Annotated[
        str | None, typer.Option(help="Export the winner of this arm instead of the best arm's.")
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", min=1, metavar="K", help="The K best configurations, a file each."),
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="All that nothing else dominates, a file each.")
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="To be trained on all data but the test set.")
    ] = False,
    optuna: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Write all trials to this Optuna storage instead."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the winner of a finished campaign with its certificate.

    The torch format is a folder with model.py, weights.pt and config.json that imports only torch.
    Example: automl export quickstart -o best.yaml
    """
    _check_together({"--optuna": optuna, "--top-k": top_k, "--pareto": pareto, "--refit": refit})
    if optuna is not None:
        _export_optuna(name, optuna, as_json)
        return
    if top_k is not None or pareto:
        _check_together(
            {"--top-k" if top_k else "--pareto": True, "--arm": arm, "--format": form is Format.TORCH}
        )
        _export_several(name, output or Path("best"), top_k, as_json)
        return
    _check_together({"--refit": refit, "--format torch": form is Format.TORCH})
    from automl.export.certificate import export_config
    from automl.export.torch_folder import export_torch

    path = output or Path("best" if form is Format.TORCH else "best.yaml")
    with only_json(as_json), open_ledger() as (store, ledger), private_in(store.folder, path):
        campaign = find_campaign(ledger, name).id
        if form is Format.TORCH:
            winner = export_torch(ledger, campaign, path, arm=arm)
        else:
            winner = export_config(ledger, campaign, path, store=store, arm=arm, refit=refit)
    if as_json:
        emit({"output": str(path), "winner": winner.model_dump(mode="json")})
        return
    certificate = winner.certificate
    value = f"{certificate.metric} {certificate.values.validation:.4g} on validation data"
    say(f"wrote {path}: {certificate.trial}, {value}")
    if form is Format.YAML and not winner.tabular:
        say(f"train it with: automl train {path}")


def _check_together(options: Mapping[str, object]) -> None:
    """Raise `UserError` when several options are given that exclude each other."""
    from automl.contracts import UserError

    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise UserError(
            f"an export is of one kind, but got {' and '.join(given)}; leave one out (automl train "
            "makes a plain folder of any exported file)"
        )


def _export_several(name: str, folder: Path, count: int | None, as_json: bool) -> None:
    """The best configurations, `count` of them, or those of the Pareto set."""
    from automl.export.several import export_pareto, export_top

    with only_json(as_json), open_ledger() as (store, ledger), private_in(store.folder, folder):
        campaign = find_campaign(ledger, name).id
        if count is None:
            winners = export_pareto(ledger, campaign, folder, store=store)
        else:
            winners = export_top(ledger, campaign, folder, count, store=store)
    if as_json:
        emit({"output": str(folder), "winners": [winner.model_dump(mode="json") for winner in winners]})
        return
    for winner in winners:
        known = winner.certificate
        say(f"{known.trial}: {known.metric} {known.values.validation:.4g} on validation data")
    fewer = "" if count is None or len(winners) == count else f"; there are no more than {len(winners)}"
    say(f"wrote {len(winners)} files into {folder}{fewer}")


def _export_optuna(name: str, url: str, as_json: bool) -> None:
    from automl.strategies.optuna_storage import export_optuna

    with only_json(as_json), open_ledger() as (_, ledger):
        studies = export_optuna(ledger, find_campaign(ledger, name).id, url)
    if as_json:
        emit({"studies": studies})
    else:
        say(f"wrote {len(studies)} Optuna studies: {', '.join(studies)}")


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `automl export` wrote.")],
    as_json: Json = False,
) -> None:
    """Say who made an exported winner: this store, another one, or nobody that is known.

    Exit code 1 unless this store signed it. A file that was changed is refused.
    Example: automl verify best.yaml
    """
    from automl.export.signing import Maker, maker
    from automl.export.winner import read_winner
    from automl.ledger import resolve_store

    with only_json(as_json):
        store = resolve_store()
        winner = read_winner(file)
        found = maker(winner, store)
    if as_json:
        key = None if winner.signature is None else winner.signature.key
        emit({"file": str(file), "campaign": winner.certificate.campaign, "signed_by": found, "key": key})
    else:
        fits = "its checksum fits, which anybody can make"
        checked = {
            Maker.THIS_STORE: "unchanged since it was exported",
            Maker.FORGED: f"{fits}, but its signature does not; export it again",
        }
        claim = checked.get(found, fits)
        say(f"{file}: {winner.certificate.campaign}, {claim}; signed by {found}")
    if found is not Maker.THIS_STORE:
        raise typer.Exit(1)


def train(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `automl export` wrote.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the campaign's.")] = None,
    iterations: Annotated[
        int | None,
        typer.Option(min=1, help="Of a meta-learner; more than in the last training continue that one."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Another one. Default: that of the campaign's best retraining."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train with N seeds: mean and spread.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, … Default: a GPU where there is one.")
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Train an exported winner, log it to MLflow and register it with the alias `candidate`.

    By default with a seed of the campaign: on a CPU it gives the exported value again. The same command again
    continues an interrupted training.
    Example: automl train best.yaml --epochs 50
    """
    from automl.contracts import UserError
    from automl.export.retraining import Training, train_seeds
    from automl.export.retraining import train as train_winner
    from automl.ledger import resolve_store

    if seed is not None and seeds is not None:
        raise UserError(f"either --seed or --seeds can be given, but got {seed} and {seeds}; leave one out")
    training = Training(epochs=epochs, iterations=iterations, seed=seed, device=device)
    with only_json(as_json):
        store = resolve_store()
        if seeds is None:
            done = [train_winner(file, store, training, message=note, trust=trust)]
        else:
            done = train_seeds(file, store, seeds, training, message=note, trust=trust)
    if as_json:
        plain = [{**vars(one), "folder": str(one.folder)} for one in done]
        emit(plain[0] if seeds is None else {"trainings": plain, "spread": _spread(done)})
        return
    for one in done:
        _say_trained(one)
    if seeds is not None:
        for metric, (mean, deviation) in _spread(done).items():
            spread = "" if deviation is None else f" ± {deviation:.4f}"
            say(f"{metric} {mean:.4f}{spread} over {len(done)} trainings")


def _say_trained(done: Trained) -> None:
    values = ", ".join(f"{metric} {value:.4f}" for metric, value in done.values.items())
    say(f"{done.name} version {done.version}: {values} on validation data, {done.device_seconds:.1f} s")
    if done.exported is not None:
        first = next(iter(done.values.values()))
        same = "as exported" if first == done.exported else f"exported: {done.exported:.4f}, which differs"
        say(f"seed {done.seed}, {same}")
    say(f"the model is in {done.folder}")


def _spread(done: list[Trained]) -> dict[str, tuple[float, float | None]]:
    """Mean and standard deviation of each metric; one training has no deviation."""
    from statistics import fmean, stdev

    found = {metric: [one.values[metric] for one in done] for metric in done[0].values}
    return {
        metric: (fmean(values), stdev(values) if len(values) > 1 else None)
        for metric, values in found.items()
    }
