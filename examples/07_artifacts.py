"""Keep a data set and a model, use both in other runs, and see which made which.

Prints the way from the data to the evaluation, and what the file beside the model knows:

    run make-data made lineage/squares:v0
    run train used it and made lineage/line:v0, aliases latest and best
    run evaluate used that and found error 0.0
    line.json was made by run train with lr 0.5
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import otel_experiments as ox

with TemporaryDirectory() as folder:
    data_path, model_path = Path(folder) / "squares.json", Path(folder) / "line.json"

    with ox.start_run("make-data", experiment="lineage") as run:
        data_path.write_text(json.dumps([[x, 2 * x] for x in range(10)]), encoding="utf-8")
        run.log_artifact(data_path, "squares", type="dataset", metadata={"rows": 10})

    with ox.start_run("train", experiment="lineage", config={"lr": 0.5}) as run:
        rows = json.loads(run.use_artifact("squares").read_text())
        slope = sum(y for _, y in rows) / sum(x for x, _ in rows)
        model_path.write_text(json.dumps({"slope": slope}), encoding="utf-8")
        run.link_model(model_path, "line", aliases=["best"])

    with ox.start_run("evaluate", experiment="lineage") as run:
        model = json.loads(run.use_artifact("line:best").read_text())
        run.log({"error": max(abs(model["slope"] * x - y) for x, y in rows)})

    train, evaluate = ox.run("train"), ox.run("evaluate")
    (data,), (line,) = train.used_artifacts, evaluate.used_artifacts
    print(f"run {data.made_by[-1].name} made {data.ref}")
    print(f"run {line.made_by[-1].name} used it and made {line.ref}, aliases {' and '.join(line.aliases)}")
    print(f"run {line.used_by[-1].name} used that and found error {evaluate.metrics['error'].last}")
    found = ox.run_of(model_path)
    print(f"{model_path.name} was made by run {found.name} with lr {found.params['lr']}")
