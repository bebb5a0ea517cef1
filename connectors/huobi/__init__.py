"""HTX Spot, whose hosts, package names and error texts still say Huobi."""

from connectors.huobi.market_data import HuobiMarketData as MarketData

__all__ = ["MarketData"]
