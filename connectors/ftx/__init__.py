"""FTX and FTX.US, which ceased in November 2022: only recordings of them are read."""

from connectors.ftx.market_data import FtxMarketData as MarketData

__all__ = ["MarketData"]
