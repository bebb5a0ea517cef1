"""HTX Spot, whose hosts, package names and error texts still say Huobi."""

from connectors.huobi.market_data import HuobiMarketData as MarketData
from connectors.huobi.order_entry import HuobiOrderEntry as OrderEntry

__all__ = ["MarketData", "OrderEntry"]
