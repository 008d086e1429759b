"""Make twelve runs with different params and ask which were good.

Prints how many runs match a search expression, the best of them, and the answer to the same question in SQL:

    4 of 12 runs reach an accuracy above 0.9
    best: {'lr': 0.1, 'optimizer': {'name': 'adam'}} with 0.98
    by SQL: 12 runs, 4 above 0.9
"""

import otel_experiments as ox

for optimizer, bonus in (("sgd", 0.0), ("adam", 0.06)):
    for exponent in range(6):
        lr = 10.0**-exponent
        accuracy = 0.92 + bonus - 0.04 * abs(exponent - 1)
        config = {"lr": lr, "optimizer": {"name": optimizer}}
        with ox.start_run(experiment="sweep", config=config, tags=["example"]) as run:
            run.define_metric("val/acc", direction="max")
            for epoch in range(5):
                run.log({"val/acc": accuracy * (epoch + 1) / 5}, step=epoch)

good = 'metrics["val/acc"].max > 0.9'
found = ox.runs(good, order='-metrics["val/acc"].max', experiment="sweep")
everything = ox.runs(experiment="sweep")
print(f"{len(found)} of {len(everything)} runs reach an accuracy above 0.9")
print(f"best: {dict(found[0].params)} with {found[0].metrics['val/acc'].max:.2f}")

rows = ox.sql(
    "select count(*), sum(maximum > 0.9) from series join runs using (run_id) "
    "where series.name = 'val/acc' and experiment = 'sweep'"
)
print("by SQL: {} runs, {} above 0.9".format(*next(iter(rows))))
