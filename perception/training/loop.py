"""One training loop for every part: progress with ETA, loss curves, and a resume that continues bit by bit.

Batches are a function of the step number, dropout is seeded by it, and the optimiser's state is saved whole, so a
run that is killed at any instant ends in the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from perception.training.distributed import Workers
from perception.training.prefetch import drawn_ahead
from perception.training.run_folder import RESUME_SUFFIX
from robot.errors import CheckpointError
from robot.system.files import atomic_write

SAVE_EVERY_S = 30.0
HISTORY_EVERY = 10
DRAWING_THREADS = 6
"""How many draw batches for a device of its own; where the steps themselves need every core, none do."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn: AdamW under a one-cycle learning rate with `warmup` share, gradient clipping.
    When `compiled`, the module is translated to machine code first."""

    steps: int
    learning_rate: float
    weight_decay: float = 1e-4
    clip: float = 1.0
    warmup: float = 0.1
    precision: torch.dtype = torch.float32
    compiled: bool = False

    def rate(self, step: int) -> float:
        """Return the learning rate at `step`: a linear rise, then a cosine to zero."""
        rise = max(1, round(self.steps * self.warmup))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        along = (step - rise) / max(1, self.steps - rise)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * along))


@dataclass
class History:
    """Loss terms along a run: for each name, values every `HISTORY_EVERY` steps; and the seconds that its steps took,
    those before a resume included."""

    steps: list[int] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append the values of one step."""
        self.steps.append(step)
        for name, value in values.items():
            self.terms.setdefault(name, []).append(value)


def train(
    name: str,
    module: nn.Module,
    batches: Callable[[int], dict[str, Tensor]],
    schedule: Schedule,
    folder: Path,
    seed: int,
    workers: Workers,
    after_step: Callable[[], None] | None = None,
) -> History:
    """Train `module`, whose forward takes a batch and returns named terms with the total as `loss`.

    Saves its state under `folder/NAME.resume` and goes on from there when it exists; a finished part returns at
    once. `after_step` runs after each update (slow targets). Raises `CheckpointError` when the saved state is of
    another module or schedule, and `RecordingError` when it cannot be saved.
    """
    saved = folder / (name + RESUME_SUFFIX)
    module.to(workers.device)
    module.train()
    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad],
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    step, history = _load(saved, module, optimiser, schedule) if saved.exists() else (0, History())
    wrapped = DistributedDataParallel(module) if workers.count > 1 else module
    last_save = time.monotonic()
    began = last_save - history.seconds
    autocast = schedule.precision != torch.float32
    if schedule.compiled:
        module.compile(dynamic=False)
    threads = 0 if workers.device.type == "cpu" else DRAWING_THREADS
    # Closed on an interrupt too, or it would be drawn once more after the last word.
    with (
        closing(drawn_ahead(batches, range(step, schedule.steps), threads)) as drawn,
        tqdm(
            total=schedule.steps, initial=step, desc=name, unit="step", disable=not workers.leads, mininterval=0.5
        ) as bar,
    ):
        if schedule.compiled:
            bar.set_postfix_str("compiling, a minute or two")
        while step < schedule.steps:
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            batch = {key: value.to(workers.device, non_blocking=True) for key, value in next(drawn).items()}
            torch.manual_seed(seed * 1_000_003 + step * 131 + workers.rank)
            with torch.autocast(workers.device.type, dtype=torch.bfloat16, enabled=autocast):
                terms = wrapped(batch)
            loss = terms["loss"]
            if not torch.isfinite(loss):
                raise CheckpointError(f"training {name} diverged at step {step}; lower the learning rate")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), schedule.clip)
            optimiser.step()
            if after_step is not None:
                after_step()
            if step % HISTORY_EVERY == 0 or step == schedule.steps - 1:
                readings = {key: float(value.detach()) for key, value in terms.items()}
                history.add(step, readings)
                bar.set_postfix({key: f"{value:.3f}" for key, value in readings.items()}, refresh=False)
            step += 1
            bar.update()
            history.seconds = time.monotonic() - began
            if workers.leads and (time.monotonic() - last_save > SAVE_EVERY_S or step == schedule.steps):
                _save(saved, module, optimiser, schedule, step, history)
                last_save = time.monotonic()
    module.eval()
    return history


def _save(
    path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, schedule: Schedule, step: int, history: History
) -> None:
    tensors = {f"module.{key}": value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimiser.{index}.{key}"] = value.detach().cpu().contiguous().clone()
    meta = {
        "step": str(step),
        "schedule": repr(schedule),
        "history": json.dumps({"steps": history.steps, "terms": history.terms, "seconds": history.seconds}),
    }
    with atomic_write(path) as beside:
        beside.write_bytes(serialise(tensors, meta))


def _load(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, schedule: Schedule) -> tuple[int, History]:
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); delete it to train this part anew") from error
    if absent := {"step", "schedule", "history"} - meta.keys():
        raise CheckpointError(
            f"{path} is no saved training (no {', '.join(sorted(absent))} in it); delete it to train this part anew"
        )
    if meta["schedule"] != repr(schedule):
        raise CheckpointError(
            f"{path} is of a run with other settings ({meta['schedule']}, now {schedule!r}); "
            "use the same settings to resume, or another --run folder"
        )
    try:
        module.load_state_dict(
            {key.removeprefix("module."): value for key, value in tensors.items() if key.startswith("module.")}
        )
    except RuntimeError as error:
        raise CheckpointError(f"{path} is of another model; use another --run folder") from error
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, index, slot = key.split(".")
            state.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    history = json.loads(meta["history"])
    return int(meta["step"]), History(history["steps"], history["terms"], history.get("seconds", 0.0))
