"""`otel-experiments demo`: real training runs on scikit-learn's digits, recorded as anybody would record theirs.

Nothing is downloaded and nothing is made up: 1,797 images that come with scikit-learn, classifiers that learn
them epoch by epoch, and one run whose learning rate grows until training blows up.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

import otel_experiments as ox
from otel_experiments.cli.root import named_store, store_option
from otel_experiments.cli.runs import print_runs
from otel_experiments.cli.session import open_session, store_location
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.errors import MissingPackageError
from otel_experiments.query import RunView

EXPERIMENT: Final = "digits"
SEED: Final = 7
BATCH_SIZE: Final = 64
DIVERGED_LOSS: Final = 10.0
"""A mean squared error of targets of -1 and 1 that says: this is not training any more."""

# Any: scikit-learn is optional, its types and NumPy's cannot be named here.
Array = Any
Classifier = Any


@dataclass(frozen=True, slots=True)
class Job:
    """One training run of the demo: what it is called and its hyperparameters."""

    name: str
    config: Mapping[str, Any]


class Data(NamedTuple):
    """Images and labels, split; images are rows of 64 numbers from 0 to 1."""

    train_images: Array
    train_labels: Array
    validation_images: Array
    validation_labels: Array
    test_images: Array
    test_labels: Array


JOBS: Final = (
    Job("sgd-careful", {"model": {"kind": "sgd", "loss": "log_loss"}, "optim": {"lr": 0.001, "growth": 1.0}}),
    Job("sgd-brisk", {"model": {"kind": "sgd", "loss": "log_loss"}, "optim": {"lr": 0.05, "growth": 1.0}}),
    Job("mlp-small", {"model": {"kind": "mlp", "hidden": [32]}, "optim": {"lr": 0.002}}),
    Job("mlp-wide", {"model": {"kind": "mlp", "hidden": [128]}, "optim": {"lr": 0.005}}),
    # Fails on purpose: the learning rate doubles with every epoch, which a linear model survives for a while.
    Job(
        "sgd-runaway",
        {"model": {"kind": "sgd", "loss": "squared_error"}, "optim": {"lr": 0.005, "growth": 2.0}},
    ),
)


class TrainingDivergedError(RuntimeError):
    """The loss has left all bounds."""


@click.command("demo")
@store_option
@click.option(
    "--epochs", type=click.IntRange(1, 1000), default=15, show_default=True, help="Epochs of each run."
)
@click.pass_context
def command(ctx: click.Context, *, epochs: int) -> None:
    """Train five classifiers on the handwritten digits that come with scikit-learn; one fails on purpose.

    Nothing is downloaded; the runs go into the store like those of your own scripts.
    """
    location = store_location(ctx)
    _require_sklearn()
    click.echo(
        f"Training {len(JOBS)} classifiers on scikit-learn's digits, {epochs} epochs each, into {str(location)!r}."
    )
    ox.configure(store=str(location))
    try:
        ids = [_run(job, epochs) for job in JOBS]
    finally:
        ox.shutdown()
    reader = open_session(ctx)
    found = [reader.run(run_id) for run_id in ids]
    click.echo()
    print_runs(found, total=reader.count_runs(), columns=None)
    _say_what_next(found, named_store(ctx))


def _require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401, PLC0415 - optional
    except ImportError as exc:
        raise MissingPackageError(package="scikit-learn", purpose="The demo", extra="demo") from exc


def _run(job: Job, epochs: int) -> str:
    """Record one training run and return its id; a run that diverges is part of the demo."""
    config = {"seed": SEED, "epochs": epochs, "batch_size": BATCH_SIZE, **job.config}
    with tempfile.TemporaryDirectory(prefix="otel-experiments-demo-") as folder:
        try:
            with ox.start_run(
                job.name, experiment=EXPERIMENT, config=config, tags=["demo"], seed=SEED
            ) as run:
                run_id = run.id
                run.define_metric("loss", direction="min")
                run.define_metric("*/loss", direction="min")
                run.define_metric("*/acc", direction="max")
                accuracy = _train(run, config, Path(folder))
        except TrainingDivergedError as error:
            click.echo(f"  {job.name:<12} failed, as planned: {error}")
        else:
            click.echo(f"  {job.name:<12} test accuracy {fmt.number(accuracy)}")
    return run_id


def _train(run: ox.Run, config: Mapping[str, Any], folder: Path) -> float:
    """Train one classifier, epoch by epoch, and return its accuracy on the test images."""
    from sklearn.utils import shuffle  # noqa: PLC0415 - optional

    with run.stage("load"):
        data = _load()
    model = _model(config)
    rate = float(config["optim"]["lr"])
    best_accuracy = 0.0
    with run.stage("train"):
        for epoch in run.epochs(int(config["epochs"])):
            images, labels = shuffle(data.train_images, data.train_labels, random_state=SEED + epoch)
            for start in run.steps(range(0, len(images), BATCH_SIZE)):
                batch = slice(start, start + BATCH_SIZE)
                model.partial_fit(images[batch], labels[batch], classes=range(10))
            run.log({"loss": _loss(model, images, labels), "lr": rate}, step=epoch)
            with run.evaluation("validation", dataset=EXPERIMENT, split="validation"):
                accuracy = float(model.score(data.validation_images, data.validation_labels))
                loss = _loss(model, data.validation_images, data.validation_labels)
            run.log({"val/loss": loss, "val/acc": accuracy}, step=epoch)
            if not loss < DIVERGED_LOSS:
                raise TrainingDivergedError(
                    f"validation loss {fmt.number(loss)} in epoch {epoch} at learning rate {fmt.number(rate)}"
                )
            if accuracy > best_accuracy:
                best_accuracy = accuracy
                _save(run, model, folder, epoch)
            rate = _next_rate(model, config, rate)
    with run.evaluation("test", dataset=EXPERIMENT, split="test"):
        test_accuracy = float(model.score(data.test_images, data.test_labels))
    run.log({"test/acc": test_accuracy})
    return test_accuracy


def _load() -> Data:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - optional
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - optional

    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    rest, test_images, rest_labels, test_labels = train_test_split(
        images, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    train, validation, train_labels, validation_labels = train_test_split(
        rest, rest_labels, test_size=0.2, random_state=SEED, stratify=rest_labels
    )
    return Data(train, train_labels, validation, validation_labels, test_images, test_labels)


def _model(config: Mapping[str, Any]) -> Classifier:
    from sklearn.linear_model import SGDClassifier  # noqa: PLC0415 - optional
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - optional

    kind, rate = config["model"], float(config["optim"]["lr"])
    if kind["kind"] == "mlp":
        return MLPClassifier(tuple(kind["hidden"]), learning_rate_init=rate, random_state=SEED)
    return SGDClassifier(loss=kind["loss"], learning_rate="constant", eta0=rate, random_state=SEED)


def _loss(model: Classifier, images: Array, labels: Array) -> float:
    """Return the mean squared error of a model that was trained on it, the cross entropy of all others."""
    from sklearn.metrics import log_loss, mean_squared_error  # noqa: PLC0415 - optional
    from sklearn.preprocessing import label_binarize  # noqa: PLC0415 - optional

    if getattr(model, "loss", "") == "squared_error":
        targets = label_binarize(labels, classes=range(10), neg_label=-1)
        return float(mean_squared_error(targets, model.decision_function(images)))
    return float(log_loss(labels, model.predict_proba(images), labels=range(10)))


def _next_rate(model: Classifier, config: Mapping[str, Any], rate: float) -> float:
    growth = float(config["optim"].get("growth", 1.0))
    if growth != 1.0:
        rate *= growth
        model.set_params(eta0=rate)
    return rate


def _save(run: ox.Run, model: Classifier, folder: Path, epoch: int) -> None:
    with run.checkpoint("best", step=epoch) as checkpoint:
        path = folder / "best.pickle"
        path.write_bytes(pickle.dumps(model))
        checkpoint.wrote(path)


def _say_what_next(runs: Sequence[RunView], store: str | None) -> None:
    """Print commands that are worth typing now, complete with the store where it was named."""
    option = f" --store {store}" if store else ""
    by_name = {run.name: run for run in runs}
    best = max(runs, key=lambda run: run.metrics["val/acc"].max)
    failed = by_name["sgd-runaway"]
    lines = (
        (f"show {best.short_id}", "config, summary, environment and spans of the best run"),
        (f"metrics {failed.short_id} val/loss --log", "the curve of the run that blew up"),
        ("""runs --where 'metrics["val/acc"].max > 0.9 and state == "succeeded"'""", "search"),
        (f"spans {best.short_id} --tree", "where the time went"),
        ("export points -o points.csv", "every point as CSV"),
    )
    click.echo("\nNext:")
    for line, meaning in lines:
        click.echo(f"  otel-experiments {line}{option}\n      {meaning}")
