"""Which names of metrics say that the machine was measured, and which are about the model."""

import pytest

from otel_experiments.golden.canonical.measured_name import is_measured, is_measured_attribute

MEASURED = """
step_time iter_time data_time batch_time_ms time time/step time/forward time_per_iter time/total train_runtime
eval_runtime train_samples_per_second eval_steps_per_second tokens_per_second tokens_per_sec tok/s images/s
images_per_sec samples/sec it/s steps/second s/it sec/iter ms/step seconds_per_step fps tps wps perf/qps throughput
throughput/device/samples_per_sec throughput(tps) mfu mfu(%) tflops latency latency_ms latency_p99 ttft_ms
e2e_latency_s eta eta_seconds elapsed elapsed_s time_elapsed time/time_elapsed wall_clock/train walltime duration
epoch_duration_s ml.step.duration forward_ms backward_ms_mean gen_s timing_s/gen _runtime _timestamp timestamp
gpu_util gpu_utilization gpu.0.utilization gpu0/util cpu cpu_percent cpu_load perf/cpu_util_percent gpu_temp
gpu_power_watts memory memory_mb memory/max_active(GiB) gpu_mem_gb gpu/memory_allocated max_memory_allocated peak_mem
vram_gb rss_mb process.memory.usage energy_kwh emissions stepTime tokensPerSecond GPUUtil gpuMemoryMB
bandwidth_gbps time_this_iter_s timers/learn_time_ms real_time_factor trial:step_time val_loss_time speed
tokens_per_min requests_per_hour disk_io dt
"""
KEPT = """
loss train_loss val/loss loss@val acc accuracy learning_rate lr lr-AdamW error_rate win_rate success_rate dropout_rate
grad_norm perplexity reward_mean episode_length ep_len_mean num_timesteps total_timesteps time/total_timesteps
time/iterations time_steps timestep epoch step global_step duration_loss duration_mae energy_loss energy energy_mae
time_loss speed_loss memory_loss temperature softmax_temperature power entropy kl codebook_usage expert_utilization
loss_gpu0 loss_gpu_0 gpu/loss num_gpus gpu_count time_series/mape time_decay time_mixing.norm model_size_mb params
tokens tokens_seen samples images seconds_loss loss/min loss/max weights bleu-4 map50 f1 auc r2 wer precision@5
gpu-tests:loss time-mixer:acc logits class_s/accuracy class_ms/f1 rate reward/s_error meta beta theta vista latent
intimate sentiment timely performance permutations gpt_loss
"""


@pytest.mark.parametrize("name", MEASURED.split())
def test_names_of_times_rates_and_loads_are_measured(name):
    """What these metrics are differs from run to run of one program, so a golden does not hold their values."""
    assert is_measured(name)


@pytest.mark.parametrize("name", KEPT.split())
def test_names_of_what_the_model_does_are_compared(name):
    """Losses, rates of learning and counts are compared by value, whatever their names share with times."""
    assert not is_measured(name)


@pytest.mark.parametrize(
    "key", ["step_time", "forward_ms", "tokens_per_second", "images/s", "io.wait_time_s"]
)
def test_measured_floats_on_spans_are_left_out(key):
    """A span that carries its own time as an attribute is the same span in the next run."""
    assert is_measured_attribute(key)


@pytest.mark.parametrize(
    "key",
    [
        "timeout_s", "max_time", "time_limit", "warmup_seconds", "sleep_s", "window_ms", "interval_s", "hop_length_ms",
        "learning_rate", "gpu_memory_utilization", "time_step", "sample_rate_hz", "duration_loss", "lr", "temperature",
        "max_tokens_per_second", "eta", "speed", "kernel_bandwidth",
    ],
)  # fmt: skip
def test_settings_on_spans_are_compared(key):
    """A time that is set and not measured is configuration: another timeout is a change."""
    assert not is_measured_attribute(key)
