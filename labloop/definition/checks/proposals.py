"""What is wrong with how formulas are to be proposed."""

from __future__ import annotations

from collections.abc import Iterator, Set

from labloop.definition.models import Component, ProposalSettings, Response, Seats
from labloop.errors import did_you_mean


def proposal_problems(
    proposal: ProposalSettings,
    responses: tuple[Response, ...],
    components: tuple[Component, ...],
    invalid: Set[str],
) -> Iterator[str]:
    """Yield what is wrong with `[proposal]` for these components and responses."""
    yield from _seats(proposal.seats)
    yield from _repeats(proposal, responses)
    yield from _shared(proposal, components, invalid)
    if proposal.most_stocks is not None and components and not any(c.stocks for c in components):
        yield (
            "[proposal], most_stocks: no component has stocks; give a [[component]] its stocks "
            "or remove most_stocks"
        )
    if proposal.well_price is not None and components and not any(c.price for c in components):
        yield (
            "[proposal], well_price: no component has a price, so formulas would all cost the "
            "same; give a [[component]] its price or remove well_price"
        )


def _seats(seats: Seats) -> Iterator[str]:
    if seats.latin_hypercube + seats.mixing + seats.exploration > 1 + 1e-9:
        yield (
            f"[proposal], seats: latin_hypercube {seats.latin_hypercube:g}, mixing "
            f"{seats.mixing:g} and exploration {seats.exploration:g} add up to more than 1; "
            "lower one of them"
        )


def _shared(
    proposal: ProposalSettings, components: tuple[Component, ...], invalid: Set[str]
) -> Iterator[str]:
    by_name = {component.name: component for component in components}
    for name in proposal.shared:
        if name not in by_name and name not in invalid:
            yield f'[proposal], shared: unknown component "{name}"{did_you_mean(name, by_name)}'
    for name in dict.fromkeys(n for n in proposal.shared if proposal.shared.count(n) > 1):
        yield f'[proposal], shared: names "{name}" twice; remove one'
    varying = {component.name for component in components if component.varies}
    if varying and varying <= set(proposal.shared):
        yield (
            "[proposal], shared: names every component that varies, so all formulas would be the "
            "same; leave one out"
        )


def _repeats(proposal: ProposalSettings, responses: tuple[Response, ...]) -> Iterator[str]:
    objectives = sum(response.is_objective for response in responses)
    if proposal.repeats and objectives > 1:
        yield (
            f"[proposal], repeats: repeating formulas is weighed for one objective, and there are "
            f"{objectives}; remove repeats"
        )
