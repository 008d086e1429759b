# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Values of attributes that are enums. A value of an open enum may be another string."""

from enum import StrEnum


class CpuMode(StrEnum):
    """Values of `cpu.mode`, open. What the CPU does."""

    USER = "user"
    """Runs user code."""
    SYSTEM = "system"
    """Runs the kernel."""
    NICE = "nice"
    """Runs user code of low priority."""
    IDLE = "idle"
    """Does nothing."""
    IOWAIT = "iowait"
    """Waits for input or output."""
    INTERRUPT = "interrupt"
    """Serves interrupts."""
    STEAL = "steal"
    """Is used by another virtual machine."""


class DeploymentEnvironmentName(StrEnum):
    """Values of `deployment.environment.name`, open. Name of the environment the run belongs to."""

    PRODUCTION = "production"
    """In use."""
    STAGING = "staging"
    """Before production."""
    TEST = "test"
    """For tests."""
    DEVELOPMENT = "development"
    """For development."""


class DiskIoDirection(StrEnum):
    """Values of `disk.io.direction`, open. Whether data goes to or comes from the disk."""

    READ = "read"
    """From the disk."""
    WRITE = "write"
    """To the disk."""


class GenAiOperationName(StrEnum):
    """Values of `gen_ai.operation.name`, open. What a generative model, agent or tool is asked to do."""

    CHAT = "chat"
    """A conversation."""
    TEXT_COMPLETION = "text_completion"
    """Completion of a text."""
    GENERATE_CONTENT = "generate_content"
    """Content of several kinds."""
    EMBEDDINGS = "embeddings"
    """Embedding vectors."""
    CREATE_AGENT = "create_agent"
    """Making an agent."""
    INVOKE_AGENT = "invoke_agent"
    """Asking an agent."""
    EXECUTE_TOOL = "execute_tool"
    """Calling a tool."""


class GenAiProviderName(StrEnum):
    """Values of `gen_ai.provider.name`, open. Who serves the model."""

    OPENAI = "openai"
    """OpenAI."""
    ANTHROPIC = "anthropic"
    """Anthropic."""
    AWS_BEDROCK = "aws.bedrock"
    """AWS Bedrock."""
    AZURE_AI_INFERENCE = "azure.ai.inference"
    """Azure AI Inference."""
    AZURE_AI_OPENAI = "azure.ai.openai"
    """Azure OpenAI."""
    COHERE = "cohere"
    """Cohere."""
    DEEPSEEK = "deepseek"
    """DeepSeek."""
    GCP_GEMINI = "gcp.gemini"
    """Gemini."""
    GCP_VERTEX_AI = "gcp.vertex_ai"
    """Vertex AI."""
    GROQ = "groq"
    """Groq."""
    IBM_WATSONX_AI = "ibm.watsonx.ai"
    """IBM watsonx."""
    MISTRAL_AI = "mistral_ai"
    """Mistral AI."""
    PERPLEXITY = "perplexity"
    """Perplexity."""
    X_AI = "x_ai"
    """xAI."""


class HostArch(StrEnum):
    """Values of `host.arch`, open. CPU architecture of the host."""

    AMD64 = "amd64"
    """64-bit x86, which Python calls x86_64 or AMD64."""
    ARM64 = "arm64"
    """64-bit ARM, which Python calls arm64 or aarch64."""
    ARM32 = "arm32"
    """32-bit ARM."""
    X86 = "x86"
    """32-bit x86."""
    PPC32 = "ppc32"
    """32-bit PowerPC."""
    PPC64 = "ppc64"
    """64-bit PowerPC."""
    S390X = "s390x"
    """IBM z/Architecture."""
    IA64 = "ia64"
    """Itanium."""


class HwGpuTask(StrEnum):
    """Values of `hw.gpu.task`, open. Task the GPU is busy with."""

    GENERAL = "general"
    """Computing."""
    ENCODER = "encoder"
    """Encoding video."""
    DECODER = "decoder"
    """Decoding video."""


class HwType(StrEnum):
    """Values of `hw.type`, open. Kind of the component."""

    CPU = "cpu"
    """A processor."""
    GPU = "gpu"
    """A graphics processor or another accelerator."""
    MEMORY = "memory"
    """Memory."""


class LogIostream(StrEnum):
    """Values of `log.iostream`, open. The stream that the lines were written to."""

    STDOUT = "stdout"
    """Standard output"""
    STDERR = "stderr"
    """Standard error"""


class MlAnomalyKind(StrEnum):
    """Values of `ml.anomaly.kind`, open. What is wrong with a metric's value."""

    NAN = "nan"
    """Not a number."""
    POSITIVE_INFINITY = "positive_infinity"
    """Infinity."""
    NEGATIVE_INFINITY = "negative_infinity"
    """Minus infinity."""
    SPIKE = "spike"
    """Far from the values before it."""


class MlArtifactForm(StrEnum):
    """Values of `ml.artifact.form`. Whether an artifact is one file or a folder."""

    FILE = "file"
    """One file."""
    FOLDER = "folder"
    """A folder; its digest is that of the list of its files."""


class MlArtifactRole(StrEnum):
    """Values of `ml.artifact.role`. Whether bytes are kept for later use or to be looked at."""

    ARTIFACT = "artifact"
    """Kept under a name, with versions and aliases."""
    MEDIA = "media"
    """Shown over steps, such as an image."""


class MlEnsembleStrategy(StrEnum):
    """Values of `ml.ensemble.strategy`, open. How the members' answers become one."""

    MAJORITY_VOTE = "majority_vote"
    """The most frequent answer."""
    WEIGHTED_VOTE = "weighted_vote"
    """The most frequent answer, members weighted."""
    MEAN = "mean"
    """The mean of the answers."""
    MEDIAN = "median"
    """The median of the answers."""
    BEST = "best"
    """The answer with the highest score."""
    UNANIMOUS = "unanimous"
    """An answer only when all agree."""


class MlLossReason(StrEnum):
    """Values of `ml.loss.reason`, open. Why telemetry could not be kept."""

    NOT_ENCODABLE = "not_encodable"
    """The value has no form in OpenTelemetry."""
    TOO_LARGE = "too_large"
    """The record is larger than the limit."""
    QUEUE_FULL = "queue_full"
    """It came faster than it could be sent."""
    STORAGE_FULL = "storage_full"
    """The disk has no room."""
    EXPORT_FAILED = "export_failed"
    """The receiving side refused it or was away."""
    INTERNAL_ERROR = "internal_error"
    """The recorder itself failed."""
    NOT_RECORDING = "not_recording"
    """The run had ended, or was paused."""
    CHANGED = "changed"
    """It is kept in another form: cut, or with characters replaced."""


class MlMetricDirection(StrEnum):
    """Values of `ml.metric.direction`. Which values of a metric are better."""

    MIN = "min"
    """Smaller ones, as of a loss."""
    MAX = "max"
    """Larger ones, as of an accuracy."""


class MlOperationName(StrEnum):
    """Values of `ml.operation.name`. The operation that the span stands for; tells which span definition applies."""

    RUN = "run"
    """A whole run."""
    STAGE = "stage"
    """A named part of a run."""
    EPOCH = "epoch"
    """One pass over the data."""
    STEP = "step"
    """One update of the model."""
    BATCH = "batch"
    """Work on one batch."""
    SAVE_CHECKPOINT = "save_checkpoint"
    """Writing a checkpoint."""
    LOAD_CHECKPOINT = "load_checkpoint"
    """Reading a checkpoint."""
    EVALUATE = "evaluate"
    """Measuring a model."""
    INFER = "infer"
    """Asking a model."""
    TRACE = "trace"
    """A traced function or block."""
    PIPELINE = "pipeline"
    """A pipeline of stages."""
    PIPELINE_STAGE = "pipeline_stage"
    """One stage of a pipeline."""
    ENSEMBLE = "ensemble"
    """Several models asked for one answer."""
    HEDGE = "hedge"
    """One request sent several times for speed."""
    SYSCALL = "syscall"
    """System calls of one name."""


class MlPhase(StrEnum):
    """Values of `ml.phase`, open. Which part of the work a number or a span belongs to."""

    TRAIN = "train"
    """Fitting."""
    VALIDATION = "validation"
    """Measuring in order to choose."""
    TEST = "test"
    """Measuring in order to report."""


class MlPipelineStageResult(StrEnum):
    """Values of `ml.pipeline.stage.result`. How the stage of the pipeline ended."""

    SUCCESS = "success"
    """It did what it was for."""
    FAILURE = "failure"
    """It ended regularly, without the result it was for."""
    ERROR = "error"
    """An exception or a crash ended it."""
    TIMEOUT = "timeout"
    """A time limit ended it."""
    CANCELLATION = "cancellation"
    """A person or a scheduler ended it."""
    SKIP = "skip"
    """It was left out."""


class MlRunResult(StrEnum):
    """Values of `ml.run.result`. How the run or the stage ended."""

    SUCCESS = "success"
    """It did what it was for."""
    FAILURE = "failure"
    """It ended regularly, without the result it was for."""
    ERROR = "error"
    """An exception or a crash ended it."""
    TIMEOUT = "timeout"
    """A time limit ended it."""
    CANCELLATION = "cancellation"
    """A person or a scheduler ended it."""
    SKIP = "skip"
    """It was left out."""


class MlRunStartedFrom(StrEnum):
    """Values of `ml.run.started_from`, open. Where the span was found that the run was started in."""

    CONTEXT = "context"
    """The span that was current where the run was started, in the same process."""
    ENVIRONMENT = "environment"
    """The span that the variable TRACEPARENT names, of a CI job, an orchestrator or another program."""


class MlRunState(StrEnum):
    """Values of `ml.run.state`. Where the run is in its life."""

    PENDING = "pending"
    """Made, not started."""
    RUNNING = "running"
    """Its process is at work."""
    PAUSED = "paused"
    """Alive, recording nothing."""
    SUCCEEDED = "succeeded"
    """Ended as it should."""
    FAILED = "failed"
    """Ended by an exception or by its own word."""
    CANCELLED = "cancelled"
    """Ended by a person or a signal."""
    LOST = "lost"
    """Never said that it ended, and its process is gone. Computed by readers, never stored."""


class NetworkIoDirection(StrEnum):
    """Values of `network.io.direction`, open. Whether data goes to or comes from the network."""

    TRANSMIT = "transmit"
    """To the network."""
    RECEIVE = "receive"
    """From the network."""


class OsType(StrEnum):
    """Values of `os.type`, open. Type of the operating system."""

    LINUX = "linux"
    """Linux."""
    DARWIN = "darwin"
    """macOS."""
    WINDOWS = "windows"
    """Windows."""
    FREEBSD = "freebsd"
    """FreeBSD."""
    NETBSD = "netbsd"
    """NetBSD."""
    OPENBSD = "openbsd"
    """OpenBSD."""
    AIX = "aix"
    """AIX."""
    SOLARIS = "solaris"
    """Solaris."""


class SystemMemoryState(StrEnum):
    """Values of `system.memory.state`, open. What the memory is used for."""

    USED = "used"
    """In use."""
    FREE = "free"
    """Free."""
    BUFFERS = "buffers"
    """Buffers."""
    CACHED = "cached"
    """Page cache."""


class TelemetrySdkLanguage(StrEnum):
    """Values of `telemetry.sdk.language`, open. Language of the telemetry SDK."""

    PYTHON = "python"
    """Python."""


class TestCaseResultStatus(StrEnum):
    """Values of `test.case.result.status`, open. Whether the case passed."""

    PASS = "pass"
    """It passed."""
    FAIL = "fail"
    """It failed."""


class TestSuiteRunStatus(StrEnum):
    """Values of `test.suite.run.status`, open. How the suite ended."""

    SUCCESS = "success"
    """All cases passed."""
    FAILURE = "failure"
    """A case failed."""
    SKIPPED = "skipped"
    """It was left out."""
    ABORTED = "aborted"
    """It was ended from outside."""
    TIMED_OUT = "timed_out"
    """A time limit ended it."""
    IN_PROGRESS = "in_progress"
    """It has not ended."""


class VcsRefHeadType(StrEnum):
    """Values of `vcs.ref.head.type`, open. Whether a branch or a tag is checked out."""

    BRANCH = "branch"
    """A branch."""
    TAG = "tag"
    """A tag."""
