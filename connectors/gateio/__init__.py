"""Gate, formerly Gate.io, spot markets."""

from connectors.gateio.market_data import GateioMarketData as MarketData
from connectors.gateio.order_entry import GateioOrderEntry as OrderEntry

__all__ = ["MarketData", "OrderEntry"]
