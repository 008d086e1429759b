"""What user code calls: settings, runs, scopes, decorators. Knows no store."""

from otel_experiments.record.base.sound_environment import import_sdk

import_sdk()
