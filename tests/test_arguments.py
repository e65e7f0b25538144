"""What counts as a number in an argument: scripts work theirs out with NumPy and with fractions, too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vs_interp.arguments import check_share, is_real
from vs_interp.errors import ArgumentError


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.float64(0.5), np.int64(1), Fraction(1, 2), 10**400])
def test_numbers_of_every_kind_are_taken(value: object) -> None:
    assert is_real(value)


@pytest.mark.parametrize("value", [True, np.True_, float("nan"), np.float32("inf"), 1j, "1", None, np.ones(2)])
def test_what_is_no_finite_number_is_not(value: object) -> None:
    assert not is_real(value)
    with pytest.raises(ArgumentError, match=r"share is .* it must lie in \(0, 1\], such as 0.5"):
        check_share("share", value, "0.5")
