"""Each rule of the contract has a case that loads, except where the rule is a refusal."""

from __future__ import annotations

import pytest

from tests.conformance.rules import REFUSALS, RULES
from tests.conformance.zoo import CASES


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_has_a_case(rule: str) -> None:
    cases = [case for case in CASES if case.mapping == rule]
    assert cases
    assert rule in REFUSALS or any(case.error is None for case in cases)


def test_every_case_proves_a_rule() -> None:
    assert {case.mapping for case in CASES} <= set(RULES)
