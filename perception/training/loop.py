"""One training loop for every part: progress with the time left, loss curves, and an exact resume.

Batches and dropout are functions of the seed and the step number, and the optimiser's state is saved completely. So a
run that is killed at any instant and resumed ends in the same weights, to the bit, as an uninterrupted one.
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

from perception.checkpoint.weights_file import tensor_shapes
from perception.training.distributed import Workers
from perception.training.prefetch import drawn_ahead
from perception.training.run_folder import RESUME_SUFFIX
from robot.errors import CheckpointError
from robot.system.files import atomic_write

SAVE_EVERY_S = 30.0
HISTORY_EVERY = 10
DRAWING_THREADS = 6
"""Number of threads that draw batches for a GPU. On the CPU there are none: the steps themselves need every core."""


@dataclass(frozen=True)
class Schedule:
    """The optimiser's settings: AdamW for `steps` at a one-cycle learning rate, which rises to `learning_rate` in the
    share `warmup` of the steps. Gradients are clipped to the norm `clip`. Matrices are multiplied in `precision`. When
    `compiled`, the module is translated to machine code first."""

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
    """The loss along a run: the value of each term, by name, every `HISTORY_EVERY` steps; and the seconds that
    all steps took, including those before a resume."""

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

    Saves its state under `folder/NAME.resume` and resumes from there when it exists; a finished part returns at
    once. `after_step` runs after each update (slow targets). Raises `CheckpointError` when the loss diverges or the
    saved state is of another module or schedule, and `RecordingError` when the state cannot be saved.
    """
    saved = folder / (name + RESUME_SUFFIX)
    module.to(workers.device)
    module.train()
    optimiser = _optimiser(module, schedule)
    first, history = _load(saved, module, optimiser, schedule) if saved.exists() else (0, History())
    update = _Update(name, module, optimiser, schedule, seed, workers)
    last_save = time.monotonic()
    began = last_save - history.seconds
    threads = 0 if workers.device.type == "cpu" else DRAWING_THREADS
    # Closed on an interrupt too: the bar would otherwise be drawn once more below the last message.
    with closing(drawn_ahead(batches, range(first, schedule.steps), threads)) as drawn, _bar(update, first) as bar:
        for step, batch in enumerate(drawn, first):
            terms = update(step, batch)
            if after_step is not None:
                after_step()
            done = step + 1
            if step % HISTORY_EVERY == 0 or done == schedule.steps:
                readings = {key: float(value.detach()) for key, value in terms.items()}
                history.add(step, readings)
                bar.set_postfix({key: f"{value:.3f}" for key, value in readings.items()}, refresh=False)
            bar.update()
            history.seconds = time.monotonic() - began
            if workers.leads and (time.monotonic() - last_save > SAVE_EVERY_S or done == schedule.steps):
                _save(saved, module, optimiser, schedule, done, history)
                last_save = time.monotonic()
    module.eval()
    return history


class _Update:
    """One step of gradient descent on a module."""

    def __init__(
        self,
        name: str,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: Schedule,
        seed: int,
        workers: Workers,
    ) -> None:
        self.name, self.schedule, self.workers = name, schedule, workers
        self._module, self._optimiser, self._seed = module, optimiser, seed
        self._shared = DistributedDataParallel(module) if workers.count > 1 else module
        if schedule.compiled:
            module.compile(dynamic=False)

    def __call__(self, step: int, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update the module's weights on `batch` and return the terms of the loss. Raises `CheckpointError` when the
        loss is not finite."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.schedule.rate(step)
        device = self.workers.device
        moved = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        torch.manual_seed(self._seed * 1_000_003 + step * 131 + self.workers.rank)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.schedule.precision != torch.float32):
            terms: dict[str, Tensor] = self._shared(moved)
        loss = terms["loss"]
        if not torch.isfinite(loss):
            raise CheckpointError(f"training {self.name} diverged at step {step}; lower the learning rate")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._module.parameters(), self.schedule.clip)
        self._optimiser.step()
        return terms


def _optimiser(module: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad],
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )


def _bar(update: _Update, first: int) -> tqdm:
    """Return the progress bar of a training that resumes at step `first`."""
    bar = tqdm(
        total=update.schedule.steps,
        initial=first,
        desc=update.name,
        unit="step",
        disable=not update.workers.leads,
        mininterval=0.5,
    )
    if update.schedule.compiled:
        bar.set_postfix_str("compiling, a minute or two")
    return bar


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
        tensor_shapes(path)  # its size is within bounds
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, CheckpointError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); delete it to train this part again") from error
    if absent := {"step", "schedule", "history"} - meta.keys():
        raise CheckpointError(
            f"{path} is not a saved training (it lacks {', '.join(sorted(absent))}); delete it to train this part again"
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
            index, _, slot = key.removeprefix("optimiser.").partition(".")
            if not index.isdecimal():
                raise CheckpointError(f"{path} is not a saved training; delete it to train this part again")
            state.setdefault(int(index), {})[slot] = value
    try:
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        history = json.loads(meta["history"])
        return int(meta["step"]), History(history["steps"], history["terms"], history.get("seconds", 0.0))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a saved training ({error}); delete it to train this part again"
        ) from error
