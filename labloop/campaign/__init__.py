"""The loop itself, where definition, store, surrogate, proposal and plate meet."""

from labloop.campaign.campaign import Campaign

__all__ = ["Campaign"]
