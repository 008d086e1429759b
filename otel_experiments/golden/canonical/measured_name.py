"""Whether a name says that a number is measured on the machine: a time, a rate, a load, memory.

Such numbers differ from run to run of one program, so a golden asks whether they are recorded and not what they are.
Decided by the words of the name alone; what a name does not say is declared by a rule (`metric`, `volatile`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zµ]+|\d+|[/%]")

_TIME: Final = _set(
    "time times timing timings timer timers duration durations elapsed latency latencies runtime walltime wallclock "
    "wall eta uptime timestamp timestamps ttft tpot itl rtf dt throughput bandwidth speed fps tps qps rps wps ups sps ips "
    "bps kbps mbps gbps iops mfu hfu tflops seconds secs sec milliseconds millis msec microseconds usec nanoseconds "
    "minutes hours"
)
"""Words that say so wherever they stand."""
_UNITS: Final = _set("s ms ns sec secs second seconds hz khz hrs mins minute hour")
"""Words that say so at the end of a name: `forward_ms`."""
_PER_TIME: Final = _set("s sec secs second seconds ms min minute minutes h hr hour hours day days")
"""What a rate is a rate of: `tokens_per_second`, `it/s`."""
_AMBIGUOUS_AFTER_SLASH: Final = frozenset({"min", "h"})
"""`loss/min` is a least loss."""
_MEMORY: Final = _set("memory mem vram ram rss swap")
_MACHINE: Final = _set("gpu cpu tpu npu cuda nvml disk")
_POWER: Final = _set("watt watts joule joules kwh emissions carbon")
_COUNTS: Final = _set("num count counts number n")
_QUALITY: Final = _set(
    "loss losses acc accuracy error err errors mae mse rmse mape f1 auc auroc ap map score scores precision recall "
    "r2 reward rewards return returns perplexity ppl bleu rouge wer cer norm grad grads gradient gradients weight "
    "weights kl entropy nll bpc bpb iou dice lr coef logits prob corr correlation bias"
)
"""Words that say that a number is about the model, whatever else the name says: `duration_loss`."""
_STATISTICS: Final = _set(
    "mean avg average std min max median total sum ema p50 p90 p95 p99 p 50 90 95 99 last"
)
"""Words at the end of a name that say nothing of what the number is."""
_NO_TIME_AFTER: Final = _set(
    "series steps mixing mix embedding embeddings shift varying domain warp warping decay"
)
"""What follows `time` in names that are about no time of this machine."""
_COUNTED_IN_TIME: Final = _set("timesteps timestep iterations episodes epochs updates")
"""What ends names such as `time/total_timesteps`, which count."""
_SETTING: Final = _set(
    "timeout limit max min interval window warmup patience budget period delay ttl target deadline threshold length "
    "size hop lead zone warm cool sleep rate freq frequency "
    "speed eta wall dt bandwidth"
)
"""Words of names that set a time and measure none."""
_SETTING_AT_THE_END: Final = _set("step steps start end init initial")
"""`time_step` is a setting, `step_time` is none."""


@lru_cache(maxsize=4_096)
def is_measured(name: str) -> bool:
    """Whether a metric of this name is a time, a rate, a load or memory of the machine."""
    words = _words(name)
    head = list(words)
    while head and (head[-1] in _STATISTICS or head[-1] in {"/", "%"} or head[-1].isdigit()):
        head.pop()
    if not head or head[-1] in _QUALITY or head[-1] in _COUNTED_IN_TIME:
        return False
    if _is_time_or_rate(words, head):
        return True
    known = set(words)
    if known & (_QUALITY | _COUNTS):
        return False
    return bool(known & (_MEMORY | _MACHINE | _POWER))


@lru_cache(maxsize=4_096)
def is_measured_attribute(key: str) -> bool:
    """Whether a float of this name on a span is a measured time or rate; settings such as `timeout_s` are none."""
    words = _words(key.rsplit(".", 1)[-1])
    if not words or words[-1] in _QUALITY | _SETTING_AT_THE_END or not _SETTING.isdisjoint(words):
        return False
    return _is_time_or_rate(words, words)


def _words(name: str) -> list[str]:
    """Return the words of a name, lower case; a child run's name before the metric's own is left out."""
    return [word.lower() for word in _WORD.findall(name.rpartition(":")[2])]


def _is_time_or_rate(words: list[str], head: list[str]) -> bool:
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in _TIME and not (word == "time" and following in _NO_TIME_AFTER):
            return True
        if word == "per" and following in _PER_TIME:
            return True
        if word == "/" and following in _PER_TIME - _AMBIGUOUS_AFTER_SLASH and at + 2 == len(words) and at:
            return True
    if words[0] in _PER_TIME - _AMBIGUOUS_AFTER_SLASH and words[1:2] in (["/"], ["per"]):  # s/it
        return True
    return len(head) > 1 and head[-1] in _UNITS
