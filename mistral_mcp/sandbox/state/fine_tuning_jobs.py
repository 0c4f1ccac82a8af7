"""Fine-tuning jobs and their progress. A job advances by one step each time it is looked up."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mistral_mcp.sandbox.protocol.clock import unix_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.state.fine_tuned_models import FineTunedModel, FineTunedModels
from mistral_mcp.sandbox.state.models import Model
from mistral_mcp.sandbox.state.store import Store

Status = Literal[
    "QUEUED",
    "STARTED",
    "VALIDATING",
    "VALIDATED",
    "RUNNING",
    "FAILED_VALIDATION",
    "FAILED",
    "SUCCESS",
    "CANCELLED",
    "CANCELLATION_REQUESTED",
]
ENDED = ("FAILED_VALIDATION", "FAILED", "SUCCESS", "CANCELLED")
NEXT: Mapping[Status, Status] = {"STARTED": "RUNNING", "RUNNING": "SUCCESS", "CANCELLATION_REQUESTED": "CANCELLED"}


@dataclass
class TuningJob:
    """A fine-tuning job. `estimate` is its metadata, which a dry run returns too; `targets` are those of a classifier."""

    id: str
    name: str
    base: Model
    job_type: Literal["completion", "classifier"]
    auto_start: bool
    hyperparameters: dict[str, Any]
    training_files: list[str]
    validation_files: list[str]
    estimate: dict[str, Any]
    suffix: str | None = None
    integrations: list[dict[str, Any]] | None = None
    repositories: list[dict[str, Any]] | None = None
    targets: Sequence[Mapping[str, Any]] = ()
    status: Status = "QUEUED"
    created_at: int = field(default_factory=unix_time)
    modified_at: int = field(default_factory=unix_time)
    fine_tuned_model: str | None = None
    _events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def card(self) -> dict[str, Any]:
        """The job as lists show it."""
        targets = {}
        if self.job_type == "classifier":
            targets = {"classifier_targets": list(self.targets)}
        return {
            "id": self.id,
            "object": "job",
            "auto_start": self.auto_start,
            "model": self.name,
            "status": self.status,
            "created_at": self.created_at,
            "modified_at": self.modified_at,
            "training_files": self.training_files,
            "validation_files": self.validation_files,
            "fine_tuned_model": self.fine_tuned_model,
            "suffix": self.suffix,
            "integrations": self.integrations,
            "trained_tokens": self.estimate["train_tokens"] if self.status == "SUCCESS" else None,
            "metadata": self.estimate,
            "job_type": self.job_type,
            "hyperparameters": self.hyperparameters,
            "repositories": self.repositories or [],
            **targets,
        }

    def details(self) -> dict[str, Any]:
        """The job with its events, newest first, and its checkpoints."""
        metrics = {"train_loss": 0.42, "valid_loss": 0.5, "valid_mean_token_accuracy": 0.9}
        done = {
            "metrics": metrics,
            "step_number": self.estimate["training_steps"],
            "created_at": self.modified_at,
        }
        return {
            **self.card(),
            "events": self._events[::-1],
            "checkpoints": [done] if self.status == "SUCCESS" else [],
        }

    def advance(self, account: Account) -> None:
        """Advance by one step. A job without `auto_start` stops after validation, until it is started."""
        following = NEXT.get(self.status)
        if self.status == "QUEUED":
            following = "VALIDATED"
            if self.auto_start:
                following = "RUNNING"
        if following is None:
            return
        self._set_status(following)
        if following == "SUCCESS":
            model = self._build_model()
            self.fine_tuned_model = account.section(FineTunedModels).put(model.id, model).id

    def start(self) -> None:
        """Continue after validation."""
        if self.status in ("QUEUED", "VALIDATED"):
            self._set_status("STARTED")

    def cancel(self) -> None:
        """Request the cancellation, which takes effect at the next step."""
        if self.status not in ENDED:
            self._set_status("CANCELLATION_REQUESTED")

    def _set_status(self, status: Status) -> None:
        self.status, self.modified_at = status, unix_time()
        self._events.append(
            {
                "name": "status-updated",
                "data": {"status": status},
                "created_at": self.modified_at,
            }
        )

    def _build_model(self) -> FineTunedModel:
        day = time.strftime("%Y%m%d", time.gmtime(self.modified_at))
        kind = ""
        if self.targets:
            kind = "classifier:"
        name = f"ft:{kind}{self.name}:{self.suffix or 'sandbox'}:{day}:{self.id[:8]}"
        return FineTunedModel(name, self.base, self.name, self.id, self.targets)


class TuningJobs(Store[TuningJob]):
    """All fine-tuning jobs of one key."""
