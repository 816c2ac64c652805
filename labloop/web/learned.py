"""What the page on what was learned shows, made where torch may be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labloop.campaign import Campaign
    from labloop.campaign.campaign import Progress


def pictures_of(campaign: Campaign, progress: Progress) -> dict[str, Any]:
    """Return the page's pictures and sentences as JSON has them."""
    from dataclasses import asdict

    from labloop.campaign.explaining import importance_sentences
    from labloop.campaign.prospecting import sentences
    from labloop.report.learned import learned_pictures

    page = campaign.round_page()
    effects = campaign.effects(progress=progress)
    pictures = learned_pictures(
        effects, page.all_values, page.all_amounts, page.components, page.responses
    )
    return {
        "sentences": [
            *importance_sentences(effects.importance),
            *sentences(effects.outlook, campaign.definition, "the next plate"),
        ],
        "pictures": [asdict(each) | {"json": str(each.json)} for each in pictures],
    }
