"""Losses: against the metrics, against plain loops in float64, and against what can be said in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vs_interp.errors import CheckpointError
from vs_interp.metrics import ssim
from vs_interp.training.losses import (
    PICTURE_LOSSES,
    SMALLEST,
    census,
    charbonnier,
    cross_entropy,
    flow_distance,
    judged,
    l1,
    mislabelled,
    mse,
    smoothness,
    ssim_loss,
)
from vs_interp.training.perceptual import Perceptual, vgg16_features


def pair(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return a smooth random picture and the same with noise."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(*shape, generator=generator)
    truth = nn.functional.avg_pool2d(truth, 5, 1, 2)
    return (truth + 0.05 * torch.randn(*shape, generator=generator)).clamp(0, 1), truth


@pytest.mark.parametrize("loss", PICTURE_LOSSES.values(), ids=PICTURE_LOSSES)
def test_a_loss_is_zero_for_equal_pictures_and_falls_with_the_difference(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    made, truth = pair(2, 3, 56, 48)
    assert float(loss(truth, truth)) == pytest.approx(0, abs=1e-6)
    far, near = made.clone().requires_grad_(), 0.5 * (made + truth)
    value = loss(far, truth)
    value.backward()
    assert value.shape == () and float(value.detach()) > float(loss(near, truth)) > 0
    assert far.grad is not None and torch.isfinite(far.grad).all() and far.grad.abs().sum() > 0


@pytest.mark.parametrize("name", PICTURE_LOSSES)
def test_the_smallest_pictures_of_a_loss_are_enough_for_it(name: str) -> None:
    side = SMALLEST.get(name, 1)
    assert float(PICTURE_LOSSES[name](*pair(1, 3, side, side))) > 0


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("loss", [mse, ssim_loss, mislabelled])
def test_a_picture_with_a_value_that_is_not_finite_is_the_worst(
    loss: Callable[[Tensor, Tensor], Tensor], broken: float
) -> None:
    """One such value in an otherwise perfect picture, white where infinity would be shown white."""
    truth = torch.ones(1, 3, 16, 16)
    made = truth.clone()
    assert float(judged(loss, made, truth)) == 0
    made[0, 1, 8, 8] = broken
    assert float(judged(loss, made, truth)) == 1


def test_a_loss_is_judged_of_pictures_as_they_are_shown() -> None:
    """Values outside [0, 1] are shown black or white."""
    assert float(judged(mse, torch.tensor([-3.0, 2.0]), torch.tensor([0.0, 0.5]))) == pytest.approx(0.125)
    assert float(judged(mislabelled, torch.tensor([3.4, 3.6]) / 255, torch.tensor([3.0, 3.0]) / 255)) == 0.5


def test_closed_forms() -> None:
    """A difference of 0.3 everywhere."""
    truth = torch.full((2, 3, 16, 16), 0.5)
    made = truth + 0.3
    assert float(l1(made, truth)) == pytest.approx(0.3)
    assert float(mse(made, truth)) == pytest.approx(0.09)
    assert float(charbonnier(made, truth, 0.4)) == pytest.approx(0.5 - 0.4)
    luminance = (2 * 0.5 * 0.8 + 1e-4) / (0.5**2 + 0.8**2 + 1e-4)
    assert float(ssim_loss(made, truth)) == pytest.approx(1 - luminance, abs=5e-4)


def test_losses_of_classes_are_pytorch_s() -> None:
    """Planes of 0 and 1 say the same as the numbers that PyTorch's own cross-entropy takes."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 5, 6, 7, generator=generator)
    numbers = torch.randint(5, (2, 6, 7), generator=generator)
    planes = nn.functional.one_hot(numbers, 5).movedim(3, 1).float()
    assert float(cross_entropy(logits, planes)) == pytest.approx(float(nn.functional.cross_entropy(logits, numbers)))


def test_ssim_is_that_of_the_metric() -> None:
    """Which tests/test_metrics.py holds to torchmetrics."""
    made, truth = pair(2, 3, 40, 33)
    similar = [ssim(*(each.movedim(0, 2).double().numpy() for each in both)) for both in zip(made, truth, strict=True)]
    assert float(ssim_loss(made, truth)) == pytest.approx(1 - np.mean(similar), abs=1e-6)


def test_ssim_and_census_are_exact_under_autocast() -> None:
    made, truth = pair(1, 3, 32, 32)
    for loss in (ssim_loss, census):
        exact = float(loss(made, truth))
        with torch.autocast("cpu", torch.bfloat16):
            assert float(loss(made, truth)) == exact


def test_census_is_what_a_plain_loop_gives() -> None:
    made, truth = pair(1, 3, 9, 8)

    def sign(picture: np.ndarray, y: int, x: int, dy: int, dx: int) -> float:
        difference = picture[y + dy, x + dx] - picture[y, x]
        return float(difference / np.sqrt(0.81 + difference**2))

    grey = [255 * np.tensordot((0.299, 0.587, 0.114), picture[0].double().numpy(), 1) for picture in (made, truth)]
    found = [
        (sign(grey[0], y, x, dy, dx) - sign(grey[1], y, x, dy, dx)) ** 2
        for y in range(3, 6)
        for x in range(3, 5)
        for dy in range(-3, 4)
        for dx in range(-3, 4)
    ]
    wanted = np.mean([distance / (0.1 + distance) for distance in found])
    assert float(census(made, truth)) == pytest.approx(wanted, rel=1e-4)


def test_census_does_not_see_brightness_and_takes_luma() -> None:
    truth = pair(1, 1, 20, 20)[1] * 0.5
    assert float(census(truth + 0.25, truth)) == pytest.approx(0, abs=1e-4)
    assert float(mse(truth + 0.25, truth)) == pytest.approx(0.0625)


def test_flow_losses_in_closed_form() -> None:
    """A flow that grows by 0.5 a column and 0.25 a line; a teacher 3 right and 4 down of the flow."""
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    flow = (0.5 * x + 0.25 * y).expand(1, 2, 6, 8)
    assert float(smoothness(flow)) == pytest.approx(0.75)
    teacher = flow + torch.tensor((3.0, 4.0)).view(1, 2, 1, 1)
    weight = torch.zeros(1, 1, 6, 8)
    weight[..., :4] = 1
    assert float(flow_distance(flow, teacher, weight)) == pytest.approx(2.5, rel=1e-4)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with torchvision's names and shapes, its classifier cut short, and weights drawn at random."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{k}": v for k, v in vgg16_features().state_dict().items()} | {"classifier": path.name}, path)
    return path


def test_the_perceptual_loss_is_the_distance_of_conv4_3(vgg: Path) -> None:
    """Against the published list of layers, written out: numbers and sizes of VGG16's configuration D."""
    sizes = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
             17: (256, 512), 19: (512, 512), 21: (512, 512)}  # fmt: skip
    weights = torch.load(vgg, weights_only=True)
    made, truth = pair(1, 3, 32, 24)

    def features(picture: Tensor) -> Tensor:
        picture = (picture - torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)) / torch.tensor(
            (0.229, 0.224, 0.225)
        ).view(3, 1, 1)
        for number in range(22):
            if number in sizes:
                weight, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
                assert weight.shape == (*reversed(sizes[number]), 3, 3)
                picture = nn.functional.conv2d(picture, weight, bias, padding=1)
            else:
                picture = nn.functional.max_pool2d(picture, 2) if number in (4, 9, 16) else picture.relu()
        return picture

    loss = Perceptual(vgg)
    with torch.no_grad():
        assert features(made).shape == (1, 512, 4, 3)
        wanted = float(((features(made) - features(truth)) ** 2).mean())
    made.requires_grad_()
    found = loss(made, truth)
    found.backward()
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-5)
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert all(not parameter.requires_grad for parameter in loss.parameters())


@pytest.mark.parametrize("content", [None, "text", "other network"])
def test_weights_that_are_no_vgg16_are_refused_with_what_is_needed(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("no weights")
    elif content:
        torch.save({"features.0.weight": torch.zeros(64, 3, 5, 5)}, path)
    with pytest.raises(CheckpointError, match=r"weights\.pth.*vgg16-397923af\.pth"):
        Perceptual(path)
