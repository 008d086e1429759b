// A training in JavaScript that knows OpenTelemetry and nothing of Python: `node train.mjs RUN_ID`.

import { metrics, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK, resources } from "@opentelemetry/sdk-node";
import { logs } from "@opentelemetry/api-logs";

const sdk = new NodeSDK({
  resource: resources.resourceFromAttributes({
    "service.name": "trainer",
    "ml.run.id": process.argv[2],
    "ml.run.name": "from-node",
    "ml.experiment.name": "languages",
  }),
});
sdk.start();

const tracer = trace.getTracer("trainer", "1.2.3");
const loss = metrics.getMeter("trainer").createGauge("train/loss");
const rows = metrics.getMeter("trainer").createCounter("app.rows", { unit: "{row}" });

tracer.startActiveSpan("train", { attributes: { "ml.operation.name": "run", "ml.run.result": "success", "ml.hyperparameter.rate": 0.25 } }, (run) => {
  for (let step = 0; step < 5; step += 1) {
    tracer.startActiveSpan("step", { attributes: { "ml.operation.name": "step", "ml.step.index": step } }, (span) => {
      loss.record(1 / (step + 1), { step });
      rows.add(32);
      span.addEvent("batch", { rows: 32, names: ["a", "ß"] });
      span.end();
    });
  }
  logs.getLogger("trainer").emit({ eventName: "trainer.done", body: { epochs: 1 } });
  run.setStatus({ code: SpanStatusCode.OK });
  run.end();
});

await sdk.shutdown();
