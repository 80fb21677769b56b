"""An encoder from elsewhere that needs no training: it looks at colours."""

from __future__ import annotations

import torch

from perception.model.entities.places import places_from

FEATURES = 8


class ColourEncoder(torch.nn.Module):
    """Three tokens: what is red, what is blue, and the rest. A token is eight features, all of them the token's number,
    and its places in the `views`. Two pictures make a clip."""

    frames, keypoints, entities = 2, 0, 3

    def __init__(self, width: int, height: int, views: int = 1) -> None:
        super().__init__()
        self.picture, self.views = (width, height), views
        self.latent = self.entities * (FEATURES + 3 * views)

    def attention(self, clips: torch.Tensor) -> torch.Tensor:
        cells = clips[:, -1].float().unflatten(1, (self.views, -1))
        red, blue = (cells[..., at] > 50 + 1.5 * cells[..., (1, 2 - at)].amax(-1) for at in (0, 2))
        return torch.stack([red, blue, ~(red | blue)], dim=1).float()

    def look(self, clips: torch.Tensor) -> tuple[torch.Tensor, None]:
        places = places_from(self.attention(clips)).flatten(2)
        features = torch.arange(3.0)[:, None].expand(len(places), -1, FEATURES)
        return torch.cat([features, places], dim=-1).flatten(1), None
