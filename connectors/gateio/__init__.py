"""Gate, formerly Gate.io, spot markets."""

from connectors.gateio.market_data import GateioMarketData as MarketData

__all__ = ["MarketData"]
