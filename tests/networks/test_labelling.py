"""The U-Net, slot attention and the label code against the published implementations' outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.prediction_reference import error, tensor, tensors, vectors
from vs_interp import label_code
from vs_interp.errors import ArgumentError
from vs_interp.networks.set_prediction import SetPrediction
from vs_interp.networks.slot_attention import ObjectDiscovery, SlotAttentionConfig
from vs_interp.networks.unet49 import Unet49


def test_the_u_net_equals_the_student_project_s() -> None:
    found = Unet49.from_published(tensors("unet49"))
    assert found is not None
    network, known = Unet49(found[0]).eval(), vectors("unet49")
    network.load_state_dict(found[1])
    assert sum(p.numel() for p in network.parameters()) == 3_916_419
    with torch.no_grad():
        logits, made = network.logits(tensor(known["frame"])), network(tensor(known["frame"]))
    assert error(logits[0], known["logits"]) < 2e-4
    assert ((made[0, 0] * 255).round().numpy() == known["labels"]).mean() >= 0.999


def test_object_discovery_equals_tensorflow_s() -> None:
    found = ObjectDiscovery.from_published(tensors("slot_attention"))
    assert found is not None
    network, known = ObjectDiscovery(found[0]).eval(), vectors("slot_attention")
    network.load_state_dict(found[1])
    assert sum(p.numel() for p in network.parameters()) == 890_308
    network.noise.copy_(torch.from_numpy(known["noise"]))
    with torch.no_grad():
        slots = network.slots(tensor(known["frame"]), network.noise)
        painted, masks = network.painted(slots, 64, 96)
        labels = network(tensor(known["frame"]))
    for made, name in ((slots, "slots"), (painted, "recons"), (masks[:, :, 0], "masks")):
        assert error(made[0], known[name]) < 1e-4, name
    assert error((painted * masks).sum(1)[0], known["recon_combined"]) < 1e-4
    assert ((labels[0, 0] * 255).round().numpy() == known["labels"]).mean() >= 0.999


def test_set_prediction_equals_tensorflow_s() -> None:
    network, known = SetPrediction().eval(), vectors("slot_attention_set")
    network.load_state_dict(tensors("slot_attention_set"))
    assert sum(p.numel() for p in network.parameters()) == 380_755
    with torch.no_grad():
        made = network(tensor(known["frame"]), torch.from_numpy(known["noise"]))
    assert error(made[0], known["predictions"]) < 1e-5


def test_a_frame_always_gives_the_same_slots_and_soft_masks_are_shares() -> None:
    torch.manual_seed(1)
    options = {"slots": 3, "width": 8, "hidden": 16}
    network = ObjectDiscovery(SlotAttentionConfig(**options, output="soft")).eval()
    again = ObjectDiscovery(SlotAttentionConfig(**options, output="soft")).eval()
    again.load_state_dict(network.state_dict())
    frame = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        masks = network(frame)
        assert torch.equal(masks, again(frame))
        assert torch.isfinite(network(torch.zeros(1, 3, 32, 32))).all()
    assert masks.shape == (3, 1, 32, 48) == (network.spec.pictures, 1, 32, 48)
    assert (masks.sum(0) - 1).abs().max() < 1e-5
    assert (masks[0] - masks[1]).abs().max() > 0


def test_the_label_code_is_the_data_set_s() -> None:
    """1 + 16 · shape + 8 · material + colour, and back through the fourteen planes."""
    assert label_code.CLASSES == 49
    assert label_code.label(0, 0, 0) == 1
    assert label_code.label(2, 1, 7) == 48
    assert label_code.name(label_code.label(1, 0, 2)) == "blue metal sphere"
    every = np.arange(49, dtype=np.uint8).reshape(7, 7)
    planes = label_code.to_planes(every)
    assert planes.shape == (14, 7, 7)
    assert (planes.sum(0) == np.where(every == 0, 1, 3)).all()
    assert (label_code.from_planes(planes) == every).all()
    with pytest.raises(IndexError):
        label_code.name(49)


def test_slots_paint_a_frame_again_and_are_exported_as_labels() -> None:
    """What training compares is the published sum of pictures and masks, brought from [−1, 1] to [0, 1]."""
    torch.manual_seed(1)
    options = {"slots": 3, "width": 8, "hidden": 16}
    network = ObjectDiscovery(SlotAttentionConfig(**options, output="picture")).eval()
    labels = ObjectDiscovery(SlotAttentionConfig(**options)).eval()
    labels.load_state_dict(network.state_dict())
    frame = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        painted, masks = network.painted(network.slots(frame, network.noise), 32, 48)
        assert (network(frame) - ((painted * masks).sum(1) + 1) / 2).abs().max() < 1e-6
        assert ((labels(frame)[:, 0] * 255).round() == masks[:, :, 0].argmax(1)).all()
    assert network.spec.output.kind == "frame" and labels.spec.output.kind == "labels"
    with pytest.raises(ArgumentError, match="output is 'objects'"):
        ObjectDiscovery(SlotAttentionConfig(**options, output="objects"))
