"""Train a small network with numpy, as a user would write it; `train_numpy.otg` is its golden."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import otel_experiments as ox

EPOCHS, SHARDS, BATCH_SIZE, SEED = 5, 4, 64, 7
LEARNING_RATE, MOMENTUM = 0.05, 0.9
CACHE, CHECKPOINTS = Path("cache"), Path("checkpoints")


def fetch(shard):
    """Put a shard into the cache: what four sensors heard of a machine in one of three states; one is dead."""
    rng = np.random.default_rng([SEED, shard])
    states = rng.integers(0, 3, size=200)
    tone = np.sin(np.arange(512) * (0.1 + 0.02 * states[:, None]))
    waves = rng.normal(size=(200, 4, 512)) + 0.15 * tone[:, None]
    waves[:, 3] = 0
    waves.tofile(CACHE / f"{shard}.waves")
    states.tofile(CACHE / f"{shard}.states")


@ox.trace
def read(shard):
    """Return the waves and states of a shard."""
    waves = np.fromfile(CACHE / f"{shard}.waves").reshape(-1, 4, 512)
    return waves, np.fromfile(CACHE / f"{shard}.states", dtype=np.int64)


def load(shard):
    """Return a shard; one that is not in the cache yet is fetched, and read again."""
    with ox.current_run().trace("load", shard=shard):
        try:
            return read(shard)
        except FileNotFoundError:
            fetch(shard)
            return read(shard)


def loudness(wave):
    """Return how loud the twelve lowest tones of each sensor are, on average over overlapping windows."""
    windows = sliding_window_view(wave, 256, axis=-1)[:, ::32]
    return np.abs(np.fft.rfft(windows))[..., 1:13].mean(axis=1).ravel()


@ox.trace
def features(waves):
    """Return the loudness of each tone with mean 0 and spread 1; a dead sensor has no spread."""
    tones = np.stack([loudness(wave) for wave in waves])
    spread = np.maximum(tones.std(axis=0), 1e-6)
    return ((tones - tones.mean(axis=0)) / spread).astype(np.float32)


@ox.trace
def shuffle(rng, count):
    """Return the order in which an epoch sees its data."""
    return rng.permutation(count)


@ox.trace
def forward(weights, inputs):
    """Return the hidden layer and the probability of each state."""
    hidden = np.tanh(inputs @ weights["in"])
    scores = hidden @ weights["out"]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, odds / odds.sum(axis=1, keepdims=True)


@ox.trace
def backward(weights, inputs, states, hidden, odds):
    """Return the gradient of the mean cross-entropy."""
    error = (odds - np.eye(3, dtype=odds.dtype)[states]) / len(states)
    inner = (error @ weights["out"].T) * (1 - hidden**2)
    return {"in": inputs.T @ inner, "out": hidden.T @ error}


def evaluate(run, weights, inputs, states, epoch):
    """Log how often the network is right."""
    with run.evaluation("held-out", split="test"):
        _, odds = forward(weights, inputs)
        run.log({"accuracy": (odds.argmax(axis=1) == states).mean()}, step=epoch, phase="test")


def save(run, weights, epoch):
    """Write the weights to a checkpoint."""
    with run.checkpoint(f"epoch-{epoch}", step=epoch) as checkpoint:
        path = CHECKPOINTS / f"{epoch}.npz"
        np.savez(path, **weights)
        checkpoint.wrote(path)


def train(run):
    """Load, prepare, train, evaluate, save."""
    with run.stage("load data"), ThreadPoolExecutor(max_workers=SHARDS) as pool:
        shards = list(pool.map(load, range(SHARDS)))
    waves, states = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    with run.stage("prepare") as stage:
        inputs = features(waves)
        stage.set_attribute("rows", len(inputs))
        stage.set_attribute("dtype", str(inputs.dtype))

    rng = np.random.default_rng(SEED)
    weights = {
        "in": (rng.normal(size=(inputs.shape[1], 16)) / 8).astype(inputs.dtype),
        "out": (rng.normal(size=(16, 3)) / 8).astype(inputs.dtype),
    }
    speed = {name: np.zeros_like(value) for name, value in weights.items()}
    held_inputs, inputs = np.split(inputs, [200])
    held_states, states = np.split(states, [200])
    for epoch in run.epochs(EPOCHS):
        order = shuffle(rng, len(inputs))
        for at in run.steps(range(0, len(order), BATCH_SIZE), spans=True):
            batch = order[at : at + BATCH_SIZE]
            hidden, odds = forward(weights, inputs[batch])
            gradient = backward(weights, inputs[batch], states[batch], hidden, odds)
            for name in weights:
                speed[name] = MOMENTUM * speed[name] - LEARNING_RATE * gradient[name]
                weights[name] += speed[name]
            run.log({"loss": -np.log(odds[np.arange(len(batch)), states[batch]]).mean()})
        evaluate(run, weights, held_inputs, held_states, epoch)
        if epoch % 2 == 0:
            save(run, weights, epoch)


if __name__ == "__main__":
    CACHE.mkdir(exist_ok=True)
    CHECKPOINTS.mkdir(exist_ok=True)
    for shard in range(SHARDS):
        fetch(shard)
    config = {"lr": LEARNING_RATE, "momentum": MOMENTUM, "batch_size": BATCH_SIZE, "seed": SEED}
    with ox.start_run("sensors", experiment="sensors", config=config) as run:
        train(run)
