"""`worldarm benchmark planner`: the cost of a decision by samples and horizon, relative to the machine's peak rate.

The searches and a plain matrix product are timed in turn, in several rounds, so that a temporary slowdown of the
machine affects all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import msgspec
import numpy as np
import torch
import tyro
from matplotlib.ticker import FormatStrFormatter
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from control.agent import Agent
from control.decision_config import SearchConfig
from control.model.trained_model import PRETRAINED, TrainedModel, load_trained
from control.policies import make_agent
from perception.training.world_model import compute_dtype
from robot.embodiment.observation import Observation
from robot.errors import ConfigurationError
from robot.system.figures import require_picture, save_figure
from robot.system.files import require_writable, write_json

MATRIX = 768
BUDGET_MS = 40.0
_WARM_UP = 3


class Cost(msgspec.Struct, frozen=True):
    """One search: median and 99th percentile of a whole decision (ms), its arithmetic in linear and convolutional
    layers (GFLOP), and the share of the machine's matrix product rate at which the median decision does it."""

    samples: int
    horizon: int
    iterations: int
    p50: float
    p99: float
    gflop: float
    share: float


class Costs(msgspec.Struct, frozen=True):
    """All searches of one run, and the machine's matrix product rate (GFLOP/s, median) in `precision`."""

    checkpoint_sha256: str
    threads: int
    precision: str
    matrix_gflop_s: float
    decisions: int
    searches: tuple[Cost, ...]


def benchmark_planner(
    samples: Annotated[tuple[int, ...], tyro.conf.arg(help="numbers of candidates to time")] = (32, 64, 128, 256),
    horizon: Annotated[tuple[int, ...], tyro.conf.arg(help="numbers of blocks ahead to time")] = (3, 6, 16),
    decisions: Annotated[int, tyro.conf.arg(help="decisions of each search")] = 40,
    threads: Annotated[int, tyro.conf.arg(help="threads to compute with; the agent itself uses one")] = 1,
    checkpoint: Annotated[
        Path, tyro.conf.arg(help="folder of the model, or the name of one that comes with worldarm")
    ] = PRETRAINED,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
    plot: Annotated[Path, tyro.conf.arg(help="where the picture goes")] = Path("out/planner.png"),
) -> None:
    """Measure how long a decision takes, for each number of samples and each horizon, and for the model's usual search.

    A decision is all that lies between a picture and an action: encoding, critic, and the search. Beside each time
    stands the share of this machine's own matrix product rate, measured in the same run, at which that was computed:
    what is missing to 100 % is memory, small layers and Python.
    """
    for option, numbers, least in (("samples", samples, 4), ("horizon", horizon, 1)):
        if not numbers or min(numbers) < least:
            raise ConfigurationError(f"--{option} needs numbers of at least {least}")
    if decisions < 1 or threads < 1:
        raise ConfigurationError("--decisions and --threads must be at least 1")
    require_picture(plot, "--plot")
    torch.set_num_threads(threads)
    trained = load_trained(checkpoint)
    for path in (json, plot):
        if path is not None:
            require_writable(path)
    usual = trained.decision_config.search
    searches = [
        msgspec.structs.replace(usual, samples=count, horizon=blocks) for blocks in horizon for count in samples
    ]
    if usual not in searches:
        searches.insert(0, usual)
    agents = [
        make_agent(trained, config=msgspec.structs.replace(trained.decision_config, search=search))
        for search in searches
    ]
    found = _measure(trained, agents, searches, decisions, threads)
    print(
        f"{threads} thread(s), {found.precision}; a product of {MATRIX}×{MATRIX} matrices runs at "
        f"{found.matrix_gflop_s:.0f} GFLOP/s\n"
    )
    print(f"{table(found.searches, usual)}\n")
    if json is not None:
        write_json(json, found)
        print(f"numbers: {json}")
    _draw(found, plot)
    print(f"plot: {plot}")


def _measure(
    trained: TrainedModel, agents: Sequence[Agent], searches: Sequence[SearchConfig], decisions: int, threads: int
) -> Costs:
    """Let each of `agents`, which plan by the `searches`, decide on the same random pictures, in turn."""
    size = trained.card.world_model
    rng = np.random.default_rng(0)
    goal, *pictures = rng.integers(0, 256, (1 + decisions, size.height, size.width_px, 3), np.uint8)
    states, still = rng.normal(size=(decisions, size.proprio)), np.zeros(size.action)
    camera = trained.card.embodiment.camera.name
    seen = [Observation({camera: picture}, state, 0) for picture, state in zip(pictures, states, strict=True)]
    gflop = [_prepare(agent, goal, seen[0]) for agent in agents]
    precision = compute_dtype("auto", torch.device("cpu"))
    product = _matrix_product(precision)
    times: NDArray[np.float64] = np.empty((len(agents), decisions))
    product_s = np.empty(decisions)
    for turn in tqdm(range(decisions), desc="deciding", unit="round"):
        product_s[turn] = _seconds(product)
        for index, agent in enumerate(agents):
            times[index, turn] = agent.decide(seen[turn], still).seconds
    rate = 2 * MATRIX**3 * 1e-9 / float(np.median(product_s))
    costs = []
    for config, taken, work in zip(searches, 1e3 * times, gflop, strict=True):
        p50, p99 = (float(np.percentile(taken, share)) for share in (50, 99))
        costs.append(Cost(config.samples, config.horizon, config.iterations, p50, p99, work, 1e3 * work / p50 / rate))
    name = str(precision).removeprefix("torch.")
    return Costs(trained.card.weights_sha256, threads, name, rate, decisions, tuple(costs))


def table(costs: Sequence[Cost], usual: SearchConfig) -> str:
    """Return a Markdown table, one row a search; the `usual` one is in bold."""
    rows = [
        "| samples × horizon × iterations | decision p50 / p99 | arithmetic | of the machine's rate |",
        "|---|---|---|---|",
    ]
    for cost in costs:
        search = f"{cost.samples} × {cost.horizon} × {cost.iterations}"
        if (cost.samples, cost.horizon, cost.iterations) == (usual.samples, usual.horizon, usual.iterations):
            search = f"**{search}**"
        rows.append(
            f"| {search} | {cost.p50:.1f} / {cost.p99:.1f} ms | {cost.gflop:.2f} GFLOP | {100 * cost.share:.0f} % |"
        )
    return "\n".join(rows)


def _prepare(agent: Agent, goal: NDArray[np.uint8], seen: Observation) -> float:
    """Give the agent its goal, let it decide a few times as a warm-up, and return the GFLOP of one decision."""
    agent.set_goal(goal)
    still = np.zeros(agent.trained.card.world_model.action)
    for _ in range(_WARM_UP):
        agent.decide(seen, still)
    with FlopCounterMode(display=False) as counter:
        agent.decide(seen, still)
    return counter.get_total_flops() * 1e-9


def _matrix_product(dtype: torch.dtype) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn((MATRIX, MATRIX), generator=generator).to(dtype) for _ in range(2))
    for _ in range(_WARM_UP):
        one @ other
    return lambda: one @ other


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _draw(found: Costs, path: Path) -> None:
    """Draw the median decision time over the samples, one line a horizon, up to the 99th percentile."""
    figure, axis = plt.subplots(figsize=(6.4, 4.0))
    for horizon in sorted({cost.horizon for cost in found.searches}):
        costs = sorted((cost for cost in found.searches if cost.horizon == horizon), key=lambda cost: cost.samples)
        counts, medians = [cost.samples for cost in costs], [cost.p50 for cost in costs]
        (line,) = axis.plot(counts, medians, marker="o", label=f"{horizon} blocks ahead")
        axis.fill_between(counts, medians, [cost.p99 for cost in costs], color=line.get_color(), alpha=0.15)
    axis.axhline(BUDGET_MS, color="grey", linestyle="--", linewidth=1, label=f"{BUDGET_MS:.0f} ms")
    axis.set_xscale("log", base=2)
    axis.set_xticks(sorted({cost.samples for cost in found.searches}))
    axis.get_xaxis().set_major_formatter(FormatStrFormatter("%d"))
    axis.set_ylim(bottom=0)
    axis.set_xlabel("samples")
    axis.set_ylabel("decision, ms")
    axis.set_title(f"median, shaded to the 99th percentile; {found.threads} thread(s), {found.precision}", fontsize=9)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    save_figure(figure, path)
