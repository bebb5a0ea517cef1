"""Binance Spot, and Binance.US, which differs in configuration only."""

from connectors.binance.market_data import BinanceMarketData as MarketData

__all__ = ["MarketData"]
