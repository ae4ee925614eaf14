"""What is counted of chains."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from admin.metrics import LoopMetrics
from rules.metrics import RulesMetrics
from rules.outcome import ChainRun, RuleOutcome, Step

outcomes = st.sampled_from(RuleOutcome)
names = st.text(min_size=1, max_size=5)
chains = st.builds(
    ChainRun,
    outcome=outcomes,
    user=st.just({}),
    context=st.just({}),
    steps=st.lists(st.builds(Step, rule=names, outcome=outcomes), max_size=5).map(tuple),
)


@given(st.lists(st.tuples(chains, st.floats(0, 100)), max_size=20))
def test_each_run_of_a_rule_counts_once_under_its_outcome_and_each_chain_once_in_the_histogram(
    ended: list[tuple[ChainRun, float]],
) -> None:
    metrics = RulesMetrics()
    for run, seconds in ended:
        metrics.chain_ended(run, seconds)
    expected = Counter(step.outcome.value for run, _ in ended for step in run.steps)
    assert metrics.runs == {outcome.value: expected[outcome.value] for outcome in RuleOutcome}
    assert sum(metrics.seconds.counts) == len(ended)


def test_a_scrape_has_every_outcome_from_the_start_and_no_label_that_a_rule_could_choose() -> None:
    metrics = RulesMetrics()
    metrics.chain_ended(ChainRun(outcome=RuleOutcome.KEPT, user={}, context={}, steps=(_step("a"), _step("b"))), 0.004)
    text = LoopMetrics((), consumer=None, producer=None, rules=metrics).text().decode()
    runs = [line for line in text.splitlines() if line.startswith("auth0_webhooks_rules_runs_total")]
    assert sorted(runs) == sorted(
        f'auth0_webhooks_rules_runs_total{{outcome="{outcome}"}} {2.0 if outcome is RuleOutcome.KEPT else 0.0}'
        for outcome in RuleOutcome
    )
    assert 'auth0_webhooks_rules_seconds_bucket{le="0.005"} 1.0' in text


def _step(rule: str) -> Step:
    return Step(rule=rule, outcome=RuleOutcome.KEPT)
