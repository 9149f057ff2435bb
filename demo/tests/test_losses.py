"""Losses, held to what their papers say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from starter.losses import ArcFace, CrossEntropy, Focal, Loss, SoftLabels

FEATURES, CLASSES = 8, 3


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(16, FEATURES), torch.randint(CLASSES, (16,))


def test_focal_without_gamma_is_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    focal = Focal(features=FEATURES, classes=CLASSES, gamma=0.0)
    plain = CrossEntropy(features=FEATURES, classes=CLASSES)
    plain.load_state_dict(focal.state_dict())
    torch.testing.assert_close(focal(*batch), plain(*batch))


def test_focal_gives_easy_examples_little_weight() -> None:
    focal = Focal(features=2, classes=2, gamma=2.0)
    with torch.no_grad():
        focal.linear.weight.copy_(torch.eye(2))
        focal.linear.bias.zero_()
    easy = focal(torch.tensor([[4.0, 0.0]]), torch.tensor([0]))
    p = torch.tensor([4.0, 0.0]).softmax(0)[0]
    torch.testing.assert_close(easy, -((1 - p) ** 2) * p.log())


def test_arcface_without_margin_is_cross_entropy_of_scaled_cosines(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    loss = ArcFace(features=FEATURES, classes=CLASSES, margin=0.0, scale=10.0)
    features, labels = batch
    cosines = functional.cosine_similarity(features[:, None], loss.linear.weight[None], dim=-1)
    torch.testing.assert_close(loss(*batch), functional.cross_entropy(10 * cosines, labels))
    torch.testing.assert_close(loss.logits(features), 10 * cosines)


def test_arcface_makes_the_right_class_harder(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    loss = ArcFace(features=FEATURES, classes=CLASSES, margin=0.0, scale=10.0)
    without = loss(*batch)
    loss.margin = 0.3
    assert loss(*batch) > without


def test_soft_labels_take_classes_and_distributions(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    loss = SoftLabels(features=FEATURES, classes=CLASSES, smoothing=0.3)
    features, labels = batch
    expected = functional.cross_entropy(loss.logits(features), labels, label_smoothing=0.3)
    torch.testing.assert_close(loss(features, labels), expected)
    torch.testing.assert_close(loss(features, loss.soften(labels)), expected)


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(features=FEATURES, classes=CLASSES),
        Focal(features=FEATURES, classes=CLASSES, gamma=2.0),
        ArcFace(features=FEATURES, classes=CLASSES, margin=0.2, scale=16.0),
        SoftLabels(features=FEATURES, classes=CLASSES, smoothing=0.1),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_each_loss_can_be_learnt_from(loss: Loss, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    first = loss(*batch).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss(*batch).backward()
        optimizer.step()
    assert loss(*batch).item() < first
    # A perfect example has an angle of 0, where the arc cosine's slope is infinite.
    perfect = functional.normalize(loss.linear.weight.detach()).clone().requires_grad_()
    loss(perfect, torch.arange(CLASSES)).backward()
    assert perfect.grad is not None
    assert torch.isfinite(perfect.grad).all()
