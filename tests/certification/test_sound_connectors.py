"""The four venues' own connectors pass, so that a failure means a defect; and what cannot be proved of one says so."""

import pytest

from aggregator.domain.certificate import Outcome
from connectors.certification import TRIALS
from connectors.certification.subject import Trial, carried_out
from tests.certification.subjects import VENUES, subject

NOT_EXERCISED = {
    ("cryptocom", "clock"),
    ("cryptocom", "slow snapshot"),
    ("gateio", "slow snapshot"),
    ("huobi", "slow snapshot"),
    ("huobi", "trades"),
}


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
@pytest.mark.parametrize("name", VENUES)
def test_every_check_passes_or_says_why_it_was_not_made(name: str, trial: Trial) -> None:
    check = carried_out(trial, subject(name))
    expected = Outcome.NOT_EXERCISED if (name, trial.name) in NOT_EXERCISED else Outcome.PASSED
    assert (check.outcome, bool(check.seen)) == (expected, True), check.seen
