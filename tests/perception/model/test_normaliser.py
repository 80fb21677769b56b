from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perception.model.normaliser import MIN_STD_M, Normaliser

SPREADS = np.array([0.3, 2.0, 0.05], np.float32)


def fitted() -> tuple[Normaliser, np.ndarray]:
    states = (np.random.default_rng(0).normal(size=(5000, 3)) * SPREADS + [5.0, -1.0, 0.0]).astype(np.float32)
    normaliser = Normaliser(3)
    normaliser.fit(states)
    return normaliser, states


def test_fitted_states_come_out_centred_and_of_unit_spread() -> None:
    normaliser, states = fitted()
    scaled = normaliser(torch.from_numpy(states))
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled.std(0), torch.ones(3), atol=1e-3, rtol=0)


@given(arrays(np.float32, (4, 3), elements=st.floats(-10, 10, width=32)))
def test_the_inverse_undoes_it(states: np.ndarray) -> None:
    normaliser, _ = fitted()
    back = normaliser.inverse(normaliser(torch.from_numpy(states)))
    torch.testing.assert_close(back, torch.from_numpy(states), atol=1e-5, rtol=1e-5)


def test_what_never_moves_does_not_blow_up_the_noise_on_it() -> None:
    normaliser = Normaliser(2)
    normaliser.fit(np.full((100, 2), 0.045, np.float32))
    noise = torch.full((1, 2), 0.045 + 0.001)
    torch.testing.assert_close(normaliser(noise), torch.full((1, 2), 0.001 / MIN_STD_M), atol=1e-5, rtol=0)


def test_the_figures_travel_with_the_weights() -> None:
    normaliser, states = fitted()
    other = Normaliser(3)
    other.load_state_dict(normaliser.state_dict())
    torch.testing.assert_close(other(torch.from_numpy(states)), normaliser(torch.from_numpy(states)))
