"""No payload takes longer than in proportion to its size: what one costs, `python -m loadtests payloads` measures."""

import pytest

from loadtests.payloads import Payload, worst

_SMALL, _LARGE = 64 * 1024, 256 * 1024
PAIRS = list(zip(worst(_SMALL), worst(_LARGE), strict=True))


@pytest.mark.parametrize(("small", "large"), PAIRS, ids=[small.name for small, _ in PAIRS])
def test_the_time_of_a_payload_grows_with_its_size_and_not_with_its_square(small: Payload, large: Payload) -> None:
    """Four times the size take four times as long; sixteen times would be the square."""
    for _ in range(3):
        (took, plain), (longer, _) = small.measured(), large.measured()
        if longer < 10 * took + 4 * plain:  # what is refused at once takes no time, of which no ratio says anything
            return
    raise AssertionError(f"{large.name}: {longer / took:.1f} times as long for four times the size")
