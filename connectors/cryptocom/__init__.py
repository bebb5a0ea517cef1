"""Crypto.com Exchange, spot markets."""

from connectors.cryptocom.market_data import CryptocomMarketData as MarketData

__all__ = ["MarketData"]
