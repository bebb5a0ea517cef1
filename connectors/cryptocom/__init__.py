"""Crypto.com Exchange, spot markets."""

from connectors.cryptocom.market_data import CryptocomMarketData as MarketData
from connectors.cryptocom.order_entry import CryptocomOrderEntry as OrderEntry

__all__ = ["MarketData", "OrderEntry"]
