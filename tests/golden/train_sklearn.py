"""Train a linear classifier of digits with scikit-learn, as a user would write it; `train_sklearn.otg` is its golden."""

from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import otel_experiments as ox

EPOCHS, PARTS, BATCH_SIZE, SEED = 4, 4, 200, 11
LEARNING_RATE = 0.01
CACHE, MODELS = Path("parts"), Path("models")


def fetch(part):
    """Put a part of the images into the cache."""
    images, labels = load_digits(return_X_y=True)
    joblib.dump((images[part::PARTS], labels[part::PARTS]), CACHE / f"part-{part}.joblib")


def load(run, part):
    """Return a part; one that is not in the cache yet is fetched, and read again."""
    for _ in range(3):
        try:
            with run.trace("read part", part=part):
                return joblib.load(CACHE / f"part-{part}.joblib")
        except FileNotFoundError:
            fetch(part)
    raise RuntimeError(part)


def strokes(image):
    """Return an image with how much ink begins and ends in each of its quarters' quarters, down and across."""
    changes = np.abs(np.gradient(image.reshape(8, 8))).reshape(2, 4, 2, 4, 2).sum(axis=(2, 4))
    return np.concatenate([image, changes.ravel()])


def save(run, model, epoch):
    """Write the model to a checkpoint."""
    with run.checkpoint(f"epoch-{epoch}", step=epoch) as checkpoint:
        path = MODELS / f"{epoch}.joblib"
        joblib.dump(model, path)
        checkpoint.wrote(path)


@ox.trace
def evaluate(run, model, images, labels, epoch):
    """Log how often the model is right, and how sure it is."""
    odds = model.predict_proba(images)
    entropy = -(odds * np.log(odds + 1e-9)).sum(axis=1).mean()
    accuracy = (model.classes_[odds.argmax(axis=1)] == labels).mean()
    run.log({"accuracy": accuracy, "entropy": entropy}, step=epoch, phase="test")


def train(run):
    """Load, map, train, evaluate, save."""
    parts = joblib.Parallel(n_jobs=PARTS, prefer="threads")(
        joblib.delayed(load)(run, at) for at in range(PARTS)
    )
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    images = images / 16
    held, rest = np.arange(400), np.arange(400, len(images))
    with run.stage("features") as stage:
        features = np.stack([strokes(image) for image in images[rest]])
        held_features = np.stack([strokes(image) for image in images[held]])
        stage.set_attribute("shape", features.shape)
        stage.set_attribute("dtype", str(features.dtype))

    labels, held_labels = labels[rest], labels[held]
    model = SGDClassifier("modified_huber", learning_rate="constant", eta0=LEARNING_RATE, random_state=SEED)
    rng = np.random.RandomState(SEED)
    for epoch in run.epochs(EPOCHS):
        order = rng.permutation(len(labels))
        for number, batch in enumerate(np.array_split(order, len(order) // BATCH_SIZE)):
            with run.batch(number, size=len(batch), first=batch[:3].tolist()):
                model.partial_fit(features[batch], labels[batch], classes=np.arange(10))
        evaluate(run, model, held_features, held_labels, epoch)
        if epoch % 2 == 1:
            save(run, model, epoch)


if __name__ == "__main__":
    CACHE.mkdir(exist_ok=True)
    MODELS.mkdir(exist_ok=True)
    for part in range(PARTS):
        fetch(part)
    with ox.start_run(
        "digits", experiment="digits", config={"lr": LEARNING_RATE, "batch_size": BATCH_SIZE}
    ) as run:
        train(run)
