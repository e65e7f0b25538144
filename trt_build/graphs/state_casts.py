"""State tensors handed from the state graph to the synthesis graph in FP16 where that is how they are read."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper

from .precision import HALF, set_repeated


def move_casts_to_state(state: ModelProto, synthesis: ModelProto) -> None:
    """Make float32 state FP16 if the synthesis graph reads it only through Casts to FP16; results stay bit-exact.

    The Casts move from the synthesis graph, which runs for every time, to the state graph, which runs once a window.
    Both graphs are changed in place.
    """
    for value in state.graph.output:
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            continue
        readers = [node for node in synthesis.graph.node if value.name in node.input]
        casts = [node for node in readers if _is_cast_to_half(node)]
        if not casts or any(node not in casts and node.op_type != "Shape" for node in readers):
            continue
        _rename(state, value.name, f"{value.name}_float")
        state.graph.node.append(
            helper.make_node("Cast", [f"{value.name}_float"], [value.name], name=f"/state/Cast_{value.name}", to=HALF)
        )
        value.type.tensor_type.elem_type = HALF
        for given in synthesis.graph.input:
            if given.name == value.name:
                given.type.tensor_type.elem_type = HALF
        for cast in casts:
            _rename(synthesis, cast.output[0], value.name)
            synthesis.graph.node.remove(cast)


def _is_cast_to_half(node: NodeProto) -> bool:
    return node.op_type == "Cast" and any(each.name == "to" and each.i == HALF for each in node.attribute)


def _rename(model: ModelProto, old: str, new: str) -> None:
    """Rename a tensor in the nodes, and forget its recorded type."""
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    known = [value for value in model.graph.value_info if value.name not in (old, new)]
    set_repeated(model.graph.value_info, known)
