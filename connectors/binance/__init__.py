"""Binance Spot, and Binance.US, which differs in configuration only."""

from connectors.binance.market_data import BinanceMarketData as MarketData
from connectors.binance.order_entry import BinanceOrderEntry as OrderEntry

__all__ = ["MarketData", "OrderEntry"]
