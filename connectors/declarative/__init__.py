"""Any venue whose protocol its file describes."""

from connectors.declarative.market_data import DeclaredMarketData as MarketData

__all__ = ["MarketData"]
