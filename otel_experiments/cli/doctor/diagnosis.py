"""What a check of `doctor` found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of the doctor's answer. `fix` says what to do; empty where nothing is to be done."""

    level: Level
    subject: str
    text: str
    fix: str = ""
