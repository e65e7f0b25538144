"""What goes from the state's graph to the synthesis's, at no more bytes than it is read in."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper

from .precision import HALF, set_repeated


def cross_in_half(state: ModelProto, synthesis: ModelProto) -> None:
    """Hand over in half what is float32 in one graph and read in half alone in the other; values stay bit-exact.

    The Cast moves from the second graph, which runs for every time, to the first, which runs once a window.
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
    """Give a tensor another name within the nodes."""
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    known = [value for value in model.graph.value_info if value.name not in (old, new)]
    set_repeated(model.graph.value_info, known)
